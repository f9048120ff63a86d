"""Gradient rules, one file a family of primitives; importing this fills the table."""

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
