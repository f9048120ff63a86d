"""`install_as_torch`: every `import torch` in this process gives flambeau."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_OURS = __name__.partition(".")[0]
_PYTORCH = "torch"
_STAND_IN = os.path.join(os.path.dirname(__file__), "_stand_in")


def install_as_torch() -> None:
    """From here on, `import torch`, `import torch.x.y` and `from torch.x import y` give flambeau's
    own modules: the same objects, `torch.nn is flambeau.nn`.

    Processes spawned from this one do the same. Calling it again changes nothing.

    Raises:
        RuntimeError: PyTorch itself is imported already.

    >>> flambeau.install_as_torch()
    >>> import torch.nn
    >>> torch.nn is flambeau.nn
    True
    """
    present = sys.modules.get(_PYTORCH)
    if present is not None and present is not sys.modules[_OURS]:
        raise RuntimeError(
            "install_as_torch: PyTorch is already imported in this process, from "
            f"{getattr(present, '__file__', None)}. Call install_as_torch() before the first "
            "`import torch`, or start the script with `flambeau run script.py`."
        )
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    if _STAND_IN not in sys.path:
        # spawned processes inherit sys.path, not the finder; entry 0 stays the script's own folder
        sys.path.insert(1, _STAND_IN)


class _Finder(MetaPathFinder):
    """Finds `torch.x.y` as the module `flambeau.x.y`."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] != _PYTORCH:
            return None
        ours = _OURS + fullname[len(_PYTORCH) :]
        if ours not in sys.modules and importlib.util.find_spec(ours) is None:
            raise ModuleNotFoundError(
                f"No module named '{fullname}': flambeau stands in for torch in this process, and "
                f"it has no '{ours}'",
                name=fullname,
            )
        return ModuleSpec(fullname, _Alias(ours))

    def find_distributions(self, context: Any) -> Iterator[Any]:
        """Let `importlib.metadata.version("torch")` answer, as packages above PyTorch ask it."""
        if context.name in (None, _PYTORCH):
            from ._distribution import StandIn

            yield StandIn()


class _Alias(Loader):
    """Loads a module by handing out another one, untouched."""

    def __init__(self, name: str):
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # the import system has just written the alias's spec into the module
        module.__spec__ = self._spec
