"""The command `flambeau`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_USAGE = """\
usage: flambeau run script.py [arguments]
       flambeau run -m module [arguments]
       flambeau --version

Run a PyTorch program on flambeau: every `import torch` in it gives flambeau's modules. All else is
as with `python script.py` and `python -m module`.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status; what the program raises passes through."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--version"]:
        from . import __version__

        print(f"flambeau {__version__}")
        return 0
    if words[:1] in (["--help"], ["-h"]) or words[:2] in (["run", "--help"], ["run", "-h"]):
        print(_USAGE, end="")
        return 0
    # no argparse: everything behind the script's name belongs to the script
    match words:
        case ["run", "-m", module, *arguments]:
            from ._run import run_module

            return run_module(module, arguments)
        case ["run", script, *arguments] if not script.startswith("-"):
            from ._run import run_script

            return run_script(script, arguments)
    print(_USAGE, end="", file=sys.stderr)
    return 2
