"""Random graphs, and small ones by hand: what lowering is tried on."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from flambeau._engine.eager.quiet import SETTING, enter, leave
from flambeau._engine.graph.interpreter import Interpreted, run_rule
from flambeau._engine.graph.ir import Graph, Node, Number, Output, Value
from flambeau._engine.loops.capabilities import Capabilities
from flambeau._engine.loops.lower import lower, plan_of
from tests.engine.loops.interpret import run_plan

F32, F64, I64, BOOL = (np.dtype(t) for t in (np.float32, np.float64, np.int64, bool))


class Making:
    """A graph under construction, run as it grows: shapes come from the eager rules."""

    def __init__(self) -> None:
        self.inputs: list[Value] = []
        self.arrays: list[np.ndarray] = []
        self.nodes: list[Node] = []
        self.numbers: list[float] = []
        self.known: dict[Value, np.ndarray] = {}

    def input(self, array: np.ndarray) -> Value:
        """An input that holds this array."""
        strides = None
        if not array.flags.c_contiguous:
            strides = tuple(s // array.itemsize for s in array.strides)
        value = Value(array.shape, array.dtype, strides)
        self.inputs.append(value)
        self.arrays.append(array)
        self.known[value] = array
        return value

    def number(self, x: float) -> Number:
        """A number given at run time."""
        self.numbers.append(x)
        return Number(len(self.numbers) - 1)

    def call(self, name: str, *operands: Any, **params: Any) -> Any:
        """A node; its result, or results."""
        given = [self._known(x) for x in operands]
        token = enter(SETTING)
        try:
            held = {k: self._known(v) for k, v in params.items()}
            found = run_rule(name, given, held)
        finally:
            leave(token)
        several = isinstance(found, tuple)
        arrays = [np.asarray(a) for a in (found if several else (found,))]
        outs = tuple(Value(a.shape, a.dtype) for a in arrays)
        self.known.update(zip(outs, arrays, strict=True))
        self.nodes.append(Node(name, operands, params, outs))
        return outs if several else outs[0]

    def _known(self, x: Any) -> Any:
        if isinstance(x, Value):
            return self.known[x]
        return self.numbers[x.position] if isinstance(x, Number) else x

    def graph(self, outputs: list[Value], updates: Any = ()) -> Graph:
        """What was made so far."""
        return Graph(
            tuple(self.inputs), len(self.numbers), tuple(self.nodes),
            tuple(Output(v) for v in outputs), tuple(updates),
        )  # fmt: skip


def compare(
    graph: Graph, inputs: list[np.ndarray], numbers: list[float], passes: bool = True,
    capabilities: Capabilities | None = None,
) -> Any:  # fmt: skip
    """Check a graph's plan against the interpreter; returns the plan."""
    capabilities = capabilities or Capabilities()
    plan = plan_of(graph, capabilities) if passes else lower(graph, capabilities)
    ours, theirs = copies(inputs), copies(inputs)
    got = run_plan(plan, ours, numbers)
    expected = Interpreted(graph).run(theirs, numbers)
    limit = rounding(graph)
    for one, other in zip([*got, *ours], [*expected, *theirs], strict=True):
        assert_close(one, other, limit)
    return plan


