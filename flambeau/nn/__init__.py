"""Neural networks: layers, losses, functions, initialisation and tools."""

from __future__ import annotations

from flambeau.nn import functional, init, modules, parameter, utils
from flambeau.nn.modules import *
from flambeau.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)
