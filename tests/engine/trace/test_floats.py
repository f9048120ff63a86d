"""Numbers in the calls of ops vary from step to step: inputs of programs, and eager's results."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau import nn
from flambeau.utils.checkpoint import checkpoint
from tests.modes import MODES, mode

pytest.importorskip("llvmlite")

from flambeau._engine.trace.floats import ARGUMENTS
from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.log import LOG
from flambeau._engine.trace.pattern import Varies

F = nn.functional
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, math.inf, -math.inf, math.nan, 1e300, -1e39, 5e-324,
           2.0**-140, 1 + 2.0**-30, 16777217.0, 3, -7, 0, 1, 2**24 + 1, 2**53, 2**70, True,
           np.float64(0.3), np.float32(0.7), np.float64(-2.5)]  # fmt: skip


def _changed(x: Any, change: Any) -> Any:
    y = x * 2.0
    change(y)
    return y


# a call for each argument that may vary: (x, y) are tensors, and w is the number
CALLS: dict[tuple[str, str], Any] = {
    ("add", "other"): lambda x, y, w: x + w,
    ("add", "input"): lambda x, y, w: flambeau.add(w, x),
    ("add", "alpha"): lambda x, y, w: x.add(y, alpha=w),
    ("sub", "other"): lambda x, y, w: x - w,
    ("sub", "input"): lambda x, y, w: w - x,
    ("sub", "alpha"): lambda x, y, w: flambeau.sub(x, y, alpha=w),
    ("mul", "other"): lambda x, y, w: x.mul(other=w),
    ("mul", "input"): lambda x, y, w: w * x,
    ("div", "other"): lambda x, y, w: x / w,
    ("div", "input"): lambda x, y, w: w / x,
    ("true_divide", "other"): lambda x, y, w: x.true_divide(w),
    ("true_divide", "input"): lambda x, y, w: x * flambeau.true_divide(w, y),
    ("rsub", "other"): lambda x, y, w: flambeau.rsub(x, w),
    ("rsub", "alpha"): lambda x, y, w: flambeau.rsub(x, y, alpha=w),
    ("addcmul", "value"): lambda x, y, w: x.addcmul(x, y, value=w),
    ("addcdiv", "value"): lambda x, y, w: x.addcdiv(x, y, value=w),
    ("clamp", "min"): lambda x, y, w: x.clamp(w),
    ("clamp", "max"): lambda x, y, w: y.detach().clamp(max=w) * x,
    ("clamp_min", "min"): lambda x, y, w: x.clamp_min(w),
    ("clamp_max", "max"): lambda x, y, w: x.clamp_max(w),
    ("lerp", "weight"): lambda x, y, w: x.lerp(y, w),
    ("masked_fill", "value"): lambda x, y, w: x.masked_fill(y > 0, w),
    ("where", "input"): lambda x, y, w: flambeau.where(x > y, w, x),
    ("where", "other"): lambda x, y, w: flambeau.where(x > y, x, w),
    ("full", "fill_value"): lambda x, y, w: x * flambeau.full((3,), w),
    ("full_like", "fill_value"): lambda x, y, w: x * flambeau.full_like(x, w),
    ("fill_", "value"): lambda x, y, w: _changed(x, lambda t: t[0].fill_(w)),
    ("dropout", "p"): lambda x, y, w: flambeau.dropout(x, w, True),
    ("feature_dropout", "p"): lambda x, y, w: flambeau.feature_dropout(x, w, True),
    ("nn.functional.dropout", "p"): lambda x, y, w: F.dropout(x, p=w),
    ("nn.functional.dropout1d", "p"): lambda x, y, w: F.dropout1d(x[None], w),
    ("nn.functional.dropout2d", "p"): lambda x, y, w: F.dropout2d(x[None, None], w),
    ("nn.functional.dropout3d", "p"): lambda x, y, w: F.dropout3d(x[None, None, None], w),
    ("nn.functional.gumbel_softmax", "tau"): lambda x, y, w: F.gumbel_softmax(x, w),
    **{
        (name, "other"): lambda x, y, w, name=name: x * getattr(x, name)(w)
        for name in ("lt", "le", "gt", "ge", "eq", "ne")
    },
    **{
        (f"{name}_", "other"): lambda x, y, w, name=name: _changed(
            x, lambda t: getattr(t, f"{name}_")(w)
        )
        for name in "add sub mul div true_divide lt le gt ge eq ne".split()
    },
    **{
        (f"{name}_", "alpha"): lambda x, y, w, name=name: _changed(
            x, lambda t: getattr(t, f"{name}_")(y, alpha=w)
        )
        for name in ("add", "sub")
    },
    **{
        (f"{name}_", "value"): lambda x, y, w, name=name: _changed(
            x, lambda t: getattr(t, f"{name}_")(y, y, value=w)
        )
        for name in ("addcmul", "addcdiv")
    },
    ("clamp_", "min"): lambda x, y, w: _changed(x, lambda t: t.clamp_(w, 0.75)),
    ("clamp_", "max"): lambda x, y, w: _changed(x, lambda t: t.clamp_(max=w)),
    ("clamp_min_", "min"): lambda x, y, w: _changed(x, lambda t: t.clamp_min_(w)),
    ("clamp_max_", "max"): lambda x, y, w: _changed(x, lambda t: t.clamp_max_(w)),
    ("lerp_", "weight"): lambda x, y, w: _changed(x, lambda t: t.lerp_(y, w)),
    ("masked_fill_", "value"): lambda x, y, w: _changed(x, lambda t: t.masked_fill_(y > 0, w)),
    ("dropout_", "p"): lambda x, y, w: _changed(x, lambda t: flambeau.dropout_(t, w, True)),
    ("feature_dropout_", "p"): lambda x, y, w: _changed(
        x, lambda t: flambeau.feature_dropout_(t, w, True)
    ),
}
# the first operand of an in-place op is a tensor
IMPOSSIBLE = {(f"{n}_", "input") for n in ("add", "sub", "mul", "div", "true_divide")}
RATES = [0.5, 0.25, 0.1, 1 / 3, 0.9, 0.0, 1.0, 0.7, 1e-9, 1 - 1e-9, 2.0**-53, 5e-324, math.nan,
         np.float64(0.3), np.float32(0.3), 0, 1]  # fmt: skip


def _values(argument: str, name: str) -> list[Any]:
    random = Random(f"{name} {argument}")
    if argument == "p":
        return [random.random() for _ in range(8)] + RATES + [random.random() for _ in range(4)]
    usual = [random.uniform(-2, 2) for _ in range(8)]
    return usual + random.sample(SPECIAL, len(SPECIAL)) + [random.uniform(0, 1) for _ in range(4)]


def _losses(call: Any, values: list[Any], dtype: Any, twice: bool) -> list[Any]:
    """For each number: the result, the gradient, and the error if there is one."""
    flambeau.manual_seed(1)
    x = flambeau.tensor(np.linspace(-3, 3, 12).reshape(4, 3), dtype=dtype, requires_grad=True)
    y = flambeau.tensor(np.linspace(2, -1, 12).reshape(4, 3), dtype=dtype)
    found: list[Any] = []
    for w in values:
        x.grad = None
        try:
            # nothing but what is rounded in one way
            out = call((x * 0.5) * (y * y), y.abs() + 2, w)
            loss = out.square().sum()
            if twice:
                slope = flambeau.autograd.grad(loss, x, create_graph=True)[0]
                loss = loss + slope.square().sum()
            loss.backward()
        except Exception as error:
            found.append(str(error))
            continue
        found += [t.detach().double().numpy().copy() for t in (out, x.grad)]
    return found


def _equal(a: Any, b: Any, exact: bool) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and a == b
    if not exact:
        return np.allclose(a, b, 1e-3, 1e-5, equal_nan=True)
    # of a NaN, its sign and payload are nobody's business
    nan = a != a
    same = (a == b) & (np.signbit(a) == np.signbit(b)) | nan & (b != b)
    return a.dtype == b.dtype and bool(same.all())


def _check(
    call: Any, values: list[Any], dtype: Any, twice: bool = False, exact: bool = True
) -> None:
    with np.errstate(all="ignore"):
        with mode("off"):
            eager = _losses(call, values, dtype, twice)
        for jit in MODES[1:]:
            HUB.clear()
            for _ in range(2):
                with mode(jit):
                    found = _losses(call, values, dtype, twice)
                assert len(eager) == len(found)
                for n, (a, b) in enumerate(zip(eager, found, strict=True)):
                    assert _equal(a, b, exact), (jit, n, a, b)


def test_every_argument_has_a_call():
    table = {(op, argument.name) for op, found in ARGUMENTS.items() for argument in found}
    assert table - IMPOSSIBLE == set(CALLS)


@pytest.mark.parametrize("case", CALLS, ids=" ".join)
def test_numbers_give_what_eager_gives(case):
    values = _values(case[1], case[0])
    for dtype in (flambeau.float32, flambeau.float64):
        _check(CALLS[case], values, dtype, exact="softmax" not in case[0])


@pytest.mark.parametrize("case", CALLS, ids=" ".join)
@pytest.mark.parametrize("jit", MODES[1:])
def test_numbers_are_inputs(case, jit):
    random = Random(0)
    values = [random.uniform(0.1, 0.4) for _ in range(30)]
    with mode(jit):
        HUB.clear()
        _losses(CALLS[case], values[:12], flambeau.float32, False)
        before = LOG.counts.copy()
        _losses(CALLS[case], values[12:], flambeau.float32, False)
    assert LOG.counts == before
    if jit == "force":
        assert any(
            isinstance(pattern, Varies)
            for segment in LOG.segments
            if (last := segment.last()) is not None
            for node in last.path()
            for pattern in (*node.args.items, *(item for _, item in node.kwargs.items))
        )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("case", CALLS, ids=" ".join)
def test_numbers_beside_half_precision(case, dtype):
    values = [0.3, 0.7, 0.1, 1 + 2.0**-9, -0.2, 2.0**-20, 70000.0, 3, 0.35]
    if case[1] == "p":
        values = [0.1, 0.2, 0.3, 0.4]
    _check(CALLS[case], values, getattr(flambeau, dtype), exact="softmax" not in case[0])


@pytest.mark.parametrize("name", ["mul", "div", "clamp", "lerp", "where", "addcdiv"])
def test_numbers_in_gradients_of_gradients(name):
    for case in CALLS:
        if case[0] == name:
            _check(CALLS[case], _values(case[1], name)[:14], flambeau.float64, twice=True)


class _Scaled(flambeau.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.w = w
        return x * w

    @staticmethod
    def backward(ctx, g):
        return g * ctx.w, None


def _hooked(x: Any, y: Any, w: float) -> Any:
    out = (x * w).abs()
    out.register_hook(lambda g: g * w)
    return out


# functions of the user's own, which run inside of a backward
WITH_CLOSURES = {
    "checkpoint": lambda x, y, w: checkpoint(lambda t: t * w * y, x, use_reentrant=False) * w,
    "reentrant": lambda x, y, w: checkpoint(lambda t: t * w * y, x, use_reentrant=True) * w,
    "hook": _hooked,
    "function": lambda x, y, w: _Scaled.apply(x * w, w) * w,
}


@pytest.mark.parametrize("name", WITH_CLOSURES)
def test_numbers_in_closures(name):
    _check(WITH_CLOSURES[name], [0.3 + 0.05 * i for i in range(14)], flambeau.float64)


def test_checks_among_numbers():
    """A primitive without a result comes after a number that varies."""
    classes = flambeau.tensor([0, 2, 1, 1])
    values = [0.1 * i for i in range(14)]
    _check(lambda x, y, w: x * w * F.one_hot(classes, 3), values, flambeau.float64)


@pytest.mark.parametrize("every", [2, 3, 5])
def test_a_side_exit_gives_the_number_back(every):
    """Numbers are what they were, kind and all, where a replay is done again eagerly."""
    values = [0.3, 0.7, 0.2, 3, np.float64(0.1), math.nan, -0.0, 2**53, 1e300, 5e-324] * 3

    def results() -> list[Any]:
        found: list[Any] = []
        for i, w in enumerate(values):
            after = flambeau.add if i % every else flambeau.mul
            found += _losses(lambda x, y, w, f=after: f(x * w, w), [w], flambeau.float64, False)
        return found

    with np.errstate(all="ignore"):
        with mode("off"):
            eager = results()
        for jit in MODES[1:]:
            HUB.clear()
            with mode(jit):
                assert all(_equal(a, b, True) for a, b in zip(eager, results(), strict=True))
