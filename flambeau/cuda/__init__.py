"""`torch.cuda` on a machine without a GPU.

Questions are answered ("no", 0, nothing), requests that cost nothing are accepted, and what needs
a GPU raises RuntimeError.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau.cuda import amp, nvtx
from flambeau.cuda._absent import AbsentClass, absent, no_gpu

default_generators: tuple = ()
has_half = True
has_magma = False


class OutOfMemoryError(RuntimeError):
    """A device has no memory left."""


def is_available() -> bool:
    """False: flambeau has no CUDA backend."""
    return False


def is_initialized() -> bool:
    """False: there is nothing to initialise."""
    return False


def device_count() -> int:
    """0."""
    return 0


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False."""
    return False


def is_tf32_supported() -> bool:
    """False."""
    return False


def get_arch_list() -> list[str]:
    """No architectures."""
    return []


def get_gencode_flags() -> str:
    """No flags."""
    return ""


def get_rng_state_all() -> list[Tensor]:
    """No devices, no states."""
    return []


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Nothing, for no devices.

    Raises:
        RuntimeError: there are states, hence devices, to set.
    """
    if list(new_states):
        raise no_gpu("set_rng_state_all")


def memory_allocated(device: Any = None) -> int:
    """0 bytes."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated
memory_cached = max_memory_cached = memory_allocated


def memory_stats(device: Any = None) -> OrderedDict[str, Any]:
    """No statistics."""
    return OrderedDict()


def empty_cache() -> None:
    """Nothing: there is no cache."""


def manual_seed(seed: int) -> None:
    """Nothing: there is no device to seed. `torch.manual_seed` seeds the CPU."""


manual_seed_all = manual_seed


def seed() -> None:
    """Nothing: there is no device to seed."""


seed_all = reset_peak_memory_stats = reset_accumulated_memory_stats = seed


def stream(stream: Any = None) -> AbstractContextManager:
    """A region on a stream; None, the only stream there can be, changes nothing."""
    if stream is not None:
        raise no_gpu("stream")
    return nullcontext()


def device_of(obj: Any) -> AbstractContextManager:
    """A region on an object's device; on the CPU it changes nothing."""
    return nullcontext()


class device(AbsentClass):
    """A region on a GPU."""


class Stream(AbsentClass):
    """A queue of a GPU's work."""


class Event(AbsentClass):
    """A mark in a stream."""


class CUDAGraph(AbsentClass):
    """A recorded graph of a GPU's work."""


can_device_access_peer = absent("can_device_access_peer")
cudart = absent("cudart")
current_blas_handle = absent("current_blas_handle")
current_device = absent("current_device")
current_stream = absent("current_stream")
default_stream = absent("default_stream")
get_device_capability = absent("get_device_capability")
get_device_name = absent("get_device_name")
get_device_properties = absent("get_device_properties")
get_rng_state = absent("get_rng_state")
get_sync_debug_mode = absent("get_sync_debug_mode")
graph = absent("graph")
graph_pool_handle = absent("graph_pool_handle")
init = absent("init")
initial_seed = absent("initial_seed")
ipc_collect = absent("ipc_collect")
is_current_stream_capturing = absent("is_current_stream_capturing")
list_gpu_processes = absent("list_gpu_processes")
make_graphed_callables = absent("make_graphed_callables")
mem_get_info = absent("mem_get_info")
memory_snapshot = absent("memory_snapshot")
memory_summary = absent("memory_summary")
memory_usage = absent("memory_usage")
power_draw = absent("power_draw")
set_device = absent("set_device")
set_per_process_memory_fraction = absent("set_per_process_memory_fraction")
set_rng_state = absent("set_rng_state")
set_stream = absent("set_stream")
set_sync_debug_mode = absent("set_sync_debug_mode")
synchronize = absent("synchronize")
temperature = absent("temperature")
utilization = absent("utilization")
