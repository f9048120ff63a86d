"""Numbers in the calls of ops that may be others at each run: loss weights, temperatures, rates.

A number is a constant of its event's guard at first. When the same event comes with another one,
it is recorded anew, and the number is then an input of the program (a `Varies` in the pattern).
While recording, the op is run with a float *object* of its own, and wherever this object arrives
at a primitive, in the op or in a backward later, the recorder knows it again by identity.

That is right as long as ops hand the object on and compute nothing with it in Python. So only the
arguments in `ARGUMENTS` may vary, whose ops have been read for that; what little these compute is
written there too. And only the primitives in `TAKERS` may receive a number that varies: gradient
rules hand the numbers of those on to others of those, and compute nothing either. A number that
arrives nowhere (beside complex tensors, say) remains a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .memory import Unrecordable
from .pattern import Constant, Input, Mapping, Result, Sequence, Varies, key_of, same
from .symbols import Varying

MOST = 2**53  # integers up to here are floats exactly
_NUMPY = (np.float64, np.float32)


# --- which values take the same way through an op's body ----------------------------------------


def is_number(x: Any) -> bool:
    """Whether an op does with x what it does with a float."""
    kind = type(x)
    return kind is float or kind is int and -MOST <= x <= MOST or kind in _NUMPY


def is_float(x: Any) -> bool:
    """Whether x is exactly a float."""
    return type(x) is float


def is_near(x: Any) -> bool:
    """Whether `lerp` starts from its first end."""
    return is_number(x) and abs(x) < 0.5


def is_far(x: Any) -> bool:
    """Whether `lerp` starts from its second end."""
    return is_number(x) and not abs(x) < 0.5


def is_rate(x: Any) -> bool:
    """Whether x is a probability with which something is dropped, and not all."""
    return type(x) in (float, np.float64) and 0.0 < x < 1.0  # a float32's 1 - p is another


# --- which arguments, and which primitives -------------------------------------------------------


class Derived(NamedTuple):
    """What arrives at a primitive instead of the number itself.

    Attributes:
        place: the operand's position, or the parameter's name.
        formula: given the result's dtype, a Python expression of the number `{}`.
    """

    primitive: str
    place: int | str
    formula: Callable[[Any], str]


class Argument(NamedTuple):
    """An argument that may vary, for values that fit.

    Attributes:
        position: among the positional ones; None where it is given by name only.
        apart: values that fit, but with which the op is not recorded: it leaves something out
            then that would change nothing.
        beside: floating tensors are among the other arguments: then int and float do the same.
    """

    name: str
    position: int | None
    fits: Callable[[Any], bool] = is_number
    derived: tuple[Derived, ...] = ()
    beside: bool = True
    apart: tuple[Any, ...] = ()


def _kept_scale(dtype: np.dtype) -> str:
    return "1.0 / (1.0 - {})" if dtype.itemsize == 8 else "float32_reciprocal(1.0 - {})"


_INPUT, _OTHER, _VALUE = Argument("input", 0), Argument("other", 1), Argument("value", 1)
_ALPHA, _FACTOR = (Argument(name, None, apart=(1,)) for name in ("alpha", "value"))
_MIN, _MAX = Argument("min", 1), Argument("max", 2)
_WEIGHTS = (
    Argument("weight", 2, is_near),
    Argument("weight", 2, is_far, (Derived("mul", 1, lambda dtype: "1 - {}"),)),
)
_RATE = (
    Derived("dropout_mask", "keep", lambda dtype: "1.0 - {}"),
    Derived("dropout_mask", "scale", _kept_scale),
)
_P = (Argument("p", 1, is_rate, _RATE),)
_IN_PLACE: dict[str, tuple[Argument, ...]] = {
    **dict.fromkeys(("add", "sub"), (_INPUT, _OTHER, _ALPHA)),
    **dict.fromkeys(("mul", "div", "true_divide"), (_INPUT, _OTHER)),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), (_OTHER,)),
    **dict.fromkeys(("addcmul", "addcdiv"), (_FACTOR,)),
    "clamp": (_MIN, _MAX), "clamp_min": (_MIN,), "clamp_max": (Argument("max", 1),),
    "lerp": _WEIGHTS, "dropout": _P, "feature_dropout": _P,
    "masked_fill": (Argument("value", 2),),
}  # fmt: skip
ARGUMENTS: dict[str, tuple[Argument, ...]] = {
    **_IN_PLACE,
    **{f"{name}_": found for name, found in _IN_PLACE.items()},
    "rsub": (_OTHER, _ALPHA),
    "where": (Argument("input", 1), Argument("other", 2)),
    "fill_": (_VALUE,),
    "full": (Argument("fill_value", 1, is_float, beside=False),),
    "full_like": (Argument("fill_value", 1),),
    "nn.functional.gumbel_softmax": (Argument("tau", 1),),
    **{f"nn.functional.dropout{d}": _P for d in ("", "1d", "2d", "3d")},
}

# primitives that a number may vary in, and where
TAKERS: dict[str, tuple[int | str, ...]] = {
    **dict.fromkeys("add sub mul div lt le gt ge eq ne maximum minimum".split(), (0, 1)),
    "where": (1, 2),
    "full": ("value",),
}


# --- while recording ----------------------------------------------------------------------------


class Handed:
    """The floats that stand for numbers that vary: what the recorder asks at each primitive.

    Attributes:
        known: each of them by its identity, and the number that it stands for.
        expected: what the present event derives from its numbers.
        arrived: what has come to a primitive in the present event.
        strayed: likewise, where the primitive is none of TAKERS; and its name.
    """

    def __init__(self) -> None:
        self.known: dict[int, tuple[float, Varying]] = {}
        self.expected: dict[tuple[str, int | str], tuple[Derived, Varying]] = {}
        self.arrived: set[Any] = set()
        self.strayed: dict[int, str] = {}

    def begin(self) -> None:
        """An event begins."""
        self.expected.clear()
        self.arrived.clear()
        self.strayed.clear()

    def hand(self, varying: Varying) -> float:
        """A float object of its own for a number."""
        made = varying.value * 1.0  # a new object
        self.known[id(made)] = made, varying
        return made

    def recognised(
        self, name: str, operands: tuple, params: dict[str, Any], dtype: np.dtype | None
    ) -> tuple[tuple, dict[str, Any]]:
        """A primitive's operands and parameters, with numbers where their floats stand."""
        named = {key: self._number(x, name, key, dtype) for key, x in params.items()}
        return tuple(self._number(x, name, at, dtype) for at, x in enumerate(operands)), named

    def _number(self, x: Any, name: str, place: int | str, dtype: np.dtype | None) -> Any:
        if type(x) is not float:
            return x
        found = self.known.get(id(x))
        if found is not None:
            floating = dtype is not None and dtype.kind in "fV"
            if place in TAKERS.get(name, ()) and (floating or name != "full"):
                self.arrived.add(id(x))
                return found[1]
            self.strayed[id(x)] = name
            return x
        expected = self.expected.get((name, place))
        if expected is None:
            return x
        derived, number = expected
        made = number.derived(derived.formula(dtype))
        if repr(made.value) != repr(x):  # to the bit, and NaN is NaN
            raise Unrecordable("a number that is derived in another way than expected")
        self.known[id(x)] = x, made
        self.arrived.add((name, place))
        return made


