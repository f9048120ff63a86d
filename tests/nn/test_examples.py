"""The examples in the docstrings of modules and utils run and give what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import flambeau.func
import flambeau.nn

PACKAGES = (flambeau.nn.modules, flambeau.nn.utils)
NAMES = [
    found.name
    for package in PACKAGES
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
]


@pytest.mark.parametrize("name", [*NAMES, "flambeau.nn.parameter", "flambeau.func"])
def test_examples(name):
    module = importlib.import_module(name)
    known = {**vars(module), "torch": flambeau, "nn": flambeau.nn, "flambeau": flambeau}
    runner = doctest.DocTestRunner(verbose=False)
    for example in doctest.DocTestFinder().find(module, name, globs=known):
        runner.run(example)
    assert runner.failures == 0
