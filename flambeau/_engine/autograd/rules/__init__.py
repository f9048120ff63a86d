"""Gradient rules, one file a family of primitives; importing this fills the table."""

from . import creation, elementwise, indexing, linalg, movement, random, reduction, views  # noqa: F401
