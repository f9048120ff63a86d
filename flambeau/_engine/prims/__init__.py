"""The instruction set: one row a primitive, one file a family. No arithmetic here."""

from . import creation, elementwise, indexing, linalg, movement, random, reduction, views  # noqa: F401
from .primitive import PRIMITIVES, Primitive

__all__ = ["PRIMITIVES", "Primitive"]
