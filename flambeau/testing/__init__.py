"""Helpers for tests: comparison with tolerances, and random tensors."""

from ._comparison import assert_close
from ._creation import make_tensor

__all__ = ["assert_close", "make_tensor"]
