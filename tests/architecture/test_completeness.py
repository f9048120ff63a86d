"""Every primitive has one rule per interpreter, or says that it has none."""

from __future__ import annotations

import flambeau  # noqa: F401 - loads the tables
from flambeau._engine.autograd.table import GRADIENTS
from flambeau._engine.eager.table import RULES
from flambeau._engine.prims import PRIMITIVES

from .source import PACKAGE

ENGINE = PACKAGE / "_engine"


def test_every_primitive_runs():
    assert PRIMITIVES.keys() - RULES.keys() == set()


def test_every_primitive_has_a_gradient_or_an_explicit_none():
    assert PRIMITIVES.keys() - GRADIENTS.keys() == set()


def test_no_rule_without_a_primitive():
    assert RULES.keys() | GRADIENTS.keys() <= PRIMITIVES.keys()


def test_the_families_are_mirrored():
    families = {path.stem for path in (ENGINE / "prims").glob("*.py")} - {"__init__", "primitive"}
    for mirror in ("eager", "autograd/rules"):
        assert families <= {path.stem for path in (ENGINE / mirror).iterdir()}, mirror
