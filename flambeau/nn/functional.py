"""torch.nn.functional: the functions that layers are made of.

>>> flambeau.nn.functional.relu(flambeau.tensor([-1.0, 2.0]))
tensor([0., 2.])
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from .._engine.base import state
from .._ops import dropout as _dropout
from .._ops.dropout import *  # noqa: F403
from .._ops.nn import (
    activations as _activations,
    adaptive_pooling as _adaptive_pooling,
    attention as _attention,
    classification as _classification,
    convolution as _convolution,
    ctc as _ctc,
    distance as _distance,
    embedding as _embedding,
    fold as _fold,
    interpolation as _interpolation,
    linear as _linear,
    linear_cross_entropy as _linear_cross_entropy,
    losses as _losses,
    normalization as _normalization,
    padding as _padding,
    pooling as _pooling,
    vision as _vision,
)
from .._ops.nn.activations import *  # noqa: F403
from .._ops.nn.adaptive_pooling import *  # noqa: F403
from .._ops.nn.attention import *  # noqa: F403
from .._ops.nn.classification import *  # noqa: F403
from .._ops.nn.convolution import *  # noqa: F403
from .._ops.nn.ctc import *  # noqa: F403
from .._ops.nn.distance import *  # noqa: F403
from .._ops.nn.embedding import *  # noqa: F403
from .._ops.nn.fold import *  # noqa: F403
from .._ops.nn.interpolation import *  # noqa: F403
from .._ops.nn.linear import *  # noqa: F403
from .._ops.nn.linear_cross_entropy import *  # noqa: F403
from .._ops.nn.losses import *  # noqa: F403
from .._ops.nn.normalization import *  # noqa: F403
from .._ops.nn.padding import *  # noqa: F403
from .._ops.nn.pooling import *  # noqa: F403
from .._ops.nn.vision import *  # noqa: F403

__all__: list[str] = []
__all__ += _activations.__all__
__all__ += _adaptive_pooling.__all__
__all__ += _attention.__all__
__all__ += _classification.__all__
__all__ += _convolution.__all__
__all__ += _ctc.__all__
__all__ += _distance.__all__
__all__ += _dropout.__all__
__all__ += _embedding.__all__
__all__ += _fold.__all__
__all__ += _interpolation.__all__
__all__ += _linear.__all__
__all__ += _linear_cross_entropy.__all__
__all__ += _losses.__all__
__all__ += _normalization.__all__
__all__ += _padding.__all__
__all__ += _pooling.__all__
__all__ += _vision.__all__


class _Functional(ModuleType):
    """The class of this module: it tells when a function is replaced, in tests or by libraries."""

    def __setattr__(self, name: str, value: Any) -> None:
        state.redefine()
        super().__setattr__(name, value)
        self._look()

    def __delattr__(self, name: str) -> None:
        state.redefine()
        super().__delattr__(name)
        self._look()

    def _look(self) -> None:
        found = vars(self)
        state.own_functions = all(found.get(name) is own for name, own in _OWN.items())
        state.module_changed()


_OWN = {name: globals()[name] for name in __all__}
sys.modules[__name__].__class__ = _Functional
