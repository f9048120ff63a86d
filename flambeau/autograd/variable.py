"""`Variable`, the Tensor's name of long ago."""

from .._engine.autograd.tensor import Tensor as Variable

__all__ = ["Variable"]
