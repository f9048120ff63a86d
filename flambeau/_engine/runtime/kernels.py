"""Kernels as code: compiled once a process, and kept on disk."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any
from weakref import WeakValueDictionary

import llvmlite
import llvmlite.binding as binding
import llvmlite.ir as ir

from ..base import config
from ..llvm.host import Host, detect
from ..loops.kernel import Chain, Gemm, Kernel, Loop, Special
from . import executor
from .cache import ObjectCache, digest
from .costs import COSTS
from .native import LOCK, Code, compile_text, triple

# The modules that write kernels' code: `emit`, `tasks`, `work`, and where a kernel needs memory
# of each thread's own, `scratch_bytes`. They are imported when something has to be compiled.
_EMITTERS = {Loop: "loop", Gemm: "gemm", Special: "special", Chain: "chain"}
_NAME = "kernel"
_FACTS = struct.Struct("<qqq")
_ENGINE = Path(__file__).parents[1]
# what a kernel's code depends on, beside the kernel: all that is below these
_RUNTIME = ("native", "kernels", "executor", "workers", "writer", "layout", "tables", "guard_code",
            "guard_parts")  # fmt: skip
_SOURCES = (
    "llvm", "loops/kernel.py", "loops/special.py", *(f"runtime/{name}.py" for name in _RUNTIME),
)  # fmt: skip


class Native:
    """A kernel's code.

    Attributes:
        address: of the function described in `loops.kernel`.
        tasks: how many pieces of work [begin, end) divides.
        work: about how many nanoseconds all of them take one core.
        scratch: bytes of memory that each thread needs for itself.
    """

    __slots__ = ("__weakref__", "_code", "address", "scratch", "tasks", "work")

    def __init__(self, image: bytes, tasks: int, work: int, scratch: int):
        self._code = Code(image, (_NAME,))
        self.address = self._code[_NAME]
        self.tasks = tasks
        self.work = work
        self.scratch = scratch


_loaded: WeakValueDictionary[str, Native] = WeakValueDictionary()


def load(kernels: Iterable[Kernel]) -> list[Native]:
    """Code for each kernel; equal kernels share it.

    Raises:
        NotImplementedError: an emitter does not know a kernel's instructions.
        TypeError: a kernel holds something that does not hash.
    """
    host = detect()
    natives = []
    with LOCK:
        for kernel in kernels:
            COSTS.kernels += 1
            # by text: numbers that compare equal are not always the same (0.0 and -0.0);
            # but what does not hash, as arrays do not, may not be told apart by its text
            hash(kernel)
            text = repr(kernel)
            native = _loaded.get(text)
            if native is None:
                native = _loaded[text] = _load(kernel, text, host)
            natives.append(native)
    return natives


def _load(kernel: Kernel, text: str, host: Host) -> Native:
    store = objects()
    key = digest(text.encode())
    kept = store.read(key)
    if kept is None:
        kept = _compiled(kernel, host)
        store.write(key, kept)
    else:
        COSTS.read += 1
    return Native(kept[_FACTS.size :], *_FACTS.unpack_from(kept))


def _compiled(kernel: Kernel, host: Host) -> bytes:
    start = perf_counter()
    emitter = emitter_of(kernel)
    text = text_of(kernel, host)
    scratch = getattr(emitter, "scratch_bytes", None)
    facts = (
        emitter.tasks(kernel, host),
        emitter.work(kernel),
        scratch(kernel, host) if scratch else 0,
    )
    emitted = perf_counter()
    image = compile_text(text, host)
    COSTS.compiled += 1
    COSTS.emitting += emitted - start
    COSTS.llvm += perf_counter() - emitted
    return _FACTS.pack(*facts) + image


def text_of(kernel: Kernel, host: Host) -> str:
    """A kernel as LLVM IR, as it is before LLVM's passes."""
    module = new_module()
    emitter_of(kernel).emit(module, kernel, _NAME, host)
    return str(module)


def emitter_of(kernel: Kernel) -> Any:
    """The module that writes a kernel's code."""
    return import_module(f"..llvm.{_EMITTERS[type(kernel)]}", __package__)


@cache
def executor_code() -> Code:
    """The native functions that all programs share."""
    return shared_code("executor", executor.build, executor.NAMES)


def shared_code(name: str, build: Callable[[ir.Module], None], functions: tuple[str, ...]) -> Code:
    """Code that is no kernel's, from the cache on disk or made now.

    Args:
        name: what it is, in the cache.
        build: writes its functions into a module.
        functions: their names.
    """
    with LOCK:
        store = objects()
        key = digest(name.encode())
        image = store.read(key)
        if image is None:
            start = perf_counter()
            module = new_module()
            build(module)
            text = str(module)
            written = perf_counter()
            image = compile_text(text, detect())
            COSTS.emitting += written - start
            COSTS.llvm += perf_counter() - written
            store.write(key, image)
        return Code(image, functions)


def new_module() -> ir.Module:
    """An empty module for this machine."""
    module = ir.Module("flambeau")
    module.triple = triple()
    return module


@cache
def objects() -> ObjectCache:
    """The process's cache on disk."""
    return ObjectCache(config.CACHE, stamp())


def stamp() -> str:
    """What compiled code depends on beside its key: this package's code generator, LLVM, host."""
    llvm = ".".join(map(str, binding.llvm_version_info))
    parts = [llvmlite.__version__, llvm, triple(), repr(detect())]
    contents = []
    for source in _SOURCES:
        path = _ENGINE / source
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        contents += [file.read_bytes() for file in files]
    return digest(*map(str.encode, parts), *contents)
