"""Random number generators: seeding, saving and restoring their state.

A seed gives PyTorch's CPU numbers: the same bits for uniform numbers, integers, permutations,
bernoulli, multinomial and dropout, and 1e-6 or better for what goes through logarithms and sines.
On Intel CPUs PyTorch takes bernoulli and dropout from Intel's MKL; flambeau, on every machine,
gives the numbers that PyTorch gives on all others.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ._engine.autograd.tensor import Tensor, wrap
from ._engine.base.devices import CPU, device as device_type
from ._engine.eager.mt19937 import DEFAULT_SEED, GeneratorState

__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "thread_safe_generator",
]


class Generator:
    """A source of random numbers: a Mersenne Twister, number for number PyTorch's on the CPU.

    Pass one as `generator=` to a random function to keep its numbers apart from all others.

    Args:
        device: where it makes numbers; only "cpu".

    >>> g = flambeau.Generator().manual_seed(0)
    >>> flambeau.rand(2, generator=g)
    tensor([0.4963, 0.7682])
    """

    __slots__ = ("__weakref__", "_state")

    def __init__(self, device: Any = "cpu"):
        if device_type(device).type != "cpu":
            raise RuntimeError(f"Generator: no generator for device '{device}'; use 'cpu'")
        self._state = GeneratorState(DEFAULT_SEED)

    @property
    def device(self) -> device_type:
        """Where the generator makes its numbers."""
        return CPU

    def manual_seed(self, seed: int) -> Generator:
        """Start again from `seed`; a negative seed counts from 2^64 down.

        Raises:
            RuntimeError: not an integer.
            ValueError: outside [-2^63, 2^64 - 1].
        """
        try:
            number = operator.index(seed)
        except TypeError:
            raise RuntimeError(
                f"manual_seed expected a long, but got {type(seed).__name__}"
            ) from None
        if not -(1 << 63) <= number < 1 << 64:
            raise ValueError("Overflow when unpacking long long")
        self._state.manual_seed(number % (1 << 64))
        return self

    def seed(self) -> int:
        """Seed from the operating system's randomness; returns the seed."""
        return self._state.reseed()

    def initial_seed(self) -> int:
        """The seed that the generator was last seeded with."""
        return self._state.seed

    def get_state(self) -> Tensor:
        """The state, a uint8 tensor of 5056 bytes that PyTorch's `set_state` reads too."""
        return wrap(np.frombuffer(self._state.to_bytes(), np.uint8).copy())

    def set_state(self, new_state: Tensor) -> None:
        """Take on a state that `get_state`, or PyTorch's, gave.

        Raises:
            TypeError: not a uint8 tensor.
            RuntimeError: not a generator's state.
        """
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        if new_state._array.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        self._state.from_bytes(new_state._array.tobytes())

    def clone_state(self) -> Generator:
        """A generator of its own in the same state."""
        other = Generator()
        other._state = self._state.clone()
        return other

    def graphsafe_get_state(self) -> Generator:
        """The generator itself, which holds its state."""
        return self

    def graphsafe_set_state(self, state: Generator) -> Generator:
        """Share the state of another generator from now on."""
        self._state = state._state
        return self

    def get_offset(self) -> int:
        """Offsets belong to counter-based generators; always raises RuntimeError."""
        raise RuntimeError("CPU Generator does not use offset")

    def set_offset(self, offset: int) -> Generator:
        """Offsets belong to counter-based generators; always raises RuntimeError."""
        raise RuntimeError("CPU Generator does not use offset")

    def __reduce__(self) -> tuple:
        return (_restored, (self._state.to_bytes(),))

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {id(self):#x}>"


def _restored(state: bytes) -> Generator:
    generator = Generator()
    generator._state.from_bytes(state)
    return generator


default_generator = Generator()
default_generator.seed()


def state_of(generator: Generator | None) -> GeneratorState:
    """The state that a `generator=` argument stands for; None is the default generator.

    Raises:
        TypeError: not a generator.
    """
    if generator is None:
        return default_generator._state
    if not isinstance(generator, Generator):
        raise TypeError(
            f"argument 'generator' must be torch.Generator, not {type(generator).__name__}"
        )
    return generator._state


def manual_seed(seed: int) -> Generator:
    """Seed the default generator; returns it.

    >>> _ = flambeau.manual_seed(0)
    >>> flambeau.rand(2)
    tensor([0.4963, 0.7682])
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed the default generator from the operating system's randomness; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator was last seeded with."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, a uint8 tensor."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator into a state that `get_rng_state` gave."""
    default_generator.set_state(new_state)


def thread_safe_generator() -> Generator | None:
    """The generator a DataLoader thread owns; flambeau has none, so None."""
    return None


@contextlib.contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cuda",
) -> Iterator[None]:
    """Restore the default generator's state at the end of a `with` block.

    Args:
        enabled: False makes the block an ordinary one.
        devices, device_type: accelerators to restore too; there are none here.

    >>> with flambeau.random.fork_rng():
    ...     _ = flambeau.manual_seed(1)
    """
    if not enabled:
        yield
        return
    state = default_generator._state.to_bytes()
    try:
        yield
    finally:
        default_generator._state.from_bytes(state)
