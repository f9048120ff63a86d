"""NumPy rules for matrix products and decompositions."""

from __future__ import annotations

import numpy as np

from .precision import in_float32
from .table import rules

rules(matmul=in_float32(np.matmul))
