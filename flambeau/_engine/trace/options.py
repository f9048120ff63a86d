"""An optimizer's numbers as one expression of its options and counters.

A rule's `numbers` function is run once on symbols: what it returns is then a Python expression of
the group's options and of the counters, and each further step evaluates only that. A rule that
asks more of its numbers than arithmetic and comparisons is called anew at each step instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.tensor import wrap
from .symbols import Numbers, Varying

# (group, counters before) -> (numbers, counters after), or None where an option is another one
Evaluate = Callable[[dict[str, Any], list[float]], tuple[float, ...] | None]


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
) -> Evaluate | None:  # fmt: skip
    """The numbers `names`, and the counters after them, as a function; None if there is none.

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
        checks.append(f"c[{position}] > {1 << 23}")  # where float32 still counts by ones
        scratch[name] = wrap(_Counter(Varying(numbers, value, f"c[{position}]")))  # type: ignore
    try:
        found = rule.numbers(options, scratch, param)
    except (TypeError, AttributeError, ValueError):
        return None
    values = [found[name] for name in names]
    values += [scratch[name].__dict__["_array"].item() for name in counters]
    if not all(isinstance(x, (Varying, float)) for x in values):
        return None
    texts = [x.text if isinstance(x, Varying) else repr(x) for x in values]
    return _compiled([*checks, *(f"not ({guard})" for guard in numbers.guards)], texts)


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
        checks.append(f"len({place}) != {len(x)}")
        checks.extend(f"type({place}[{i}]) is not float" for i in range(len(x)))
        return type(x)(Varying(numbers, one, f"{place}[{i}]") for i, one in enumerate(x))
    # what schedules note in a group, and numbers that are none: only equal ones fit
    if type(x) in (int, str):
        checks.append(f"{place} != {x!r} or type({place}) is not {type(x).__name__}")
        return x
    return _OTHER


def _compiled(checks: list[str], texts: list[str]) -> Evaluate:
    lines = ["def evaluate(g, c):"]
    lines += [f"    if {check}: return None" for check in dict.fromkeys(checks)]
    lines += ["    return [" + ", ".join(texts) + "]"]
    lines[1:] = ["    try:", *(f"    {line}" for line in lines[1:])]
    lines += ["    except KeyError: return None"]
    scope: dict[str, Any] = {}
    exec("\n".join(lines), scope)  # of this module's own making
    return scope["evaluate"]
