"""The Tensor's public face: each file attaches one family of methods to the engine's Tensor."""

from . import (
    construction,
    conversion,
    functions,
    history,
    indexing,
    interop,
    operators,
    pickling,
    printing,
    properties,
    sharing,
    structure,
)
