"""An optimizer's numbers as one expression of its options and counters.

A rule's `numbers` function is run once on symbols: what it returns is then a Python expression of
the group's options and of the counters, and each further step evaluates only that. A rule that
asks more of its numbers than arithmetic and comparisons is called anew at each step instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..autograd.tensor import wrap
from .symbols import Numbers, Varying


class Expression(NamedTuple):
    """Python expressions of a group `g` and of the counters before a step, `c0`, `c1` ...

    Attributes:
        checks: what must not hold of them; where one has no answer there is a KeyError.
        texts: the numbers, and the counters afterwards.
        evaluate: both in a function of `g`, `c0` ...: the numbers, or None where a check holds.
    """

    checks: tuple[str, ...]
    texts: tuple[str, ...]
    evaluate: Callable[..., list[float] | None]


class _Counter:
    """Stands for a counter's array, while a rule counts on."""

    def __init__(self, number: Varying):
        self.number = number

    def __iadd__(self, other: Any) -> _Counter:
        self.number = self.number + other  # type: ignore[operator]
        return self

    def item(self) -> Varying:
        """The counter as a number."""
        return self.number


def expression_of(
    rule: Any, group: dict[str, Any], state: dict[str, Any], counters: tuple[str, ...],
    names: tuple[str, ...], param: Any,
) -> Expression | None:  # fmt: skip
    """The numbers `names`, and the counters after them, as expressions; None if there are none.

    Its counters must be whole numbers: adding one to them is exact in float32 as it is here.
    """
    numbers = Numbers()
    checks = [f"len(g) != {len(group)}"]  # schedules add options
    options = {key: _option(numbers, checks, key, x) for key, x in group.items() if key != "params"}
    if any(x is _OTHER for x in options.values()):
        return None
    options["params"] = group["params"]
    scratch = dict(state)
    for position, name in enumerate(counters):
        value = state[name].__dict__["_array"].item()
        if not float(value).is_integer():
            return None
        checks.append(f"c{position} > {1 << 23}")  # where float32 still counts by ones
        scratch[name] = wrap(_Counter(Varying(numbers, value, f"c{position}")))  # type: ignore
    try:
        rule.tensors(options, param)  # which ones it asks for is to come out the same
        found = rule.numbers(options, scratch, param)
    except (TypeError, AttributeError, ValueError):
        return None
    values = [found[name] for name in names]
    values += [scratch[name].__dict__["_array"].item() for name in counters]
    if not all(isinstance(x, (Varying, float)) for x in values):
        return None
    texts = [x.text if isinstance(x, Varying) else repr(x) for x in values]
    all_checks = dict.fromkeys([*checks, *(f"not ({guard})" for guard in numbers.guards)])
    return _compiled(tuple(all_checks), tuple(texts), len(counters))


_OTHER = object()


def _option(numbers: Numbers, checks: list[str], key: str, x: Any) -> Any:
    place = f"g[{key!r}]"
    if type(x) is float:
        checks.append(f"type({place}) is not float")
        return Varying(numbers, x, place)
    if x is None or type(x) is bool:
        checks.append(f"{place} is not {x}")
        return x
    if type(x) in (tuple, list) and all(type(one) is float for one in x):
        checks.append(f"type({place}) is not {type(x).__name__} or len({place}) != {len(x)}")
        checks.extend(f"type({place}[{i}]) is not float" for i in range(len(x)))
        return type(x)(Varying(numbers, one, f"{place}[{i}]") for i, one in enumerate(x))
    # what schedules note in a group, and numbers that are none: only equal ones fit
    if type(x) in (int, str):
        checks.append(f"{place} != {x!r} or type({place}) is not {type(x).__name__}")
        return x
    return _OTHER


def _compiled(checks: tuple[str, ...], texts: tuple[str, ...], counters: int) -> Expression:
    lines = [
        f"def evaluate(g{''.join(f', c{i}' for i in range(counters))}):",
        "    try:",
        *(f"        if {check}: return None" for check in checks),
        "    except KeyError: return None",
        f"    return [{', '.join(texts)}]",
    ]
    scope: dict[str, Any] = {}
    exec("\n".join(lines), scope)  # of this module's own making
    return Expression(checks, texts, scope["evaluate"])
