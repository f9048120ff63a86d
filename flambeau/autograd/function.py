"""`torch.autograd.function`'s names."""

from .._engine.autograd.function import Function, FunctionContext, once_differentiable

FunctionCtx = FunctionContext

__all__ = ["Function", "FunctionContext", "FunctionCtx", "once_differentiable"]
