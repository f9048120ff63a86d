"""Process-wide settings of PyTorch's top level.

Where a setting has nothing to act on here (threads between ops, TF32, denormals), it is remembered
and read back, so that programs which set it run; each docstring says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ._engine.autograd.mode import mode, set_detect_anomaly
from ._engine.base import defaults, devices, dtypes
from ._engine.runtime import threads

__all__ = [
    "are_deterministic_algorithms_enabled", "compile", "compiled_with_cxx11_abi",
    "get_deterministic_debug_mode", "get_float32_matmul_precision", "get_num_interop_threads",
    "get_num_threads", "is_anomaly_check_nan_enabled",
    "is_deterministic_algorithms_warn_only_enabled", "is_warn_always_enabled",
    "set_anomaly_enabled", "set_default_device", "set_default_dtype", "set_default_tensor_type",
    "set_deterministic_debug_mode", "set_float32_matmul_precision", "set_flush_denormal",
    "set_num_interop_threads", "set_num_threads", "set_warn_always",
    "use_deterministic_algorithms",
]  # fmt: skip


class _State:
    """What was last set."""

    interop_threads: int | None = None
    matmul_precision = "highest"
    deterministic = False
    warn_only = False
    warn_always = False


def set_default_dtype(d: dtypes.dtype, /) -> None:
    """Set the floating dtype that new tensors of Python floats get.

    Raises:
        TypeError: `d` is not a floating dtype.
    """
    defaults.set_default_dtype(d)


def set_default_device(device: Any) -> None:
    """Set the device that factory functions use; None goes back to the CPU."""
    devices.set_default_device(device)


def set_default_tensor_type(t: Any, /) -> None:
    """Set the default dtype by the name of an old tensor type, "torch.DoubleTensor".

    Raises:
        TypeError: it is no floating type of the CPU.
    """
    name = t if isinstance(t, str) else getattr(t, "__name__", "")
    word = name.removeprefix("torch.").removesuffix("Tensor")
    found = next((d for d in dtypes.ALL if d.word == word and d.is_floating_point), None)
    if found is None:
        raise TypeError(f"only floating-point types are supported as the default type, got {t}")
    defaults.set_default_dtype(found)


def get_num_threads() -> int:
    """The number of threads last set; at first, what the environment says (FLAMBEAU_NUM_THREADS,
    OMP_NUM_THREADS), else the processors this process may use."""
    return threads.get_num_threads()


def set_num_threads(number: int, /) -> None:
    """Set the number of threads of compiled programs, and of NumPy's matrix products where
    threadpoolctl can tell its BLAS.

    Raises:
        TypeError: not an integer.
        RuntimeError: not positive.
    """
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"set_num_threads expects an int, but got {type(number).__name__}")
    if number < 1:
        raise RuntimeError("set_num_threads expects a positive integer")
    threads.set_num_threads(number)
    try:
        import threadpoolctl  # type: ignore[import-not-found]
    except ImportError:
        return
    threadpoolctl.threadpool_limits(number)


def get_num_interop_threads() -> int:
    """The number last set; flambeau runs one op after the other."""
    return _State.interop_threads or get_num_threads()


def set_num_interop_threads(threads: int, /) -> None:
    """Remembered only: flambeau runs one op after the other."""
    if threads < 1:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    _State.interop_threads = threads


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembered only: all of flambeau's algorithms are deterministic."""
    _State.deterministic, _State.warn_only = bool(mode), bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` was told."""
    return _State.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was told only to warn."""
    return _State.deterministic and _State.warn_only


_DEBUG_MODES = ("default", "warn", "error")


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a number or name: 0 default, 1 warn, 2 error.

    Raises:
        RuntimeError: another mode.
    """
    if isinstance(debug_mode, str) and debug_mode in _DEBUG_MODES:
        debug_mode = _DEBUG_MODES.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, 2 or one of {_DEBUG_MODES}, but got "
            f"{debug_mode}"
        )
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)  # type: ignore[operator]


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2: see `set_deterministic_debug_mode`."""
    if not _State.deterministic:
        return 0
    return 1 if _State.warn_only else 2


def set_float32_matmul_precision(precision: str) -> None:
    """Remembered only: float32 products are always computed in float32.

    Raises:
        RuntimeError: not "highest", "high" or "medium".
    """
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"Invalid float32 matmul precision: {precision}")
    _State.matmul_precision = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was told."""
    return _State.matmul_precision


def set_flush_denormal(mode: bool, /) -> bool:
    """False: flambeau cannot change how the processor treats denormal numbers."""
    return False


def set_warn_always(b: bool, /) -> None:
    """Whether a warning is shown each time, not once a place."""
    _State.warn_always = bool(b)
    warnings.simplefilter("always" if b else "default", UserWarning)


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was told."""
    return _State.warn_always


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch anomaly detection of backward passes on or off."""
    set_detect_anomaly(mode, check_nan)


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for NaN."""
    return mode.anomaly_check_nan


def compiled_with_cxx11_abi() -> bool:
    """True, as PyTorch's own builds say; there is no C++ here."""
    return True


def compile(model: Any = None, **options: Any) -> Any:
    """The model or function itself: flambeau compiles what repeats without being asked.

    Used as a decorator with options, `@torch.compile(mode="max-autotune")`, it gives a decorator.
    """
    if model is None:

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            return compile(function, **options)

        return decorate
    if not callable(model):
        raise TypeError(f"torch.compile expects a module or a function, got {type(model).__name__}")
    return model
