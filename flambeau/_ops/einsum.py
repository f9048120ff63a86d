"""Einstein summation, as a chain of two-operand contractions by matrix products."""

from __future__ import annotations

from math import prod
from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .declare import op
from .promote import to_common
from .shaping import reshape

__all__ = ["einsum"]

_ELLIPSIS_BASE = 200  # labels of the dimensions under "..."; letters are their code points


@op()
def einsum(*args: Any) -> Tensor:
    """Sums of products, by Einstein's convention: `einsum("ij,jk->ik", a, b)`.

    Repeated labels of one operand take its diagonal; labels missing from the output are summed.

    Raises:
        RuntimeError: the equation does not fit the operands.
    """
    labels, operands, output = _parse(args)
    if len(operands) > 1:
        operands = list(to_common("einsum", *operands))
    sizes: dict[int, int] = {}
    for number, (names, x) in enumerate(zip(labels, operands, strict=True)):
        for name, n in zip(names, x._array.shape, strict=True):
            known = sizes.get(name, 1)
            if n != known and 1 not in (n, known):
                raise RuntimeError(
                    f"einsum(): operands do not broadcast with remapped shapes "
                    f"[original->remapped]: label {_show(name)} has size {known} and {n} "
                    f"(operand {number})"
                )
            sizes[name] = max(n, known) if 0 not in (n, known) else 0
    terms = [_diagonal(x, names) for x, names in zip(operands, labels, strict=True)]
    x, names = terms[0]
    for position, (y, other) in enumerate(terms[1:], 1):
        later = {n for _, t in terms[position + 1 :] for n in t} | set(output)
        x, names = _contract(x, names, y, other, later)
    x, names = _sum_out(x, names, set(output))
    return P.permute(x, dims=tuple(names.index(n) for n in output))


def _show(name: int) -> str:
    return chr(name) if name < _ELLIPSIS_BASE else "..."


def _parse(args: tuple) -> tuple[list[list[int]], list[Tensor], list[int]]:
    """Labels of every operand, the operands, and the labels of the output."""
    if not args:
        raise TypeError("einsum(): expects an equation and operands")
    if not isinstance(args[0], str):
        return _parse_lists(args)
    equation, operands = args[0].replace(" ", ""), list(args[1:])
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = list(operands[0])
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) < len(operands):
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    if len(terms) > len(operands):
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
    labels = [_labels(term, x._array.ndim) for term, x in zip(terms, operands, strict=True)]
    wide = max((n - _ELLIPSIS_BASE + 1 for term in labels for n in term), default=0)
    output = _labels(right, None, max(wide, 0)) if arrow else _implicit(labels, max(wide, 0))
    _check_output(output, labels)
    return labels, operands, output


def _labels(term: str, ndim: int | None, wide: int = 0) -> list[int]:
    """One label a dimension; those under "..." are numbered from the right."""
    before, dots, after = term.partition("...")
    for letter in before + after:
        if not letter.isalpha():
            raise RuntimeError(
                f"einsum(): invalid subscript given: {letter!r}, subscripts must be in [a-zA-Z]"
            )
    head, tail = [ord(c) for c in before], [ord(c) for c in after]
    if ndim is not None:
        wide = ndim - len(head) - len(tail)
        if wide < 0 or (wide and not dots):
            raise RuntimeError(
                "einsum(): the number of subscripts in the equation "
                f"({len(head) + len(tail)}) does not match the number of dimensions ({ndim})"
            )
    middle = [_ELLIPSIS_BASE + i for i in reversed(range(wide))] if dots else []
    return head + middle + tail


def _implicit(labels: list[list[int]], wide: int) -> list[int]:
    """Without "->": the labels that occur once, in order, after those under "..."."""
    every = [n for term in labels for n in term if n < _ELLIPSIS_BASE]
    once = sorted(n for n in set(every) if every.count(n) == 1)
    return [_ELLIPSIS_BASE + i for i in reversed(range(wide))] + once


