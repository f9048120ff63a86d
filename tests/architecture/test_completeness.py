"""Every primitive has one rule per interpreter, or says that it has none."""

from __future__ import annotations

import flambeau  # noqa: F401 - loads the tables
from flambeau._engine.autograd.table import GRADIENTS
from flambeau._engine.eager.table import RULES
from flambeau._engine.prims import PRIMITIVES


def test_every_primitive_runs():
    assert PRIMITIVES.keys() - RULES.keys() == set()


def test_every_primitive_has_a_gradient_or_an_explicit_none():
    assert PRIMITIVES.keys() - GRADIENTS.keys() == set()


def test_no_rule_without_a_primitive():
    assert RULES.keys() | GRADIENTS.keys() <= PRIMITIVES.keys()
