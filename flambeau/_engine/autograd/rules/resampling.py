"""The gradient of resampling: resampling with the taps transposed."""

from __future__ import annotations

from ..table import gradient
from .shared import P

gradient("resample", lambda g, taps, dim: P.resample(g, taps=taps.transposed, dim=dim))
