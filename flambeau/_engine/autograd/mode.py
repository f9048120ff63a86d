"""Grad mode and inference mode: whether operations are put on the tape (per thread)."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..base import state

F = TypeVar("F", bound=Callable[..., Any])


class _Mode(threading.local):
    # None, or one object for what ops must know beside `grad`: anomaly and inference mode, and
    # `casting`, which is autocast's token
    special: Any = None
    casting: Any = None
    grad = True
    inference = False
    anomaly = False
    anomaly_check_nan = True


mode = _Mode()
ANOMALY = object()
# how many inference_mode regions are open in all threads: while 0, ops need not ask `mode`
watched_regions = 0
_counting = threading.Lock()
# whether any thread has asked for anomaly detection since the start
anomaly_regions = False


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require grad are recorded in this thread."""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` is on in this thread."""
    return mode.inference


class _ModeSwitch:
    """A context manager that is also a decorator for functions and generators."""

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *exc: object) -> None:
        raise NotImplementedError

    def clone(self) -> Any:
        """A fresh switch of the same setting, one for each use as a decorator."""
        return type(self)()

    def __call__(self, function: F) -> F:
        if inspect.isclass(function):
            raise TypeError(f"{type(self).__name__} decorates functions, not classes")
        if inspect.isgeneratorfunction(function):
            return _decorate_generator(self.clone, function)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]


def _decorate_generator(switch: Callable[[], Any], function: Any) -> Any:
    """The mode holds while the generator's body runs, and not while it is suspended."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        send, value = generator.send, None
        try:
            while True:
                try:
                    with switch():
                        item = send(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    send, value = generator.send, (yield item)
                except GeneratorExit:
                    with switch():
                        generator.close()
                    raise
                except BaseException as error:
                    send, value = generator.throw, error
        finally:
            generator.close()

    return wrapper


class no_grad(_ModeSwitch):
    """Do not record operations inside: their results never require grad.

    >>> x = flambeau.ones(2, requires_grad=True)
    >>> with no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def __new__(cls, function: Any = None) -> Any:
        self = super().__new__(cls)
        return self if function is None else self(function)

    def __enter__(self) -> None:
        self.before = mode.grad
        mode.grad = False

    def __exit__(self, *exc: object) -> None:
        mode.grad = self.before


class enable_grad(no_grad):
    """Record operations inside, also within a surrounding `no_grad`."""

    def __enter__(self) -> None:
        self.before = mode.grad
        mode.grad = True


class set_grad_enabled(_ModeSwitch):
    """Set grad mode at once; as a context manager, restore it at the end."""

    def __init__(self, mode: bool) -> None:
        self.wanted = bool(mode)
        self.before = is_grad_enabled()
        _set_grad(self.wanted)

    def clone(self) -> set_grad_enabled:
        return type(self)(self.wanted)

    def __call__(self, function: F) -> F:
        _set_grad(self.before)  # as a decorator it holds only inside the function
        return super().__call__(function)

    def __enter__(self) -> None:
        _set_grad(self.wanted)

    def __exit__(self, *exc: object) -> None:
        _set_grad(self.before)


def _set_grad(wanted: bool) -> None:
    mode.grad = wanted


class inference_mode(_ModeSwitch):
    """Like `no_grad`, and results are marked as never to enter autograd."""

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        if callable(mode):
            self.wanted = True
            return self(mode)
        return self

    def __init__(self, mode: bool = True) -> None:
        self.wanted = bool(mode)

    def clone(self) -> inference_mode:
        return type(self)(self.wanted)

    def __enter__(self) -> None:
        _count_region(1)
        self.before = (mode.grad, mode.inference)
        mode.inference = self.wanted
        mode.grad = not self.wanted and mode.grad
        set_casting(mode.casting)

    def __exit__(self, *exc: object) -> None:
        _count_region(-1)
        mode.grad, mode.inference = self.before
        set_casting(mode.casting)


def _count_region(change: int) -> None:
    global watched_regions
    with _counting:  # two threads may open regions at once
        watched_regions += change


class set_detect_anomaly(_ModeSwitch):
    """Remember where each node was made and check every gradient for NaN."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.wanted = (bool(mode), bool(check_nan))
        self.before = _anomaly()
        _set_anomaly(*self.wanted)

    def clone(self) -> set_detect_anomaly:
        return type(self)(*self.wanted)

    def __enter__(self) -> None:
        _set_anomaly(*self.wanted)

    def __exit__(self, *exc: object) -> None:
        _set_anomaly(*self.before)


class detect_anomaly(set_detect_anomaly):
    """Context manager that turns anomaly detection on."""

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True, check_nan)

    def clone(self) -> detect_anomaly:
        return type(self)(self.wanted[1])


def _anomaly() -> tuple[bool, bool]:
    return mode.anomaly, mode.anomaly_check_nan


def _set_anomaly(on: bool, check_nan: bool) -> None:
    global anomaly_regions
    anomaly_regions = anomaly_regions or on
    if on != mode.anomaly:
        state.settle()
    mode.anomaly, mode.anomaly_check_nan = on, check_nan
    set_casting(mode.casting)


def set_casting(token: Any) -> None:
    """Autocast says what it does in this thread from now on; None for nothing."""
    mode.casting = token
    if mode.anomaly:
        mode.special = ANOMALY
    else:
        mode.special = _in_inference(token) if mode.inference else token


@functools.cache
def _in_inference(casting: Any) -> Any:
    return object()


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on in this thread."""
    return mode.anomaly
