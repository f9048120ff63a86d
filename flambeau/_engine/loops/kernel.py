"""Kernels as data: what the passes make of a graph, and what `llvm` turns into native code.

A kernel is a pure description: hashable, without names of buffers or addresses, so that equal
kernels share their code. It works on numbered arguments (pointers); a `Step` says which of the
program's buffers they are.

Every kernel becomes a function

    i32 kernel(ptr arguments, ptr numbers, i64 begin, i64 end)

where `arguments` is an array of pointers, `numbers` one of float64, and [begin, end) is a range
of its `tasks`: pieces of work whose division depends on the shapes only, never on the number of
threads. It returns 0, or a fault's code (an index out of range).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# dtypes are NumPy's names as strings ("float32", "int64", "bool", "bfloat16"): they hash and print


@dataclass(frozen=True, slots=True)
class Access:
    """Where an argument's element lies: `offset` plus the sum of index times stride.

    Attributes:
        argument: which of the kernel's pointers.
        strides: elements a step, one for each dimension of the kernel (outer ones first, then
            inner ones); 0 where the argument is broadcast.
    """

    argument: int
    dtype: str
    strides: tuple[int, ...]
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Instruction:
    """One scalar operation of a body; its value is known by its place in the body.

    Operations: "load" (detail: Access), "constant" (detail: a Python number), "number" (detail:
    position in the numbers' vector, converted to dtype), "index" (detail: which dimension of the
    kernel; an int64), "row" (detail: which row value, see Stage), "product" (a Gemm's element),
    and every elementwise primitive under its own name ("convert" to `dtype` among them).
    `dtype` is the result's; operands of arithmetic have one dtype, as primitives demand.
    Half-precision arithmetic is done in float32 by whoever builds the body: explicit converts.
    """

    name: str
    operands: tuple[int, ...] = ()
    dtype: str = "float32"
    detail: Any = None


@dataclass(frozen=True, slots=True)
class Reduction:
    """A value reduced over the inner dimensions: "sum", "prod", "amax", "amin", "any", "all",
    "argmax", "argmin" (which give the int64 flat inner index of the first; NaN counts as the
    extreme, as in NumPy and PyTorch, for amax, amin, argmax and argmin)."""

    kind: str
    value: int
    dtype: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass over the inner dimensions for a point of the outer ones.

    Attributes:
        body: computed at every inner point.
        reductions: their results are *row values*: what row bodies and later stages read by "row".
            They are numbered through the whole kernel, stage by stage: a stage's reductions,
            then its `row_results`.
        stores: (Access, position in the body), at every inner point.
        row: computed once when the pass is over; may read row values and load with inner
            strides 0. Each of `row_results` (positions in `row`) becomes a further row value.
        row_stores: (Access, position in `row`).
    """

    body: tuple[Instruction, ...] = ()
    reductions: tuple[Reduction, ...] = ()
    stores: tuple[tuple[Access, int], ...] = ()
    row: tuple[Instruction, ...] = ()
    row_results: tuple[int, ...] = ()
    row_stores: tuple[tuple[Access, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Loop:
    """Elementwise work and reductions: for every outer point, the stages one after the other.

    Without reductions everything may be an inner dimension. A kernel may store to an argument it
    also loads, if load and store are at the same element of the same point.
    Reductions over leading dimensions (a bias's gradient) have the last outer dimension
    contiguous: the code generator runs vectors along it then.
    """

    outer: tuple[int, ...]
    inner: tuple[int, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Gemm:
    """C[batch, i, j] = sum over l of A[batch, i, l] * B[batch, l, j], then an epilogue.

    Attributes:
        a: an Access over (*batch, m, k).
        b: an Access over (*batch, k, n).
        epilogue: a body over (*batch, m, n) in which "product" is the sum.
        stores: (Access, position in the epilogue).
        dtype: of the sum; a and b may be bfloat16 or float16, which are widened when packed.
    """

    batch: tuple[int, ...]
    m: int
    n: int
    k: int
    dtype: str
    a: Access
    b: Access
    epilogue: tuple[Instruction, ...]
    stores: tuple[tuple[Access, int], ...]


@dataclass(frozen=True, slots=True)
class Special:
    """A kernel with code of its own, from the table in `llvm.special` under `name`.

    Attributes:
        arguments: (dtype, shape, strides in elements) of each pointer argument, in order:
            operands first, then results.
        params: sorted (key, value) pairs of hashable values; a Number appears as
            ("number", position).
    """

    name: str
    arguments: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    params: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A kernel of a chain, made for one block of its work.

    Attributes:
        arguments: for each of the kernel's, (the chain's argument, or -1 - n for scratch memory n;
            a byte offset; strides in bytes along `sizes` and the group's repetitions).
        sizes: the dimensions that a block's number stands for, in row-major order.
    """

    kernel: Loop | Gemm
    arguments: tuple[tuple[int, int, tuple[int, ...]], ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Kernels that run one after the other for each of `blocks` blocks of their work: what one
    hands to the next is scratch memory of a block's size, which stays in the caches.

    A block does the groups in order; a group is repeated so many times, all its parts each time.

    Attributes:
        groups: (times, parts).
        scratch: bytes of each piece of scratch memory.
    """

    blocks: int
    groups: tuple[tuple[int, tuple[Part, ...]], ...]
    scratch: tuple[int, ...]

    def parts(self) -> Iterator[tuple[int, Part]]:
        """Each part, and how often it runs in all."""
        for times, parts in self.groups:
            for part in parts:
                yield times * self.blocks, part


Kernel = Loop | Gemm | Special | Chain
