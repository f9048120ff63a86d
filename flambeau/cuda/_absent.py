"""A stand-in for what needs a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn


def no_gpu(what: str) -> RuntimeError:
    """The error of everything that needs a GPU."""
    return RuntimeError(
        f"torch.cuda.{what}: Found no NVIDIA driver on your system. flambeau runs on the CPU "
        "here: check torch.cuda.is_available() first."
    )


def absent(name: str) -> Callable[..., Any]:
    """A function of that name that raises RuntimeError."""

    def function(*args: Any, **kwargs: Any) -> NoReturn:
        raise no_gpu(name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "Needs a GPU: raises RuntimeError."
    return function


class AbsentClass:
    """A class whose instances need a GPU."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise no_gpu(type(self).__name__)