def copies(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The same elements in memory of the same layout."""
    out = []
    for array in arrays:
        new = np.empty_like(array, order="K")
        if new.strides != array.strides:
            reach = 1 + sum(
                (n - 1) * s // array.itemsize for n, s in zip(array.shape, array.strides)
            )
            memory = np.zeros(reach, array.dtype)
            new = np.lib.stride_tricks.as_strided(memory, array.shape, array.strides)
        new[...] = array
        out.append(new)
    return out


TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 2e-5, "float64": 1e-12}


def rounding(graph: Graph) -> float:
    """The tolerance of the coarsest dtype in a graph: a float64 may come from a float32."""
    values = (*graph.inputs, *(v for node in graph.nodes for v in node.outputs))
    return max((TOLERANCE.get(v.dtype.name, 0.0) for v in values), default=0.0)


def assert_close(one: np.ndarray, other: np.ndarray, limit: float = 0.0) -> None:
    """Equal up to rounding of the dtype, or `limit`; NaN and infinities in the same places."""
    assert one.dtype == other.dtype and one.shape == other.shape
    limit = max(limit, TOLERANCE.get(one.dtype.name, 0.0))
    if one.dtype.name not in TOLERANCE:
        np.testing.assert_array_equal(one, other)
        return
    wide, expected = one.astype(np.float64), other.astype(np.float64)
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    np.testing.assert_allclose(wide, expected, rtol=limit, atol=limit * scale)


# --- random graphs -------------------------------------------------------------------------------

UNARY = ("neg", "abs", "exp", "tanh", "relu", "sigmoid", "square", "sign", "sqrt", "isnan")
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "lt", "ge", "eq")
REDUCTIONS = ("sum", "amax", "amin", "any", "all", "prod")


@st.composite
def programs(draw: Any, size: int = 14) -> tuple[Graph, list[np.ndarray], list[float]]:
    """A random graph with its inputs and numbers."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    making = Making()
    for _ in range(rng.integers(1, 4)):
        making.input(random_array(rng))
    live = list(making.inputs)
    for _ in range(rng.integers(2, size)):
        made = _step(making, rng, live)
        live.extend(v for v in made if v.shape is not None and _size(v) <= 4096)
    computed = live[len(making.inputs) :] or live
    outputs = [computed[-1], *rng.choice(np.array(computed, object), 2)]
    updates = []
    for target in making.inputs:
        fits = [v for v in live if v.shape == target.shape and v.dtype == target.dtype]
        if len(fits) > 1 and rng.random() < 0.6:
            updates.append((target, fits[rng.integers(len(fits))]))
    return making.graph(list(outputs), updates), making.arrays, making.numbers


def _size(value: Value) -> int:
    return int(np.prod(value.shape, dtype=np.int64))


def random_array(rng: np.random.Generator) -> np.ndarray:
    """A small array, sometimes with strides of its own."""
    shape = tuple(int(n) for n in rng.choice([1, 2, 3, 4, 6], rng.integers(0, 4)))
    kind = rng.choice(["float32"] * 6 + ["float64", "float16", "int64", "bool"])
    array = (rng.standard_normal(shape) * 3).astype(kind)
    layout = rng.random()
    if layout < 0.2 and array.ndim > 1:
        return np.asfortranarray(array)
    if layout < 0.3 and array.ndim:
        wide = np.repeat(array, 2, axis=-1)
        return wide[..., ::2]
    return np.asarray(array)


def _step(making: Making, rng: np.random.Generator, live: list[Value]) -> list[Value]:
    a = live[rng.integers(len(live))]
    kind = STEPS[rng.integers(len(STEPS))]
    made = kind(making, rng, a, live)
    if made is None:
        return []
    return list(made) if isinstance(made, tuple) else [made]


def _unary(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if a.dtype.kind != "f":
        return m.call("convert", a, dtype=F32)
    return m.call(str(rng.choice(UNARY)), a)


def _binary(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if a.dtype.kind != "f":
        return m.call("logical_not", a)
    name = str(rng.choice(BINARY))
    others = [v for v in live if v.dtype == a.dtype and _broadcasts(v.shape, a.shape)]
    choice = rng.random()
    if choice < 0.2:
        return m.call(name, a, float(rng.normal()))
    if choice < 0.35:
        return m.call(name, m.number(float(rng.normal())), a)
    return m.call(name, a, others[rng.integers(len(others))])


def _broadcasts(a: tuple, b: tuple) -> bool:
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        return False
    return True


def _where(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    conditions = [v for v in live if v.dtype == BOOL and _broadcasts(v.shape, a.shape)]
    if not conditions or a.dtype.kind != "f":
        return None
    condition = conditions[rng.integers(len(conditions))]
    return m.call("where", condition, *((a, 0) if rng.random() < 0.5 else (0, a)))


def _reduce(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    name = str(rng.choice(REDUCTIONS))
    if a.dtype == BOOL and name not in ("any", "all"):
        name = "any"
    if not a.shape:
        return None
    dims = tuple(d for d in range(len(a.shape)) if rng.random() < 0.5) or (0,)
    return m.call(name, a, dims=dims, keepdim=bool(rng.random() < 0.6))


def _argument(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if not a.shape or a.dtype.name in ("float16", "bool"):
        return None
    dim = int(rng.integers(len(a.shape)))
    return m.call(str(rng.choice(["argmax", "argmin"])), a, dim=dim, keepdim=True)


def _row(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if not a.shape or a.dtype.kind != "f":
        return None
    dim = int(rng.integers(len(a.shape)))
    if rng.random() < 0.4:
        dims = tuple(sorted({dim, int(rng.integers(len(a.shape)))}))
        return m.call("standardize", a, dims=dims, eps=1e-3)
    return m.call(str(rng.choice(["softmax", "log_softmax", "safe_softmax"])), a, dim=dim)


def _permute(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    return m.call("permute", a, dims=tuple(int(d) for d in rng.permutation(len(a.shape))))


def _view(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    size = _size(a)
    shapes = [s for s in [(size,), (1, size), (2, -1), (-1, 3), (2, 3, -1), (-1, 2, 2)] if s]
    shape = shapes[rng.integers(len(shapes))]
    fixed = int(np.prod([n for n in shape if n > 0]))
    if size % fixed:
        return None
    shape = tuple(size // fixed if n == -1 else n for n in shape)
    whole = m.call("copy", a, order="C")
    return m.call("view", whole, shape=shape)


def _expand(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    shape = tuple(3 if n == 1 else n for n in a.shape)
    return m.call("expand", a, shape=((2, *shape) if rng.random() < 0.5 else shape))


def _slice(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    index: list[Any] = []
    for n in a.shape:
        if rng.random() < 0.2:
            index.append(None)
        if rng.random() < 0.3:
            index.append(int(rng.integers(n)))
        else:
            start = int(rng.integers(n))
            index.append((start, int(rng.integers(start + 1, n + 1)), int(rng.integers(1, 3))))
    return m.call("slice", a, index=tuple(index))


def _split(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if not a.shape or a.shape[-1] < 2:
        return None
    dim = len(a.shape) - 1
    return m.call("split", a, sizes=(1, a.shape[dim] - 1), dim=dim, squeeze=False)


def _diagonal(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if len(a.shape) < 2:
        return None
    return m.call("diagonal", a, offset=0, dim1=0, dim2=1)


def _unfold(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if not a.shape or a.shape[0] < 2:
        return None
    return m.call("unfold", a, dim=0, size=2, step=1)


def _flip(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    return m.call("flip", a, dims=(0,)) if a.shape else None


def _product(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if len(a.shape) < 2 or a.dtype.kind != "f":
        return None
    fits = [
        v
        for v in live
        if len(v.shape) > 1
        and v.dtype == a.dtype
        and v.shape[-2] == a.shape[-1]
        and _broadcasts(v.shape[:-2], a.shape[:-2])
    ]
    if fits:
        return m.call("matmul", a, fits[rng.integers(len(fits))])
    weight = m.input(rng.standard_normal((3, a.shape[-1])).astype(a.dtype))
    bias = m.input(rng.standard_normal(3).astype(a.dtype)) if rng.random() < 0.5 else None
    return m.call("linear", a, weight, bias)


def _cat(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if not a.shape:
        return None
    fits = [v for v in live if v.dtype == a.dtype and v.shape[1:] == a.shape[1:] and v.shape]
    return m.call("cat", a, fits[rng.integers(len(fits))], a, dim=0)


def _place(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if not a.shape:
        return None
    if rng.random() < 0.5:
        return m.call("pad", a, widths=((1, 2),) * len(a.shape), value=0)
    index = tuple((1, 1 + n, 1) for n in a.shape)
    return m.call("unslice", a, shape=tuple(n + 2 for n in a.shape), index=index)


def _write(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if not a.shape:
        return None
    place = int(rng.integers(a.shape[0]))
    steps: list[Any] = [("slice", {"index": (place,)}, None)]
    if len(a.shape) > 1 and rng.random() < 0.5:
        steps.append(("expand", {"shape": a.shape[1:]}, None))
    fits = [v for v in live if v.shape == a.shape[1:]]
    value = fits[rng.integers(len(fits))] if fits and rng.random() < 0.8 else 2.5
    return m.call("region_write", a, value, steps=tuple(steps))


def _scan(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if not a.shape or a.dtype.kind != "f":
        return None
    name = "cumsum" if rng.random() < 0.5 else "logcumsumexp"  # the second is a callback
    return m.call(name, a, dim=0)


def _source(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    if rng.random() < 0.5:
        return m.call("full", shape=a.shape, value=float(rng.normal()), dtype=F32)
    return m.call("arange", start=1, step=2, count=6, dtype=F32 if rng.random() < 0.5 else I64)


def _convert(m: Making, rng: Any, a: Value, live: list[Value]) -> Any:
    names = ["float32", "float64", "float16", "bool"]
    return m.call("convert", a, dtype=np.dtype(str(rng.choice(names))))


STEPS = (
    _unary, _unary, _unary, _binary, _binary, _binary, _binary, _where, _reduce, _reduce, _row,
    _permute, _view, _expand, _slice, _split, _diagonal, _unfold, _flip, _product, _product, _cat,
    _place, _write, _scan, _source, _convert, _argument,
)  # fmt: skip
