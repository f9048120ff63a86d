"""Which histories a backward could still start from, and what stands for one that it cannot."""

from __future__ import annotations

from collections.abc import Iterable

from ..autograd.backward import nodes_from
from ..autograd.node import Edge, Node as TapeNode, PrimitiveNode, freed_error
from ..autograd.tensor import Tensor


class FreedNode(TapeNode):
    """The history of a result whose graph has been used up by a replayed backward.

    Its edges lead to the leaves that the result depends on, so that whoever asks for the gradient
    of one of them is told.
    """

    released = True
    sequence = 0

    def __init__(self, label: str, edges: tuple[Edge, ...] = ()):
        self.label = label
        self.edges = edges

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        raise freed_error()


def leaves_before(node: TapeNode) -> list[Tensor]:
    """The leaves that a history leads to."""
    leaves: dict[int, Tensor] = {}
    for each in nodes_from([node]):
        ends = (e[0] for e in each.edges if e is not None)
        leaves |= {id(end): end for end in ends if not isinstance(end, TapeNode)}
    return list(leaves.values())


def used_up(nodes: Iterable[TapeNode]) -> set[TapeNode]:
    """Of these nodes, and those before them, the ones that no backward can start from again."""
    used: set[TapeNode] = set()
    for node in sorted(nodes_from(nodes), key=lambda n: n.sequence):
        if node.released or any(
            e is not None and isinstance(e[0], TapeNode) and e[0] in used for e in node.edges
        ):
            used.add(node)
    return used


def differentiable(node: TapeNode) -> bool:
    """Whether a backward from a node could still succeed: nothing it needs has been freed."""
    seen: set[int] = set()
    stack = [node]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.released:
            return False
        if not isinstance(node, PrimitiveNode) and node.edges == ():
            return False
        stack.extend(e[0] for e in node.edges if e is not None and isinstance(e[0], TapeNode))
    return True
