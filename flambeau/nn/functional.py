"""torch.nn.functional: the functions that layers are made of.

>>> F.relu(flambeau.tensor([-1.0, 2.0]))
tensor([0., 2.])
"""

from __future__ import annotations

from .._ops.dropout import *  # noqa: F403
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
