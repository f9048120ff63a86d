"""What PyTorch has at its top level of nn.functional, for flambeau's own `__init__`."""

from __future__ import annotations

from . import native as _native
from .activations import celu, celu_, hardshrink, prelu, relu_, selu, selu_, threshold, threshold_
from .adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_max_pool1d_with_indices as adaptive_max_pool1d,
)
from .convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_tbc,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from .distance import cosine_similarity, pairwise_distance, pdist
from .linear import bilinear
from .native import *  # noqa: F403
from .normalization import rms_norm
from .padding import constant_pad_nd
from .pooling import avg_pool1d, max_pool1d, max_pool1d_with_indices, max_pool2d, max_pool3d
from .vision import channel_shuffle, native_channel_shuffle, pixel_shuffle, pixel_unshuffle

__all__ = [
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "bilinear", "celu",
    "celu_", "constant_pad_nd", "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "cosine_similarity", "hardshrink", "max_pool1d",
    "max_pool1d_with_indices", "max_pool2d", "max_pool3d", "native_channel_shuffle",
    "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "prelu", "relu_", "rms_norm",
    "selu", "selu_", "threshold", "threshold_",
]  # fmt: skip
__all__ += _native.__all__
