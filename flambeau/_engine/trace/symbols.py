"""What stands for values while an optimizer's rule is recorded, and numbers that may vary.

A rule (`optim._rule`) is a pure function of values that know `+ - * /`: given `Symbol`s it emits
graph nodes. A `Varying` is a Python number that is another one at each run: arithmetic on it gives
further Varyings, computed in Python at each run; comparing it gives a bool, and a guard that the
comparison comes out the same.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..graph.ir import Value


class Numbers:
    """The numbers of a recording: `given` ones first come from events, others are computed.

    `source` lists Python expressions of the given ones `g[i]`; `guards`, expressions that must
    hold again.
    """

    def __init__(self) -> None:
        self.values: list[float] = []
        self.source: list[str] = []
        self.guards: list[str] = []
        self.given = 0

    def give(self, value: float) -> Varying:
        """A number that an event brings along."""
        made = Varying(self, value, f"g[{self.given}]")
        self.given += 1
        return made

    def position(self, number: Varying) -> int:
        """Where a number lies in the program's vector."""
        if number.text in self.source:
            return self.source.index(number.text)
        self.source.append(number.text)
        self.values.append(number.value)
        return len(self.source) - 1

    def compiled(
        self, source: list[str], guarded: bool
    ) -> Callable[[list[float]], tuple[float, ...] | None]:
        """A function from the given numbers to those of `source`; None where a guard fails."""
        lines = ["def vector(g):"]
        if guarded:
            lines += [f"    if not ({guard}): return None" for guard in dict.fromkeys(self.guards)]
        lines += ["    return (" + "".join(f"{text}, " for text in source) + ")"]
        scope: dict[str, Any] = {}
        exec("\n".join(lines), dict(FUNCTIONS), scope)  # of this module's own making
        return scope["vector"]


def _float32_reciprocal(x: float) -> float:
    return float(np.float32(1.0) / np.float32(x))


# what expressions of numbers may call
FUNCTIONS: dict[str, Callable[..., float]] = {"float32_reciprocal": _float32_reciprocal}


class Varying:
    """A number that varies from run to run."""

    __slots__ = ("numbers", "text", "value")

    def __init__(self, numbers: Numbers, value: float, text: str):
        self.numbers = numbers
        self.value = value
        self.text = text

    def _made(self, value: float, text: str) -> Varying:
        return Varying(self.numbers, value, text)

    def derived(self, formula: str) -> Varying:
        """What a Python expression of the number `{}` gives."""
        value = eval(formula.format("x"), {**FUNCTIONS, "x": self.value})  # of a closed table
        return self._made(value, f"({formula.format(self.text)})")

    def __neg__(self) -> Varying:
        return self._made(-self.value, f"(-{self.text})")

    def __bool__(self) -> bool:
        return self != 0

    __hash__ = None  # type: ignore[assignment]


class Symbol:
    """A graph value that an optimizer's rule computes with."""

    __slots__ = ("emit", "value")

    def __init__(self, emit: Callable[..., Value], value: Value):
        self.emit = emit
        self.value = value

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        return self.value.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.value.shape)

    def call(self, name: str, *operands: Any, **params: Any) -> Symbol:
        """A primitive on symbols and numbers."""
        return Symbol(self.emit, self.emit(name, operands, params))

    def __neg__(self) -> Symbol:
        return self.call("neg", self)

    def __pow__(self, other: Any) -> Symbol:
        return self.call("pow", self, other)

    __hash__ = None  # type: ignore[assignment]


def _text(x: Any) -> str:
    return x.text if isinstance(x, Varying) else repr(float(x))


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Varying) else x


_OPERATORS: dict[str, tuple[str, str, Callable[[Any, Any], Any]]] = {
    "add": ("+", "add", lambda a, b: a + b),
    "sub": ("-", "sub", lambda a, b: a - b),
    "mul": ("*", "mul", lambda a, b: a * b),
    "truediv": ("/", "div", lambda a, b: a / b),
}
_VARYING_OPERATORS = _OPERATORS | {"pow": ("**", "pow", lambda a, b: a**b)}
_COMPARISONS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "lt": ("<", lambda a, b: a < b),
    "le": ("<=", lambda a, b: a <= b),
    "gt": (">", lambda a, b: a > b),
    "ge": (">=", lambda a, b: a >= b),
    "eq": ("==", lambda a, b: a == b),
    "ne": ("!=", lambda a, b: a != b),
}


def _varying_operator(sign: str, compute: Callable[..., Any], swap: bool) -> Callable[..., Any]:
    def operate(self: Varying, other: Any) -> Any:
        if not isinstance(other, (int, float, Varying)):
            return NotImplemented
        a, b = (other, self) if swap else (self, other)
        return self._made(compute(_value(a), _value(b)), f"({_text(a)} {sign} {_text(b)})")

    return operate


def _varying_comparison(sign: str, compute: Callable[..., bool]) -> Callable[..., bool]:
    def compare(self: Varying, other: Any) -> bool:
        outcome = compute(self.value, _value(other))
        self.numbers.guards.append(f"({self.text} {sign} {_text(other)}) == {outcome}")
        return outcome

    return compare


def _symbol_operator(primitive: str, swap: bool) -> Callable[..., Symbol]:
    def operate(self: Symbol, other: Any) -> Symbol:
        a, b = (other, self) if swap else (self, other)
        return self.call(primitive, a, b)

    return operate


for _name, (_sign, _primitive, _compute) in _VARYING_OPERATORS.items():
    for _prefix, _swap in (("", False), ("r", True)):
        setattr(Varying, f"__{_prefix}{_name}__", _varying_operator(_sign, _compute, _swap))
for _name, (_sign, _primitive, _compute) in _OPERATORS.items():
    for _prefix, _swap in (("", False), ("r", True)):
        setattr(Symbol, f"__{_prefix}{_name}__", _symbol_operator(_primitive, _swap))
for _name, (_sign, _test) in _COMPARISONS.items():
    setattr(Varying, f"__{_name}__", _varying_comparison(_sign, _test))
    setattr(Symbol, f"__{_name}__", _symbol_operator(_name, False))


def _all_dims(x: Symbol) -> tuple[int, ...]:
    return tuple(range(x.ndim))


def _where(condition: Symbol, a: Any, b: Any) -> Symbol:
    return condition.call("where", condition, a, b)


def _mean(x: Symbol, dim: Any) -> Symbol:
    dims = tuple(d % x.ndim for d in ((dim,) if isinstance(dim, int) else dim))
    count = 1
    for d in dims:
        count *= x.shape[d]
    total: Any = x.call("sum", x, dims=dims, keepdim=True)
    return total / count


def _length(x: Symbol) -> Symbol:
    square = x.call("square", x)
    return x.call("sqrt", x.call("sum", square, dims=_all_dims(x), keepdim=False))


def _clip(x: Symbol, low: Any, high: Any) -> Symbol:
    return x.call("minimum", x.call("maximum", x, low), high)


# The functions that rules use beyond operators, for symbols (see ARRAYS in `optim._rule`); a rule
# that needs another one (an AttributeError) is run eagerly.
SYMBOLS = SimpleNamespace(
    abs=lambda x: x.call("abs", x),
    clip=_clip,
    length=_length,
    maximum=lambda a, b: a.call("maximum", a, b),
    mean=_mean,
    sign=lambda x: x.call("sign", x),
    sqrt=lambda x: x.call("sqrt", x),
    where=_where,
)
