"""The state of a random number generator: Mersenne Twister 19937, word for word PyTorch's.

NumPy's MT19937 supplies the 32-bit words; everything else about a generator (its seed, the normal
value left over from the last Box-Muller pair, its 5056-byte form) is kept here.
"""

from __future__ import annotations

import functools
import math
import os
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import state

DEFAULT_SEED = 67280421310721
STATE_BYTES = 5056

_WORDS = 624
# seed, words left in the block, seeded flag, next word; then 624 words of 8 bytes each
_HEAD = struct.Struct("<qiiQ")
# spare normal pair (x unused, y kept, radius unused), whether y is kept, the same for float32
_TAIL = struct.Struct("<dddi4xf?3x")
_LOW_53 = np.uint64((1 << 53) - 1)
_LOW_24 = np.uint64((1 << 24) - 1)


def _in_order() -> None:
    """Draws that a pending segment has promised come before this one."""
    if state.tracer is not None:
        state.tracer.before_draw()


class GeneratorState:
    """A Mersenne Twister with PyTorch's conventions around it.

    NumPy's generator is made on the first draw: seeding alone stays cheap. From then on it is the
    same one, and so is the memory that its words are in: `memory` gives it to compiled programs.

    Attributes:
        seed: the number the state was last seeded with, 0 to 2^64 - 1.
        spare_normal: the second half of the last Box-Muller pair, or None.
    """

    __slots__ = ("_bits", "_raw", "_spare_float32", "seed", "spare_normal")

    def __init__(self, seed: int = DEFAULT_SEED):
        self._bits: Any = None
        self._raw: Callable[..., Any] = self._first_raw
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> None:
        """Start again from `seed`; the words depend on its low 32 bits only."""
        _in_order()
        self.seed = seed
        if self._bits is not None:
            self._bits._legacy_seeding(seed & 0xFFFFFFFF)
        self.spare_normal: float | None = None
        self._spare_float32 = (0.0, False)

    def reseed(self) -> int:
        """Seed from the operating system's randomness; returns the seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self.seed

    def _twister(self) -> Any:
        if self._bits is None:
            self._bits = _unseeded()
            self._bits._legacy_seeding(self.seed & 0xFFFFFFFF)
            self._raw = self._bits.random_raw
        return self._bits

    def _first_raw(self, count: int | None = None) -> Any:
        return self._twister().random_raw(count)

    def _untouched(self, key: np.ndarray, position: int) -> bool:
        """Whether these words are what the seed gave: none has been drawn since."""
        if position != _WORDS or key[0] != self.seed & 0xFFFFFFFF:
            return False
        fresh = GeneratorState(self.seed)._twister().state["state"]["key"]
        return bool((key == fresh).all())

    def memory(self) -> np.ndarray:
        """The twister itself, for code that draws from it: 625 uint32 that stay where they are.

        624 words, and how many of them have been drawn since they were made (624: all). Writing
        to it changes the state. Whoever draws holds on to the array, which keeps it alive.
        """
        return np.asarray(_Words(self._twister()))

    # --- draws -----------------------------------------------------------------------------

    def words(self, count: int) -> np.ndarray:
        """The next `count` words of 32 bits, as uint64."""
        if not count:
            return np.empty(0, np.uint64)
        _in_order()
        return self._raw(count)

    def long_words(self, count: int) -> np.ndarray:
        """The next `count` words of 64 bits: two words each, the high half first."""
        pairs = self.words(2 * count).reshape(count, 2)
        return (pairs[:, 0] << np.uint64(32)) | pairs[:, 1]

    def bits53(self, count: int) -> np.ndarray:
        """`count` integers of 53 random bits, as uint64."""
        return self.long_words(count) & _LOW_53

    def uniforms(self, count: int) -> np.ndarray:
        """`count` float64 numbers in [0, 1) of 53 bits."""
        return self.bits53(count) * 2.0**-53

    def bits24(self, count: int) -> np.ndarray:
        """`count` integers of 24 random bits, as uint64: what float32 uniforms are made of."""
        return self.words(count) & _LOW_24

    def uniform(self) -> float:
        """One float64 number in [0, 1)."""
        _in_order()
        high = self._raw()
        return (((high << 32) | self._raw()) & ((1 << 53) - 1)) * 2.0**-53

    def normals(self, count: int) -> np.ndarray:
        """`count` standard normal float64 numbers, one Box-Muller pair after the other."""
        if count < 16:  # the C library's functions, to the last bit, and no slower
            return np.array([self.normal() for _ in range(count)], np.float64)
        spare = [] if self.spare_normal is None else [self.spare_normal]
        pairs = (count - len(spare) + 1) // 2
        angle, radius = self.uniforms(2 * pairs).reshape(pairs, 2).T
        angle = 2 * np.pi * angle
        radius = np.sqrt(-2 * np.log1p(-radius))
        out = np.empty(len(spare) + 2 * pairs)
        out[: len(spare)] = spare
        out[len(spare) :: 2] = radius * np.cos(angle)
        out[len(spare) + 1 :: 2] = radius * np.sin(angle)
        self.spare_normal = float(out[count]) if out.size > count else None
        return out[:count]

    def normal(self) -> float:
        """One standard normal float64 number."""
        _in_order()
        spare = self.spare_normal
        if spare is not None:
            self.spare_normal = None
            return spare
        angle = 2 * math.pi * self.uniform()
        radius = math.sqrt(-2 * math.log1p(-self.uniform()))
        self.spare_normal = radius * math.sin(angle)
        return radius * math.cos(angle)

    # --- the state as bytes ----------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """The state in the layout of PyTorch's CPU generator, 5056 bytes."""
        _in_order()
        inner = self._twister().state["state"]
        position = int(inner["pos"])
        untouched = self._untouched(inner["key"], position)
        left = 1 if untouched else _WORDS - position + 1
        head = _HEAD.pack(
            self.seed - (self.seed >> 63 << 64), left, 1, 0 if untouched else position
        )
        kept = self.spare_normal is not None
        tail = _TAIL.pack(0.0, self.spare_normal or 0.0, 0.0, kept, *self._spare_float32)
        return head + inner["key"].astype("<u8").tobytes() + tail

    def from_bytes(self, data: bytes) -> None:
        """Take on a state that `to_bytes` or PyTorch's `get_state` gave.

        Raises:
            RuntimeError: wrong length, or the numbers are no Mersenne Twister state.
        """
        if len(data) != STATE_BYTES:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE_BYTES} but found the input RNG "
                f"state size to be {len(data)}"
            )
        seed, left, seeded, position = _HEAD.unpack_from(data)
        if not seeded or not 1 <= left <= _WORDS or position > _WORDS:
            raise RuntimeError("Invalid mt19937 state")
        key = np.frombuffer(data, "<u8", _WORDS, _HEAD.size)
        _, spare, _, kept, *spare_float32 = _TAIL.unpack_from(data, _HEAD.size + 8 * _WORDS)
        self.manual_seed(seed % (1 << 64))
        self._twister().state = {
            "bit_generator": "MT19937",
            "state": {
                "key": key.astype(np.uint32),
                "pos": _WORDS if left == 1 else position,
            },
        }
        self.spare_normal = spare if kept else None
        self._spare_float32 = tuple(spare_float32)

    def clone(self) -> GeneratorState:
        """An independent generator in the same state."""
        other = GeneratorState(self.seed)
        other.from_bytes(self.to_bytes())
        return other


def _unseeded() -> Any:
    """NumPy's MT19937 in no state of importance: its own seeding takes longer than all the rest."""
    from numpy.random import MT19937  # imported late: it costs 15 ms

    return MT19937(_seeds())


@functools.cache
def _seeds() -> Any:
    from numpy.random.bit_generator import ISeedSequence

    class Zeros(ISeedSequence):
        def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
            return np.zeros(n_words, dtype)

    return Zeros()


class _Words:
    """The memory of NumPy's MT19937 as an array: its struct is the words and an int."""

    def __init__(self, bits: Any):
        self.bits = bits  # kept alive
        self.__array_interface__ = {
            "data": (bits.ctypes.state_address, False),
            "shape": (_WORDS + 1,),
            "typestr": np.dtype(np.uint32).str,
            "version": 3,
        }
