"""An optimizer's numbers as expressions are the numbers that its rule gives."""

from __future__ import annotations

import pytest

import flambeau
from flambeau._engine.autograd.tensor import wrap
from flambeau._engine.trace.options import expression_of

CASES = {
    "sgd": lambda p: flambeau.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
    "plain sgd": lambda p: flambeau.optim.SGD(p, lr=0.1),
    "adam": lambda p: flambeau.optim.Adam(p, lr=1e-3, betas=(0.8, 0.95), amsgrad=True),
    "adamw": lambda p: flambeau.optim.AdamW(p, lr=1e-3, weight_decay=0.1),
}


def _optimizer(name):
    p = flambeau.nn.Parameter(flambeau.ones(3))
    optimizer = CASES[name]([p])
    for _ in range(2):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
    return optimizer, p


def _expression(optimizer, p):
    group, state, rule = optimizer.param_groups[0], optimizer.state[p], optimizer._rule
    counters = tuple(rule.counters(group))
    scratch = {**state, **{n: wrap(state[n]._array.copy()) for n in counters}}
    found = rule.numbers(group, scratch, p)
    names = tuple(name for name, value in found.items() if type(value) is float)
    return expression_of(rule, group, state, counters, names, p), names, counters


@pytest.mark.parametrize("name", CASES)
def test_the_expression_gives_what_the_rule_gives(name):
    optimizer, p = _optimizer(name)
    expression, names, counters = _expression(optimizer, p)
    assert expression is not None
    group, state = optimizer.param_groups[0], optimizer.state[p]
    for rate in (0.5, 1e-4, 3e-3):
        group["lr"] = rate  # a schedule
        before = [state[n].item() for n in counters]
        found = expression.evaluate(group, *before)
        asked = optimizer._rule.numbers(group, state, p)  # advances the counters
        assert found == [asked[n] for n in names] + [state[n].item() for n in counters]


def test_other_options_are_refused():
    optimizer, p = _optimizer("adamw")
    expression, _, _ = _expression(optimizer, p)
    for key, value in {
        "lr": flambeau.tensor(0.1), "betas": (0.9,), "weight_decay": None,
        "amsgrad": True, "eps": 1, "maximize": 1,
    }.items():  # fmt: skip
        assert expression.evaluate({**optimizer.param_groups[0], key: value}, 2.0) is None


def test_a_comparison_that_comes_out_otherwise_is_refused():
    optimizer, p = _optimizer("sgd")
    group = optimizer.param_groups[0]
    rule = optimizer._rule

    class Branching:
        counters, tensors = staticmethod(rule.counters), staticmethod(rule.tensors)

        @staticmethod
        def numbers(group, state, param):
            return {"lr": group["lr"] * 2 if group["momentum"] > 0.5 else group["lr"]}

    expression = expression_of(Branching, group, optimizer.state[p], (), ("lr",), p)
    assert expression.evaluate(group) == [0.2]
    assert expression.evaluate({**group, "momentum": 0.1}) is None


def test_options_that_ask_for_other_state_are_refused():
    optimizer, p = _optimizer("plain sgd")
    expression, _, _ = _expression(optimizer, p)
    group = optimizer.param_groups[0]
    assert expression.evaluate(group) is not None
    assert expression.evaluate({**group, "momentum": 0.1}) is None


def test_counters_beyond_what_float32_counts_are_refused():
    optimizer, p = _optimizer("adam")
    expression, _, _ = _expression(optimizer, p)
    assert expression.evaluate(optimizer.param_groups[0], float(1 << 24)) is None
