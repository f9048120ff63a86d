"""The eager tier: one NumPy rule a primitive; the files mirror `prims/`."""

from . import creation, elementwise, indexing, linalg, movement, random, reduction, views  # noqa: F401
from .table import RULES

__all__ = ["RULES"]
