"""The instruction set: one row a primitive, one file a family. No arithmetic here."""

from . import (
    convolution,
    creation,
    elementwise,
    fourier,
    indexing,
    layers,
    linalg,
    movement,
    pooling,
    random,
    recurrent,
    reduction,
    resampling,
    special,
    views,
)
from .primitive import PRIMITIVES, Primitive

__all__ = ["PRIMITIVES", "Primitive"]
