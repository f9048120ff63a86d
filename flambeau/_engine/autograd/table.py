"""The table of gradient rules, and how a rule's own argument names say what it needs.

A rule is one short function an operand, `lambda g, b: g * b`. Its argument names are:

- `g`: the gradient of the result (`gs`, a list, where there are several results; the same as
  `partial_gs` has None instead of zeros for results that no gradient reached);
- `out`: the result itself (`outs` where there are several), which is then saved;
- an operand's name from the primitive's row: that operand is saved;
- `<operand>_shape`, `<operand>_dtype`: known without saving anything;
- a parameter's name from the row.

So what a node keeps in memory is declared nowhere else. Rules are written with Tensor operators
and primitives, which makes them differentiable in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..base import dtypes
from ..prims import PRIMITIVES, Primitive

if TYPE_CHECKING:
    from .node import PrimitiveNode
    from .tensor import Tensor

Rule = Callable[..., Any] | None


class Gradient:
    """The gradient of one primitive: a rule an operand, or one joint rule for all of them."""

    def __init__(self, primitive: Primitive, functions: tuple[Rule, ...], joint: bool):
        self.primitive = primitive
        self.functions = functions
        self.joint = joint
        self.label = _label(primitive.name)
        self.reads_numbers = primitive.name in ("mul", "div")
        self.readers = tuple(_readers(primitive, f) for f in functions)
        self.partial = any(kind == "partial_gs" for readers in self.readers for kind, _ in readers)
        self.each_flows = tuple(f is not None for f in functions)
        # the operands in the order in which gradients are sent to them, unless it is their own
        self.order: tuple[int, ...] | None = None
        self._saves: dict[tuple[int, int], tuple[tuple[int, ...], bool]] = {}

    def flows(self, count: int) -> tuple[bool, ...]:
        """For each of `count` operands, whether a gradient can flow to it."""
        return (True,) * count if self.joint else self.each_flows

    def saves(self, mask: int, count: int) -> tuple[tuple[int, ...], bool]:
        """Which of `count` operands, and whether the results, are kept.

        The bits of `mask` say which operands want gradients, the first one's lowest.
        """
        found = self._saves.get((mask, count))
        if found is None:
            wanted = tuple(bool(mask >> i & 1) for i in range(count))
            found = self._saves[mask, count] = self._find_saves(wanted)
        return found

    def _find_saves(self, mask: tuple[bool, ...]) -> tuple[tuple[int, ...], bool]:
        keep: set[int] = set()
        out = False
        for position, readers in enumerate(self.readers):
            if not self.joint and not mask[position]:
                continue
            for kind, key in readers:
                if kind == "operand":
                    keep.add(key)
                elif kind == "operands":
                    keep.update(range(key, len(mask)))
                out = out or kind in ("out", "outs")
        return tuple(sorted(keep)), out

    def run(self, node: PrimitiveNode, grads: list[Tensor | None]) -> tuple[Any, ...]:
        """Apply the rules to the gradients of the node's results."""
        if self.joint:
            return tuple(self.functions[0](*_read(node, grads, self.readers[0])))  # type: ignore[misc]
        results: list[Any] = []
        for edge, function, readers in zip(node.edges, self.functions, self.readers, strict=True):
            if edge is None:
                results.append(None)
            else:
                results.append(function(*_read(node, grads, readers)))  # type: ignore[misc]
        return tuple(results)


GRADIENTS: dict[str, Gradient | None] = {}


def gradient(name: str, *functions: Rule, order: tuple[int, ...] | None = None) -> None:
    """Declare the gradient of a primitive: one rule an operand, None where there is none.

    Hooks of leaves among the operands are called in the operands' order, or in `order`.
    """
    primitive = PRIMITIVES[name]
    if len(functions) != len(primitive.operands):
        raise ValueError(f"{name} has {len(primitive.operands)} operands")
    found = Gradient(primitive, functions, joint=False)
    found.order = order
    _add(name, found)


def joint_gradient(name: str, function: Callable[..., Any]) -> None:
    """Declare a gradient by one function that gives a tuple, one entry an operand.

    `needs` among its arguments is a tuple of booleans: which operands want a gradient.
    """
    _add(name, Gradient(PRIMITIVES[name], (function,), joint=True))


def no_gradient(*names: str) -> None:
    """Declare that no gradient flows through these primitives."""
    for name in names:
        if name not in PRIMITIVES:
            raise KeyError(name)
        _add(name, None)


def _add(name: str, found: Gradient | None) -> None:
    if name in GRADIENTS:
        raise ValueError(f"two gradients for primitive {name}")
    GRADIENTS[name] = found


def _label(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Backward0"


def _readers(primitive: Primitive, function: Rule) -> tuple[tuple[str, Any], ...]:
    """How to fetch each argument of a rule from a node: pairs of a kind and a key."""
    if function is None:
        return ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return tuple(_reader(primitive, name) for name in names)


def _reader(primitive: Primitive, name: str) -> tuple[str, Any]:
    if name in ("g", "gs", "partial_gs", "out", "outs", "needs"):
        return (name, None)
    if name in primitive.params:
        return ("param", name)
    for position, operand in enumerate(primitive.operands):
        bare = operand.lstrip("*")
        kind = "operands" if operand.startswith("*") else "operand"
        for suffix, read in (("", kind), ("_shape", "shape"), ("_dtype", "dtype")):
            if name == bare + suffix:
                return (read if kind == "operand" or not suffix else read + "s", position)
    raise ValueError(f"gradient of {primitive.name}: no meaning for argument {name!r}")


def _read(node: PrimitiveNode, grads: list[Any], readers: tuple[tuple[str, Any], ...]) -> list[Any]:
    return [_FETCH[kind](node, grads, key) for kind, key in readers]


class _Results:
    """A node's results, each unpacked (and checked for changes) only when the rule reads it."""

    def __init__(self, node: Any):
        self.node = node

    def __getitem__(self, index: int) -> Tensor:
        return self.node.out(index)


_FETCH: dict[str, Callable[[Any, list[Any], Any], Any]] = {
    "g": lambda node, grads, key: grads[0],
    "gs": lambda node, grads, key: grads,
    "partial_gs": lambda node, grads, key: grads,
    "out": lambda node, grads, key: node.out(0),
    "outs": lambda node, grads, key: _Results(node),
    "needs": lambda node, grads, key: tuple(e is not None for e in node.edges),
    "param": lambda node, grads, key: node.params[key],
    "operand": lambda node, grads, key: node.input(key),
    "operands": lambda node, grads, key: [node.input(i) for i in range(key, len(node.inputs))],
    "shape": lambda node, grads, key: node.inputs[key][0],
    "dtype": lambda node, grads, key: dtypes.from_numpy(node.inputs[key][1]),
    "shapes": lambda node, grads, key: [meta[0] for meta in node.inputs[key:]],
    "dtypes": lambda node, grads, key: [dtypes.from_numpy(m[1]) for m in node.inputs[key:]],
}
