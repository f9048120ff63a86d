"""Changing all tensors of a module at once: dtype, device, gradients, mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from flambeau._engine.autograd.mode import no_grad
from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import dtypes
from flambeau._engine.base.devices import device as Device
from flambeau._ops.creation import empty_like
from flambeau.nn.modules.utils import typename

__all__ = ["Transfer"]

_TO_KEYWORDS = ("device", "dtype", "non_blocking", "tensor", "memory_format")


def parse_to(*args: Any, **kwargs: Any) -> tuple[Device | None, dtypes.dtype | None, bool]:
    """``(device, dtype, non_blocking)`` from the arguments of ``Module.to``.

    Forms: ``(device=None, dtype=None, non_blocking=False)``, ``(dtype, non_blocking=False)``,
    ``(tensor, non_blocking=False)``; ``memory_format`` is accepted and has no effect.
    """
    if "copy" in kwargs:
        raise RuntimeError(".to() does not accept copy argument")
    head, rest = (args[0], args[1:]) if args else (None, ())
    names: tuple[str, ...] = ("device", "dtype", "non_blocking")
    if isinstance(head, dtypes.dtype):
        names = ("dtype", "non_blocking")
    elif isinstance(head, Tensor):
        names = ("tensor", "non_blocking")
    given = dict(zip(names, args, strict=False)) | kwargs
    tensor = given.get("tensor")
    device, dtype = given.get("device"), given.get("dtype")
    if tensor is not None:
        device, dtype = tensor.device, tensor.dtype
    unknown = given.keys() - set(_TO_KEYWORDS)
    if unknown or len(args) > len(names) or not isinstance(dtype, dtypes.dtype | None):
        types = ", ".join(
            [typename(value) for value in args]
            + [f"{name}={typename(value)}" for name, value in sorted(kwargs.items())]
        )
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({types}), but expected "
            "one of:\n * (torch.device device = None, torch.dtype dtype = None, bool non_blocking "
            "= False)\n * (torch.dtype dtype, bool non_blocking = False)\n * (Tensor tensor, bool "
            "non_blocking = False)\n"
        )
    if device is not None:
        device = Device(device)
    return device, dtype, bool(given.get("non_blocking", False))


def _convert_data(tensor: Tensor, fn: Callable[[Tensor], Tensor]) -> None:
    with no_grad():
        converted = fn(tensor)
    if converted is not tensor:
        tensor.data = converted


class Transfer:
    """Conversions in place: every parameter keeps its identity and gets new data."""

    training: bool

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the data of every parameter, gradient and buffer by ``fn`` of it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is not None:
                _convert_data(parameter, fn)
                if parameter.grad is not None:
                    _convert_data(parameter.grad, fn)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def apply(self, fn: Callable[[Any], None]) -> Self:
        """Call ``fn(module)`` for every module below and then for this one (for initialising).

        >>> _ = nn.Sequential(nn.ReLU()).apply(print)
        ReLU()
        Sequential(
          (0): ReLU()
        )
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move floating and complex tensors to a dtype, and all tensors to a device, in place.

        Accepts ``to(device, dtype, non_blocking)``, ``to(dtype)``, ``to(tensor)`` and
        ``memory_format=``.

        Raises:
            TypeError: for an integer dtype.

        >>> nn.Linear(2, 3).to(torch.float64).weight.dtype
        torch.float64
        """
        device, dtype, non_blocking = parse_to(*args, **kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )

        def convert(tensor: Tensor) -> Tensor:
            if tensor.is_meta and device is not None and device.type != "meta":
                raise NotImplementedError(
                    "Cannot copy out of meta tensor; no data! Please use "
                    "torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving "
                    "module from meta to a different device."
                )
            wanted = dtype if tensor.is_floating_point() or tensor.is_complex() else None
            return tensor.to(device or tensor.device, wanted or tensor.dtype, non_blocking)

        return self._apply(convert)

    def _to_floating(self, dtype: dtypes.dtype) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> Self:
        """Convert floating tensors to float32, in place."""
        return self._to_floating(dtypes.float32)

    def double(self) -> Self:
        """Convert floating tensors to float64, in place."""
        return self._to_floating(dtypes.float64)

    def half(self) -> Self:
        """Convert floating tensors to float16, in place."""
        return self._to_floating(dtypes.float16)

    def bfloat16(self) -> Self:
        """Convert floating tensors to bfloat16, in place."""
        return self._to_floating(dtypes.bfloat16)

    def type(self, dst_type: dtypes.dtype | str) -> Self:
        """Convert all tensors to ``dst_type`` (a dtype or a name like "torch.DoubleTensor")."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self) -> Self:
        """Move all tensors to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: int | Device | None = None) -> Self:
        """Move all tensors to a GPU; an error where there is none."""
        return self._apply(lambda t: t.cuda(device))

    def to_empty(self, *, device: str | Device | int | None, recurse: bool = True) -> Self:
        """Move all tensors to ``device`` without copying: the values are undefined."""
        return self._apply(lambda t: empty_like(t, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Put all tensors into memory that other processes can map."""
        return self._apply(lambda t: t.share_memory_())

    def train(self, mode: bool = True) -> Self:
        """Set training mode (dropout, batch norm) on this module and all below it."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode: the same as ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of all parameters: False freezes the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if parameter.grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                if parameter.grad.grad_fn is not None:
                    parameter.grad.detach_()
                else:
                    parameter.grad.requires_grad_(False)
                parameter.grad.zero_()
