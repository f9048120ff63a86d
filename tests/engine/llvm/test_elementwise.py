"""Every elementwise operation with code, against the eager rules, over dtypes and edge values."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import ml_dtypes

from flambeau._engine.graph.interpreter import run_rule
from flambeau._engine.llvm.body import RULES, supports
from flambeau._engine.llvm.loop import FAULT
from flambeau._engine.loops.kernel import Instruction
from flambeau._engine.prims import PRIMITIVES

from .native import HOSTS, Native, elementwise, joined

SIGNED = ["int8", "int16", "int32", "int64"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float32", "float64"]
DTYPES = [*FLOATS, *SIGNED, *UNSIGNED, "bool"]
HALVES = ["float16", "bfloat16"]
EDGES = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.0, -2.0, 2.5, 3.0, -3.0, 7.0, -7.5, 1e-3, 100.0,
    -100.0, 1e10, -1e10, 1e-40, -1e-40, 3e38, 1e-310, np.inf, -np.inf, np.nan,
]  # fmt: skip
BOOLEAN = {
    "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not",
    "isnan", "isinf", "isfinite", "signbit",
}  # fmt: skip


def numpy_dtype(name: str) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def values(dtype: str, seed: int = 0) -> np.ndarray:
    """Edge values and random ones."""
    random = np.random.default_rng(seed)
    if dtype == "bool":
        return random.integers(0, 2, 40).astype(bool)
    if dtype in FLOATS + HALVES:
        with np.errstate(all="ignore"):
            found = np.concatenate([EDGES, random.normal(size=30) * 10])
            return found.astype(numpy_dtype(dtype))
    limits = np.iinfo(dtype)
    small = random.integers(max(limits.min, -9), 10, 40)
    edges = [0, 1, 2, limits.max, limits.min, limits.max - 1, limits.max // 2]
    wide = random.integers(limits.min, limits.max, 10, dtype=dtype)
    edges = [*edges, *([-1, -2, -3] if limits.min else [])]
    return np.concatenate([np.array(edges, dtype), small.astype(dtype), wide])


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of edge values, beside random ones."""
    a = values(dtype)[:34]
    first, second = (np.array(x, a.dtype) for x in zip(*itertools.product(a, a), strict=True))
    return first, second


def result_dtype(name: str, operand: np.ndarray) -> np.dtype:
    return np.dtype(bool) if name in BOOLEAN else operand.dtype


def check(names: list[str], operands: list[np.ndarray], host: Any, params: Any = None) -> None:
    """Computes all the operations in one kernel, and compares each with its rule's result."""
    with np.errstate(all="ignore"):
        wanted = [np.asarray(run_rule(name, operands, params or {})) for name in names]
    outs = [np.zeros(want.shape, result_dtype(n, operands[-1])) for n, want in zip(names, wanted)]
    detail = next(iter(params.values())) if params else None
    kernels = [elementwise(n, operands, out, detail) for n, out in zip(names, outs)]
    assert Native(joined(kernels), host)([*operands, *outs]) == 0
    for name, out, want in zip(names, outs, wanted):
        assert want.dtype == out.dtype, f"{name}: the eager rule gives {want.dtype}"
        same(name, out, want, operands)


def same(name: str, got: np.ndarray, want: np.ndarray, operands: list[np.ndarray]) -> None:
    if want.dtype.kind != "f":
        wrong = got != want
    elif name in ROUNDED:
        spacing = np.spacing(np.abs(np.where(np.isfinite(want), want, 0)))
        with np.errstate(all="ignore"):
            # NumPy's rule for sigmoid ends before the numbers below the normal range
            least = np.finfo(want.dtype).tiny if name == "sigmoid" else 0
            near = np.abs(got - want) <= ROUNDED[name] * spacing + least
        wrong = ~(near | (got == want) | (np.isnan(got) & np.isnan(want)))
    else:
        wrong = (got != want) & ~(np.isnan(got) & np.isnan(want))
        zeros = (got == 0) & (want == 0) & (np.signbit(got) != np.signbit(want))
        wrong |= zeros & (name not in SIGN_OF_ZERO_OPEN)
    at = np.flatnonzero(wrong)[:5]
    shown = [(tuple(o.flat[k] for o in operands), got.flat[k], want.flat[k]) for k in at]
    assert not at.size, f"{name}: {wrong.sum()} wrong, first (operands, got, wanted): {shown}"


