"""The eager tier: one NumPy rule a primitive; the files mirror `prims/`."""

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
from .table import RULES

__all__ = ["RULES"]
