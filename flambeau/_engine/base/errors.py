"""Error texts that more than one room raises, with PyTorch's exception types and wording."""

from __future__ import annotations

from collections.abc import Sequence

from .dtypes import dtype


def broadcast_error(op: str, a: Sequence[int], b: Sequence[int]) -> RuntimeError:
    """Two shapes do not broadcast: names the first dimension (from the right) that clashes."""
    width = max(len(a), len(b))
    left = (1,) * (width - len(a)) + tuple(a)
    right = (1,) * (width - len(b)) + tuple(b)
    for dim in range(width - 1, -1, -1):
        if left[dim] != right[dim] and 1 not in (left[dim], right[dim]):
            return RuntimeError(
                f"The size of tensor a ({left[dim]}) must match the size of tensor b "
                f"({right[dim]}) at non-singleton dimension {dim} "
                f"({op}: shapes {list(a)} and {list(b)})"
            )
    return RuntimeError(f"{op}: shapes {list(a)} and {list(b)} do not broadcast")


def dim_error(dim: int, ndim: int) -> IndexError:
    """A dimension number lies outside the tensor's dimensions."""
    low, high = (-ndim, ndim - 1) if ndim else (-1, 0)
    return IndexError(
        f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})"
    )


def cast_error(source: dtype, target: dtype) -> RuntimeError:
    """A result cannot be written in place into a tensor of a lower category."""
    return RuntimeError(
        f"result type {source.word} can't be cast to the desired output type {target.word}"
    )


def device_error(op: str, devices: Sequence[object]) -> RuntimeError:
    """The operands live on different devices."""
    names = " and ".join(dict.fromkeys(str(d) for d in devices))
    return RuntimeError(
        f"{op}: Expected all tensors to be on the same device, but found at least two devices, "
        f"{names}! Move them with .to(device)."
    )


def argument_type_error(op: str, name: str, position: int, wanted: str, got: object) -> TypeError:
    """An argument has the wrong Python type."""
    return TypeError(
        f"{op}(): argument '{name}' (position {position}) must be {wanted}, "
        f"not {type(got).__name__}"
    )


def not_supported(op: str, d: dtype) -> NotImplementedError:
    """The op has no meaning, or PyTorch has no kernel, for this dtype."""
    return NotImplementedError(f"\"{op}\" not implemented for '{d.word}'")
