"""flambeau: PyTorch's API in pure Python.

    import flambeau as torch

Everything public is re-exported here; each name's home says what it does.
"""

from __future__ import annotations

import importlib
from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

from . import _tensor, autograd, random
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
    bool_ as bool,
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
from ._engine.trace.hub import start as _start_tracing
from ._ops.choosing import *
from ._ops.comparisons import *
from ._ops.counting import *
from ._ops.creation import *
from ._ops.differences import *
from ._ops.einsum import *
from ._ops.elementary import *
from ._ops.factories import *
from ._ops.gathering import *
from ._ops.index_along import *
from ._ops.joining import *
from ._ops.low_rank import *
from ._ops.masks import *
from ._ops.nn.top_level import *
from ._ops.pointwise import *
from ._ops.products import *
from ._ops.random import *
from ._ops.ranges import *
from ._ops.rearranging import *
from ._ops.reductions import *
from ._ops.reflections import *
from ._ops.rnn import *
from ._ops.sampling import *
from ._ops.scans import *
from ._ops.shaping import *
from ._ops.sorting import *
from ._ops.special import *
from ._ops.spectral import *
from ._ops.splitting import *
from ._ops.strided import *
from ._ops.vectors import *
from ._ops.windows import *
from ._tensor.functions import *
from ._tensor.interop import asarray, from_dlpack, frombuffer, to_dlpack
from ._tensor.printing import set_printoptions
from ._tensor.size import Size
from .random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from .version import __version__

newaxis = None
half, float, double = float16, float32, float64
short, int, long = int16, int32, int64
cfloat, cdouble = complex64, complex128

if TYPE_CHECKING:
    from . import (
        amp,
        backends,
        cpu,
        cuda,
        fft,
        func,
        linalg,
        masked,
        multiprocessing,
        nn,
        optim,
        serialization,
        signal,
        special,
        storage,
        testing,
        utils,
    )
    from ._explain import explain
    from ._install import install_as_torch
    from .amp import GradScaler, autocast
    from .cuda import OutOfMemoryError
    from .serialization import load, save

# Rooms that are imported when first asked for: `import flambeau` alone stays quick.
_ROOMS = frozenset(
    "amp backends cpu cuda fft func jit linalg masked multiprocessing nn optim return_types "
    "serialization signal special storage testing torch_version types utils version".split()
)
# Names of the top level that live in such rooms.
_LODGERS = {
    "GradScaler": "amp",
    "OutOfMemoryError": "cuda",
    "autocast": "amp",
    "explain": "_explain",
    "install_as_torch": "_install",
    "load": "serialization",
    "save": "serialization",
    **dict.fromkeys(
        "are_deterministic_algorithms_enabled compile compiled_with_cxx11_abi "
        "get_deterministic_debug_mode get_float32_matmul_precision get_num_interop_threads "
        "get_num_threads is_anomaly_check_nan_enabled "
        "is_deterministic_algorithms_warn_only_enabled is_warn_always_enabled "
        "set_anomaly_enabled set_default_device set_default_dtype set_default_tensor_type "
        "set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal "
        "set_num_interop_threads set_num_threads set_warn_always "
        "use_deterministic_algorithms".split(),
        "_settings",
    ),
    **dict.fromkeys(
        "is_storage typename BoolTensor ByteTensor CharTensor ShortTensor IntTensor LongTensor "
        "HalfTensor BFloat16Tensor FloatTensor DoubleTensor".split(),
        "_tensor_types",
    ),
    **dict.fromkeys(
        "autocast_decrement_nesting autocast_increment_nesting clear_autocast_cache "
        "get_autocast_cpu_dtype get_autocast_dtype get_autocast_gpu_dtype "
        "is_autocast_available is_autocast_cache_enabled is_autocast_cpu_enabled "
        "is_autocast_enabled set_autocast_cache_enabled set_autocast_cpu_dtype "
        "set_autocast_cpu_enabled set_autocast_dtype set_autocast_enabled "
        "set_autocast_gpu_dtype".split(),
        "amp._state",
    ),
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    home = _LODGERS.get(name) or ("storage" if name.endswith("Storage") else None)
    if home is None:
        raise AttributeError(f"module 'flambeau' has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_LODGERS})


_start_tracing()
