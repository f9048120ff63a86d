"""flambeau: PyTorch's API in pure Python.

    import flambeau as torch

Everything public is re-exported here; each name's home says what it does.
"""

from ._engine.autograd.mode import (
    enable_grad,
    inference_mode,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from ._engine.autograd.tensor import Tensor
from ._engine.base.defaults import get_default_dtype
from ._engine.base.devices import device, get_default_device
from ._engine.base.dtypes import (
    bfloat16,
    complex64,
    complex128,
    dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from ._engine.base.dtypes import bool_ as bool  # noqa: A004
from ._engine.base.formats import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
)
from ._engine.base.limits import finfo, iinfo
from ._engine.base.promotion import can_cast, promote_types
from ._ops.choosing import *  # noqa: F403
from ._ops.counting import *  # noqa: F403
from ._ops.creation import *  # noqa: F403
from ._ops.differences import *  # noqa: F403
from ._ops.einsum import *  # noqa: F403
from ._ops.elementary import *  # noqa: F403
from ._ops.factories import *  # noqa: F403
from ._ops.gathering import *  # noqa: F403
from ._ops.joining import *  # noqa: F403
from ._ops.masks import *  # noqa: F403
from ._ops.pointwise import *  # noqa: F403
from ._ops.products import *  # noqa: F403
from ._ops.random import *  # noqa: F403
from ._ops.rearranging import *  # noqa: F403
from ._ops.reductions import *  # noqa: F403
from ._ops.rnn import *  # noqa: F403
from ._ops.scans import *  # noqa: F403
from ._ops.sampling import *  # noqa: F403
from ._ops.shaping import *  # noqa: F403
from ._ops.sorting import *  # noqa: F403
from ._ops.special import *  # noqa: F403
from ._ops.spectral import *  # noqa: F403
from ._ops.splitting import *  # noqa: F403
from ._ops.strided import *  # noqa: F403
from ._ops.vectors import *  # noqa: F403
from ._ops.windows import *  # noqa: F403
from ._ops.nn.top_level import *  # noqa: F403
from . import _tensor  # noqa: F401  isort: skip - attaches Tensor's methods
from . import autograd, fft, linalg, random, signal, special  # noqa: F401
from . import serialization, storage  # noqa: F401
from ._install import install_as_torch
from .amp import autocast
from .amp._state import *  # noqa: F403
from .serialization import load, save
from .storage import *  # noqa: F403
from ._tensor.functions import *  # noqa: F403
from ._tensor.interop import asarray, from_dlpack, frombuffer, to_dlpack
from ._tensor.printing import set_printoptions
from ._tensor.size import Size
from . import amp, backends, cpu, cuda, func, multiprocessing, nn, optim, utils  # noqa: F401
from .random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

half, float, double = float16, float32, float64  # noqa: A001
short, int, long = int16, int32, int64  # noqa: A001
cfloat, cdouble = complex64, complex128