def _check_output(output: list[int], labels: list[list[int]]) -> None:
    known = {n for term in labels for n in term}
    for name in output:
        if name not in known:
            raise RuntimeError(
                f"einsum(): output subscript {_show(name)} does not appear in the equation for "
                "any input operand"
            )
        if output.count(name) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {_show(name)} appears more than once in the output"
            )


def _parse_lists(args: tuple) -> tuple[list[list[int]], list[Tensor], list[int]]:
    """The form einsum(a, [0, 1], b, [1, 2], [0, 2])."""
    output = args[-1] if len(args) % 2 else None
    pairs = args[: len(args) - 1] if output is not None else args
    operands = list(pairs[0::2])

    def letters(numbers: Any) -> str:
        return "".join(
            "..." if n is Ellipsis else chr(ord("A") + n + (6 if n > 25 else 0)) for n in numbers
        )

    equation = ",".join(letters(n) for n in pairs[1::2])
    if output is not None:
        equation += "->" + letters(output)
    return _parse((equation, *operands))


def _diagonal(x: Tensor, names: list[int]) -> tuple[Tensor, list[int]]:
    """Repeated labels of one operand become its diagonal."""
    names = list(names)
    for name in list(dict.fromkeys(names)):
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            n, m = x._array.shape[first], x._array.shape[second]
            if n != m:
                raise RuntimeError(
                    f"einsum(): subscript {_show(name)} is repeated for an operand but the sizes "
                    f"don't match, {m} != {n}"
                )
            x = P.diagonal(x, offset=0, dim1=first, dim2=second)
            names = [n for i, n in enumerate(names) if i not in (first, second)] + [name]
    return x, names


def _sum_out(x: Tensor, names: list[int], keep: set[int]) -> tuple[Tensor, list[int]]:
    dims = tuple(d for d, name in enumerate(names) if name not in keep)
    if not dims:
        return x, names
    return P.sum(x, dims=dims, keepdim=False), [n for n in names if n in keep]


def _contract(
    x: Tensor, a: list[int], y: Tensor, b: list[int], later: set[int]
) -> tuple[Tensor, list[int]]:
    """Multiply two terms and sum the labels that nobody needs later, by one matrix product."""
    x, a = _sum_out(x, a, later | set(b))
    y, b = _sum_out(y, b, later | set(a))
    # a size of 1 broadcasts: as a label of its own operand alone it is dropped
    x, a = _drop_stretched(x, a, y, b)
    y, b = _drop_stretched(y, b, x, a)
    both = [n for n in a if n in b]
    batch = [n for n in both if n in later]
    summed = [n for n in both if n not in later]
    only_a, only_b = [n for n in a if n not in b], [n for n in b if n not in a]
    size = dict(zip(a, x._array.shape, strict=True)) | dict(zip(b, y._array.shape, strict=True))

    def shape(*groups: list[int]) -> tuple[int, ...]:
        return tuple(prod(size[n] for n in group) for group in groups)

    left = P.permute(x, dims=tuple(a.index(n) for n in (*batch, *only_a, *summed)))
    right = P.permute(y, dims=tuple(b.index(n) for n in (*batch, *summed, *only_b)))
    z = P.matmul(
        reshape(left, shape(batch, only_a, summed)), reshape(right, shape(batch, summed, only_b))
    )
    names = [*batch, *only_a, *only_b]
    return reshape(z, tuple(size[n] for n in names)), names


def _drop_stretched(x: Tensor, a: list[int], y: Tensor, b: list[int]) -> tuple[Tensor, list[int]]:
    size = dict(zip(b, y._array.shape, strict=True))
    drop = {d for d, n in enumerate(a) if x._array.shape[d] == 1 and size.get(n, 1) != 1}
    if not drop:
        return x, a
    index = tuple(0 if d in drop else (0, n, 1) for d, n in enumerate(x._array.shape))
    return P.slice(x, index=index), [n for d, n in enumerate(a) if d not in drop]