class Floats:
    """The numbers that vary in a recording.

    Attributes:
        place: where in the tree the recording is, if only numbers have been others so far.
        found: the present event's numbers that could vary, by their place in the call.
        varied: what of them must arrive at primitives (see `Handed.arrived`).
        own: the identities of the floats that the event has been given.
        constants: the patterns of its arguments if nothing varies.
    """

    def __init__(self, handed: Handed, root: Any):
        self.handed = handed
        self.place: Any = root
        self.beside: Any = None
        self.found: dict[int | str, tuple[Argument, Any]] = {}
        self.varied: set[Any] = set()
        self.own: set[int] = set()
        self.constants: tuple[Any, Any] = ((), ())

    def begin(self, descriptor: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """The arguments of an event that begins, with NumPy's numbers made Python's."""
        self.handed.begin()
        self.found, self.beside = {}, None
        self.varied.clear()
        self.own.clear()
        for argument in ARGUMENTS.get(descriptor.name, ()):
            key: Any = argument.position
            values: Any = args
            if key is None or key >= len(args):
                key, values = argument.name, kwargs
                if key not in kwargs:
                    continue
            if argument.fits(values[key]) and values[key] not in argument.apart:
                self.found[key] = argument, values[key]
        numpy = {key: float(x) for key, (_, x) in self.found.items() if type(x) in _NUMPY}
        return _exchanged(args, kwargs, numpy) if numpy else (args, kwargs)

    def vary(self, recording: Any, node: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Let numbers vary where the tree has others, and give them floats of their own."""
        if not self.found:
            return args, kwargs
        found = {
            key: argument.fits
            for key, (argument, _) in self.found.items()
            if not argument.beside or _beside_floating(recording, node)
        }
        self.beside = like(self.place, node, dict.fromkeys(found, _is_some_number))
        keys = [key for key in found if self._is_another(key)]
        if any(type(x) in _NUMPY and key not in keys for key, (_, x) in self.found.items()):
            recording.recorder.fail(f"{node.descriptor.name}: a number of NumPy's")
            return args, kwargs
        if not keys:
            return args, kwargs
        self.constants = node.args, node.kwargs
        given: dict[int | str, float] = {}
        patterns: dict[int | str, Any] = {}
        for key in keys:
            argument, value = self.found[key]
            patterns[key] = Varies(len(recording.numbers), argument.fits)
            number = recording.give(value).derived("float({})")
            given[key] = made = self.handed.hand(number)
            self.own.add(id(made))
            for derived in argument.derived:
                self.handed.expected[derived.primitive, derived.place] = derived, number
                self.varied.add((derived.primitive, derived.place))
            if not argument.derived:
                self.varied.add(id(made))
        items, named = _exchanged(node.args.items, dict(node.kwargs.items), patterns)
        node.args, node.kwargs = Sequence(tuple, items), Mapping(tuple(named.items()))
        return _exchanged(args, kwargs, given)

    def _is_another(self, key: int | str) -> bool:
        """Whether a number is not what it was the last time (NumPy's vary from the first)."""
        value = self.found[key][1]
        if type(value) in _NUMPY:
            return True
        if self.beside is None:
            return False
        before = dict(_arguments(self.beside))[key]
        return isinstance(before, Varies) or not same(before.value, value)

    def settle(self, recording: Any, node: Any) -> None:
        """The event is over: whether its numbers have arrived.

        Raises:
            Unrecordable: in part; or where a number that varies must not be.
        """
        handed = self.handed
        arrived = self.varied & handed.arrived
        strayed = [name for one, name in handed.strayed.items() if arrived or one not in self.own]
        if strayed:
            raise Unrecordable(f"a number that varies comes to {strayed[0]}")
        if arrived == self.varied:
            return
        if arrived or any(type(x) in _NUMPY for _, x in self.found.values()):
            raise Unrecordable("a number that cannot vary")
        node.args, node.kwargs = self.constants
        for one in self.own:
            del handed.known[one]
        del recording.numbers[node.numbers_before :]
        recording.recorder.numbers.given = node.numbers_before
        self.beside = None

    def follow(self, node: Any) -> None:
        """Go on to where the tree has an event like this one."""
        if self.place is not None:
            self.place = self.beside or self.place.child_like(node)
            self.beside = None


def _beside_floating(recording: Any, node: Any) -> bool:
    """Whether an event's tensors are floating, but for masks."""
    kinds = set()
    for _, pattern in _arguments(node):
        if isinstance(pattern, Result):
            kinds.add(recording.metas[pattern.slot].dtype.kind)
        elif isinstance(pattern, Input):
            kinds.add(recording.inputs[pattern.number].__dict__["_array"].dtype.kind)
    return bool(kinds & {"f", "V"}) and kinds <= {"f", "V", "b"}


def _arguments(node: Any) -> Iterator[tuple[int | str, Any]]:
    yield from enumerate(node.args.items)
    yield from node.kwargs.items


def _exchanged(args: tuple, kwargs: dict, by: dict[int | str, Any]) -> tuple[tuple, dict]:
    return (
        tuple(by.get(position, x) for position, x in enumerate(args)),
        {key: by.get(key, x) for key, x in kwargs.items()},
    )


# --- in the tree ---------------------------------------------------------------------------------


Likeness = dict[int | str, Callable[[Any], bool]]  # which patterns an argument may have


def like(parent: Any, node: Any, numbers: Likeness) -> Any:
    """The child that is the same call as `node` but for these numbers."""
    if parent is None:
        return None
    found = [child for child in parent.children if _is_like(child, node, numbers)]
    return max(found, key=_generality, default=None)


def _generality(node: Any) -> int:
    return sum(isinstance(pattern, Varies) for _, pattern in _arguments(node))


def _is_some_number(pattern: Any) -> bool:
    return isinstance(pattern, Varies) or (
        isinstance(pattern, Constant) and is_number(pattern.value)
    )


def _is_like(child: Any, node: Any, numbers: Likeness) -> bool:
    if child.descriptor is not node.descriptor or child.modes() != node.modes():
        return False
    mine, others = list(_arguments(node)), list(_arguments(child))
    if [key for key, _ in mine] != [key for key, _ in others]:
        return False
    for (key, pattern), (_, other) in zip(mine, others, strict=True):
        may_be = numbers.get(key)
        if may_be is not None:
            if not may_be(other):
                return False
        elif key_of(pattern, node.specs) != key_of(other, child.specs):
            return False
    return True


def supersede(parent: Any, node: Any) -> None:
    """A new child with numbers that vary stands for those with constants in their place."""
    numbers = {key: _covered_by(p.fits) for key, p in _arguments(node) if isinstance(p, Varies)}
    if numbers:
        parent.children[:] = [
            child
            for child in parent.children
            if child is node or child.key[3:] != node.key[3:] or not _is_like(child, node, numbers)
        ]


def _covered_by(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def covered(pattern: Any) -> bool:
        if isinstance(pattern, Varies):
            return pattern.fits is fits
        return isinstance(pattern, Constant) and fits(pattern.value)

    return covered


__all__ = ["ARGUMENTS", "TAKERS", "Floats", "Handed", "like", "supersede"]
