"""Files of one idea: at most about 500 lines, functions 60, lines 100."""

from __future__ import annotations

import re

from .source import ROOT, files, functions

FOLDERS = ("flambeau", "tests", "benchmarks", "examples")
FILE, FUNCTION, LINE = 500, 60, 100
PRAGMA = re.compile(r"\s*# (type: ignore|noqa|fmt: skip).*$")  # no part of what is read

# What may be longer, and why. "file.py" for a file, "file.py::name" for a function.
LONGER: dict[str, str] = {
    "flambeau/utils/data/dataloader.py::__init__": "PyTorch's 18 arguments, each checked",
}


def _name(path) -> str:
    return str(path.relative_to(ROOT))


def test_files_are_short():
    lengths = {_name(path): len(path.read_text().splitlines()) for path in files(*FOLDERS)}
    too_long = {n: count for n, count in lengths.items() if count > FILE and n not in LONGER}
    assert not too_long


def test_functions_are_short():
    too_long = [
        f"{_name(path)}:{line}: {name} has {length} lines"
        for path in files(*FOLDERS)
        for name, line, length in functions(path)
        if length > FUNCTION and f"{_name(path)}::{name}" not in LONGER
    ]
    assert not too_long, "\n".join(too_long)


def test_lines_are_short():
    too_long = [
        f"{_name(path)}:{number}"
        for path in files(*FOLDERS)
        for number, text in enumerate(path.read_text().splitlines(), 1)
        if len(PRAGMA.sub("", text)) > LINE
    ]
    assert not too_long, "\n".join(too_long)


def test_the_exceptions_are_still_needed():
    for name in LONGER:
        path, _, function = name.partition("::")
        source = ROOT / path
        assert source.exists(), name
        if function:
            assert any(f == function and n > FUNCTION for f, _, n in functions(source)), name
        else:
            assert len(source.read_text().splitlines()) > FILE, name
