"""The one-way order of imports (docs/design.md): each room knows only the rooms below it."""

from __future__ import annotations

import ast
import subprocess
import sys

from .source import PACKAGE, ROOT, files, imports, module_name, tree

# Each room of the engine, and the rooms that it may import.
MAY_IMPORT = {
    "base": set(),
    "prims": {"base"},
    "eager": {"base", "prims"},
    "autograd": {"base", "prims", "eager"},
    "graph": {"base", "prims", "eager"},
    "passes": {"base", "prims", "eager", "graph"},
    "loops": {"base", "prims", "eager", "graph", "passes"},
    "llvm": {"base", "prims", "graph", "passes", "loops"},
    "runtime": {"base", "prims", "eager", "graph", "passes", "loops", "llvm"},
    "trace": {
        "base", "prims", "eager", "autograd", "graph", "passes", "loops", "llvm", "runtime",
    },
}  # fmt: skip
# Not needed for `import flambeau`: a missing or slow one must not be felt before it is used.
LATE = {"llvmlite", "scipy", "matplotlib", "tqdm", "safetensors", "tensorboard", "torch"}


def _room(name: str) -> str | None:
    parts = name.split(".")
    return parts[2] if parts[:2] == ["flambeau", "_engine"] and len(parts) > 2 else None


def test_the_engine_is_built_upwards():
    wrong = []
    for path in files("flambeau/_engine"):
        room = _room(module_name(path))
        for line, name in imports(path):
            other = _room(name)
            if room is None or other is None or other == room or other not in MAY_IMPORT:
                continue
            if other not in MAY_IMPORT[room]:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {room} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_every_room_has_its_place_in_the_order():
    rooms = {p.name for p in (PACKAGE / "_engine").iterdir() if (p / "__init__.py").exists()}
    assert rooms <= MAY_IMPORT.keys()


def test_the_engine_does_not_know_the_face():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: imports {name}"
        for path in files("flambeau/_engine")
        for line, name in imports(path)
        if name.split(".")[0] == "flambeau"
        and name != "flambeau"
        and not name.startswith("flambeau._engine")
    ]
    wrong += [
        f"{path.relative_to(ROOT)}:{line}: imports the package itself"
        for path in files("flambeau/_engine")
        for line, name in imports(path)
        if name == "flambeau"
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_torch():
    stand_in = PACKAGE / "_stand_in"  # it is what `import torch` finds, and hands on to flambeau
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files("flambeau")
        for line, name in imports(path)
        if name.split(".")[0] == "torch" and stand_in not in path.parents
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_llvm_rooms_import_llvmlite():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files("flambeau")
        for line, name in imports(path)
        if name.split(".")[0] == "llvmlite" and _room(module_name(path)) not in {"llvm", "runtime"}
    ]
    assert not wrong, "\n".join(wrong)


def test_importing_the_package_loads_nothing_that_can_wait():
    code = "import sys, flambeau; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert not LATE & set(done.stdout.split())


def test_one_place_reads_the_environment():
    readers = {
        str(path.relative_to(PACKAGE))
        for path in files("flambeau")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
    }
    assert readers <= {"_engine/base/config.py"}
