"""Filling in a template: choices that fit the tensors a program has so far."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from .grammar import REDUCTIONS

DTYPES = [
    "float32", "float32", "float32", "float64", "float64", "int64", "int64", "bool",
    "complex64", "float16", "bfloat16", "int32", "uint8",
]  # fmt: skip
NUMBERS = ["0", "1", "-1", "2", "3", "0.5", "-1.5", "2.0", "True"]
SHAPES = [
    (), (1,), (2,), (3,), (4,), (2, 2), (2, 3), (3, 3), (3, 1), (1, 2), (2, 1, 3), (2, 2, 2), (0,),
    (2, 0),
]  # fmt: skip
FIELD = re.compile(r"\{(\w+)\}")


def literal(random: Random, torch_name: str, shape: tuple[int, ...], requires_grad: bool) -> str:
    """An expression that makes a tensor with a few distinct small numbers."""
    count = 1
    for n in shape:
        count *= n
    start, scale = random.randrange(7), random.choice(["4", "2", "1", "3"])
    made = f"((torch.arange({count}) * 3 + {start}) % 7 - 3)"
    if torch_name in ("bool", "uint8"):
        made = f"((torch.arange({count}) + {start}) % 3)"
    elif not torch_name.startswith("int"):
        made = f"({made} / {scale})"
    made += f".to(torch.{torch_name}).reshape({shape})"
    if random.random() < 0.9:
        made += ".clone()"  # otherwise it is a view
    return made + (".requires_grad_()" if requires_grad else "")


class Fields:
    """One line's choices: the same field has the same value throughout the line."""

    def __init__(self, random: Random, tensors: dict[str, Any], fresh: str):
        self.random = random
        self.tensors = tensors
        self.chosen: dict[str, str] = {"new": fresh}
        self.first: Any = None

    def fill(self, template: str) -> str:
        """The line.

        Raises:
            LookupError: the tensors there are do not offer what the template asks for.
        """
        return FIELD.sub(lambda found: self._field(found[1]), template)

    def _field(self, name: str) -> str:
        if name not in self.chosen:
            self.chosen[name] = str(getattr(self, "_" + name)())
        return self.chosen[name]

    def _pick(self, fits: Any) -> str:
        names = [n for n, t in self.tensors.items() if _holds(fits, t)]
        if not names:
            raise LookupError
        recent = names[-4:] if self.random.random() < 0.5 else names
        name = self.random.choice(recent)
        if self.first is None:
            self.first = self.tensors[name]
        return name

    def _a(self) -> str:
        return self._pick(lambda t: True)

    def _f(self) -> str:
        return self._pick(lambda t: t.is_floating_point())

    def _c(self) -> str:
        return self._pick(lambda t: t.is_complex())

    def _r(self) -> str:
        return self._pick(lambda t: t.requires_grad)

    _q = _r

    def _leaf(self) -> str:
        return self._pick(lambda t: t.requires_grad and t.is_leaf)

    def _b(self) -> str:
        if self.first is None or self.random.random() < 0.03:
            return self._a()
        return self._pick(lambda t: broadcasts(t.shape, self.first.shape))

    def _w(self) -> str:
        if self.random.random() < 0.03:
            return self._a()
        shape = self.first.shape
        first = self.first
        return self._pick(lambda t: t is not first and broadcasts(t.shape, shape) == tuple(shape))

    def _w0(self) -> str:
        return self._pick(lambda t: t.numel() == 1 and t.dim() == 0)

    def _s(self) -> str:
        return self.random.choice(NUMBERS)

    def _n(self) -> int:
        return self.random.randrange(1, 5)

    def _d(self) -> int:
        rank = max(self.first.dim(), 1)
        if self.random.random() < 0.005:
            return self.random.choice([-4, 3])
        return self.random.randrange(-rank, rank)

    _e = _d

    def _size(self) -> int:
        d = int(self._field("d"))
        shape = self.first.shape
        return shape[d] if -len(shape) <= d < len(shape) else 1

    def _i(self) -> int:
        return self.random.randrange(-1, max(self._size(), 1))

    def _k(self) -> int:
        size = self._size()
        least = 0 if self.random.random() < 0.1 else 1
        return self.random.randrange(least, size + 1) if size else 0

    def _step(self) -> int:
        return self.random.randrange(1, 3)

    def _dtype(self) -> str:
        return "torch." + self.random.choice(DTYPES)

    def _reduction(self) -> str:
        return self.random.choice(REDUCTIONS)

    def _tensor(self) -> str:
        dtype = self.random.choice(DTYPES)
        grad = dtype.startswith(("float", "complex", "bfloat")) and self.random.random() < 0.5
        return literal(self.random, dtype, self.random.choice(SHAPES), grad)

    def _leaf_tensor(self) -> str:
        dtype = self.random.choice(["float32", "float64", "float32", "complex64"])
        return literal(self.random, dtype, self.random.choice(SHAPES), True)

    def _shape(self) -> tuple[int, ...]:
        count = self.first.numel()
        options = [(count,), (-1,), (1, count), (count, 1)]
        options += [(n, count // n) for n in (2, 3) if count and count % n == 0]
        options += [(n, -1) for n in (2, 3) if count and count % n == 0]
        return self.random.choice(options)

    def _grown(self) -> str:
        rank = self.first.dim() + 1
        d = int(self._field("d"))
        return ", ".join("2" if i == d % rank else "-1" for i in range(rank))

    def _permutation(self) -> str:
        dims = list(range(self.first.dim()))
        self.random.shuffle(dims)
        return ", ".join(map(str, dims)) or "()"

    def _ones(self) -> str:
        return ", ".join(["2"] + ["1"] * (self.first.dim() - 1) if self.first.dim() else ["2"])

    def _strided(self) -> str:
        count = self.first.numel()
        if count < 2:
            return "(), (), None"
        n = self.random.randrange(1, count)
        return self.random.choice([
            f"({n},), (1,), None", f"({n},), (1,), {self.first.storage_offset()}",
            f"({(count + 1) // 2},), (2,), {self.first.storage_offset()}",
            f"(2, {n}), (1, 1), {self.first.storage_offset()}",
            f"(2, {n}), (0, 1), {self.first.storage_offset()}",
        ])  # fmt: skip

    def _basic(self) -> str:
        parts = []
        for n in self.first.shape:
            choice = self.random.randrange(6)
            if choice == 0 and n:
                parts.append(str(self.random.randrange(-n, n)))
            elif choice == 1:
                parts.append(f"{self.random.randrange(0, n + 1)}:")
            elif choice == 2:
                parts.append("::2")
            elif choice == 3:
                parts.append(f":{self.random.randrange(0, n + 1)}")
            else:
                parts.append(":")
        while parts and self.random.random() < 0.3:
            parts.pop()
        if self.random.random() < 0.2:
            parts.insert(self.random.randrange(len(parts) + 1), "None")
        if not parts or self.random.random() < 0.1:
            parts.append("...")
        return ", ".join(parts)

    def _x(self) -> str:
        parts = self._basic().split(", ")
        shape, place = self.first.shape, 0
        for position, part in enumerate(parts):
            if part in ("None", "..."):
                continue
            if self.random.random() < 0.4 and place < len(shape):
                parts[position] = self._positions(shape[place])
            place += 1
        return ", ".join(parts)

    def _positions(self, n: int) -> str:
        if n == 0:
            return "torch.tensor([], dtype=torch.int64)"
        if self.random.random() < 0.3:
            return f"[{self.random.randrange(-n, n)}, {self.random.randrange(-n, n)}]"
        if self.random.random() < 0.2:
            return f"torch.tensor({self.random.randrange(-n, n)})"
        picks = [self.random.randrange(-n, n) for _ in range(2)]
        return f"torch.tensor({picks})"

    def _mask(self) -> str:
        return f"({self._same_shape()} > {self.random.choice(['0', '-1', '0.5'])})"

    def _same_shape(self) -> str:
        shape = self.first.shape
        return self._pick(lambda t: t.shape == shape and not t.is_complex() and t.dtype is not None)

    def _index(self) -> str:
        shape = self.first.shape
        if not shape:
            return "torch.tensor([0])"
        n = self._size() if "d" in self.chosen else shape[0]
        picks = [self.random.randrange(n) for _ in range(self.random.randrange(1, 4))] if n else []
        return f"torch.tensor({picks}, dtype=torch.int64)"

    def _distinct(self) -> str:
        # a position written to twice has no slope that PyTorch, or anyone, agrees with
        n = self.first.shape[0] if self.first.dim() else 0
        picks = self.random.sample(range(n), min(n, 2))
        return f"torch.tensor({picks}, dtype=torch.int64)"

    def _index0(self) -> str:
        n = self.first.numel()
        picks = [self.random.randrange(n) for _ in range(2)] if n else []
        return f"torch.tensor({picks}, dtype=torch.int64)"

    def _index_k(self) -> str:
        k, n = int(self._field("k")), self._size()
        picks = list(range(n))
        self.random.shuffle(picks)
        return f"torch.tensor({picks[:k]}, dtype=torch.int64)"

    def _index_like(self) -> str:
        n = self._size()
        shape = tuple(self.first.shape)
        start = self.random.randrange(3)
        return f"((torch.arange({self.first.numel()}) + {start}) % {max(n, 1)}).reshape({shape})"


def _holds(fits: Any, t: Any) -> bool:
    try:
        return fits(t)
    except RuntimeError:  # a view that has lost its history answers no question about it
        return False


def broadcasts(a: Any, b: Any) -> tuple[int, ...] | None:
    """The shape that two shapes broadcast to."""
    rank = max(len(a), len(b))
    found = []
    for m, n in zip((1,) * (rank - len(a)) + tuple(a), (1,) * (rank - len(b)) + tuple(b)):
        if m != n and 1 not in (m, n):
            return None
        found.append(n if m == 1 else m)
    return tuple(found)
