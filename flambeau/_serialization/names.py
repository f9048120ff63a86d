"""PyTorch's names for flambeau's objects, and back: what a pickle calls them.

A checkpoint must read the same in PyTorch, so a class that lives in `flambeau.nn.modules.linear`
is written as `torch.nn.modules.linear.Linear`, and an object of the engine under the public name it
has in PyTorch (`torch.Size`, `torch.device`).
"""

from __future__ import annotations

import importlib
import pickle
from typing import Any

_OURS = __name__.partition(".")[0]
_PYTORCH = "torch"
_FACES_OF_OPS = ("torch.nn.functional", "torch.linalg", "torch.fft", "torch.special")
"""Where PyTorch shows functions that flambeau keeps in private rooms."""
_OTHER_FILES = {
    "torch.nn.modules.attention": "torch.nn.modules.activation",
    "torch.nn.modules.linear_cross_entropy": "torch.nn.modules",
}
"""Public files of flambeau's that PyTorch has not, and where it has what they hold."""
_ELSEWHERE = {"_rebuild_from_type_v2": "torch._tensor"}
"""Functions of `flambeau._utils` that PyTorch keeps in another module."""


def is_ours(module: str) -> bool:
    """Whether a module is part of flambeau."""
    return module == _OURS or module.startswith(_OURS + ".")


def is_pytorch(module: str) -> bool:
    """Whether a module is named as a part of PyTorch."""
    return module == _PYTORCH or module.startswith(_PYTORCH + ".")


def pytorch_name(value: Any, name: str) -> tuple[str, str] | None:
    """The module and the name under which PyTorch has what flambeau calls `name`.

    None for what PyTorch has not: the user's own things, and the classes of flambeau's demo.
    """
    home = getattr(value, "__module__", None) or ""
    if not is_ours(home):
        return None
    if name in _ELSEWHERE:
        return _ELSEWHERE[name], name
    public = [_PYTORCH]
    for part in home.split(".")[1:]:
        if part.startswith("_") and part != "_utils":
            break  # our own private file; its package shows what it holds
        public.append(part)
    for module in dict.fromkeys((".".join(public), _PYTORCH, *_FACES_OF_OPS)):
        try:
            if _exactly(module, name) is value:
                return _OTHER_FILES.get(module, module), name
        except (ModuleNotFoundError, AttributeError):
            continue
    return None


def find(module: str, name: str) -> Any:
    """What PyTorch's `module.name` is in flambeau.

    PyTorch and flambeau may keep a class in different files of one package, so the packages above
    the module are searched too.

    Raises:
        pickle.UnpicklingError: flambeau has no such object.
    """
    place = _PYTORCH + "._utils" if name in _ELSEWHERE else module
    while place:
        try:
            return _exactly(place, name)
        except (ModuleNotFoundError, AttributeError):
            place = place.rpartition(".")[0]
    raise pickle.UnpicklingError(f"the file needs {module}.{name}, which flambeau does not have")


def _exactly(module: str, name: str) -> Any:
    value = importlib.import_module(_OURS + module[len(_PYTORCH) :])
    for part in name.split("."):
        value = getattr(value, part)
    return value