# how many units in the last place may lie between the native and NumPy's result
ROUNDED = dict.fromkeys(
    (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin",
        "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "erf",
        "erfc", "entr", "pow", "atan2", "hypot", "angle", "rsqrt", "binary_cross_entropy",
    ),
    4,
) | {"erfc": 64}  # fmt: skip
# NumPy's own answer for the extremes of 0 and -0 depends on the processor
SIGN_OF_ZERO_OPEN = ("maximum", "minimum", "fmax", "fmin", "relu")


def operations(arity: int, dtype: str) -> list[str]:
    """The operations of so many operands of the dtype that have code."""
    return [
        name
        for name in RULES
        if len(PRIMITIVES[name].operands) == arity
        and not PRIMITIVES[name].params
        and name != "binary_cross_entropy"
        and supports(name, [dtype] * arity, "bool" if name in BOOLEAN else dtype)
    ]


def test_most_operations_have_code():
    assert len(operations(1, "float32")) > 35
    assert len(operations(2, "float32")) > 18
    assert len(operations(2, "int64")) > 18
    assert not supports("add", ["complex64"] * 2, "complex64")
    assert not supports("add", ["float16"] * 2, "float16")
    assert not supports("gcd", ["int32"] * 2, "int32")
    assert not supports("add", ["int32", "int64"], "int64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_unary(dtype):
    check(operations(1, dtype), [values(dtype)], HOSTS[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary(dtype):
    a, b = pairs(dtype)
    check(operations(2, dtype), [a, b], HOSTS[0])


@pytest.mark.parametrize("host", HOSTS[1:], ids=lambda h: h.name)
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
def test_on_other_hosts(dtype, host):
    check(operations(1, dtype), [values(dtype)], host)
    check(operations(2, dtype), list(pairs(dtype)), host)


@pytest.mark.parametrize("exponent", [-1.0, 1.0, 2.0, 3.0, 4.0, 0.5, -2.0, 0.0])
@pytest.mark.parametrize("dtype", FLOATS)
def test_pow_of_a_constant(dtype, exponent):
    x = values(dtype)
    power = np.full_like(x, exponent)
    kernel = elementwise("pow", [x, power], x)
    (stage,) = kernel.stages
    constant = Instruction("constant", (), dtype, exponent)
    body = (stage.body[0], constant, stage.body[2])
    out = np.empty_like(x)
    Native(replace(kernel, stages=(replace(stage, body=body),)))([x, x, out])
    with np.errstate(all="ignore"):
        same("pow", out, np.power(x, power), [x, power])


@pytest.mark.parametrize("dtype", FLOATS)
def test_binary_cross_entropy(dtype):
    random = np.random.default_rng(0)
    a, target = random.uniform(size=(2, 77)).astype(dtype)
    a[:3], target[:6] = [0, 1, 1e-30], [0, 1, 0, 1, 0, 1]
    check(["binary_cross_entropy"], [a, target], HOSTS[0])
    code = Native(elementwise("binary_cross_entropy", [a, target], a))
    for wrong in (-1e-6, 1.01, np.nan):
        a[76] = wrong
        assert code([a, target, np.empty_like(a)]) == FAULT


@pytest.mark.parametrize("dtype", DTYPES + HALVES)
def test_where(dtype):
    a, b = values(dtype, 1), values(dtype, 2)
    condition = np.random.default_rng(0).integers(0, 2, a.size).astype(bool)
    out = np.zeros_like(a)
    Native(elementwise("where", [condition, a, b], out))([condition, a, b, out])
    assert out.tobytes() == np.where(condition, a, b).tobytes()


@pytest.mark.parametrize("decimals", [-2, 0, 3])
@pytest.mark.parametrize("dtype", FLOATS)
def test_round_decimals(dtype, decimals):
    check(["round_decimals"], [values(dtype)], HOSTS[0], {"decimals": decimals})


@pytest.mark.parametrize("host", HOSTS, ids=lambda h: h.name)
@pytest.mark.parametrize("source", DTYPES + HALVES)
def test_convert(source, host):
    a = values(source)
    if source == "bfloat16":  # NumPy leaves its conversion to unsigned integers undefined there
        with np.errstate(invalid="ignore"):
            a = a[(a > -100) & (a < 100)]
    targets = [numpy_dtype(target) for target in DTYPES + HALVES]
    outs = [np.zeros(a.shape, target) for target in targets]
    Native(joined([elementwise("convert", [a], out) for out in outs]), host)([a, *outs])
    for target, out in zip(targets, outs):
        with np.errstate(all="ignore"):
            want = run_rule("convert", [a], {"dtype": target})
        nan = np.isnan(want.astype(np.float64)) & np.isnan(out.astype(np.float64))
        wrong = (out != want) & ~nan
        assert not wrong.any(), f"to {target}: {a[wrong]} gave {out[wrong]}, not {want[wrong]}"
