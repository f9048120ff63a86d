"""Run a script or a module as `python` would, with flambeau in PyTorch's place."""

from __future__ import annotations

import builtins
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType

from ._install import install_as_torch


def run_script(path: str, arguments: Sequence[str]) -> int:
    """`python path arguments`: an exit status; the script's own errors and exits pass through."""
    location = os.path.join(os.getcwd(), path)
    try:
        with open(location, "rb") as stream:
            source = stream.read()
    except OSError as error:
        text = f"[Errno {error.errno}] {error.strerror}"
        print(f"flambeau: can't open file {location!r}: {text}", file=sys.stderr)
        return 2
    main = _fresh_main()
    main.__file__ = location
    main.__dict__["__cached__"] = None
    main.__loader__ = SourceFileLoader("__main__", location)
    _prepare([path, *arguments], os.path.dirname(os.path.realpath(location)))
    _as_python(lambda: exec(compile(source, location, "exec", dont_inherit=True), vars(main)))
    return 0


def run_module(name: str, arguments: Sequence[str]) -> int:
    """`python -m name arguments`."""
    _fresh_main()
    _prepare(["-m", *arguments], os.getcwd())
    _as_python(lambda: runpy._run_module_as_main(name))  # type: ignore[attr-defined]
    return 0


def _fresh_main() -> ModuleType:
    """A new `__main__`, so that what the script defines there can be found, pickled and spawned."""
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __annotations__={})
    vars(sys)["_flambeau_launcher"] = sys.modules["__main__"]  # keeps our own frames' module alive
    sys.modules["__main__"] = main
    if "__mp_main__" in sys.modules:  # multiprocessing's second name for it, set at its import
        sys.modules["__mp_main__"] = main
    return main


def _prepare(arguments: list[str], folder: str) -> None:
    sys.argv[:] = arguments
    if not sys.flags.safe_path:
        sys.path[0] = folder
    install_as_torch()


def _as_python(start: Callable[[], object]) -> None:
    """Run user code; an error that leaves it is reported without our own frames."""
    try:
        start()
    except BaseException:
        report = sys.excepthook

        def report_trimmed(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            trimmed = _without_our_frames(trace)
            report(kind, error.with_traceback(trimmed), trimmed)

        sys.excepthook = report_trimmed
        raise


def _without_our_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback below the last frame of this file."""
    below, entry = trace, trace
    while entry is not None:
        if entry.tb_frame.f_globals is globals():
            below = entry.tb_next
        entry = entry.tb_next
    return below
