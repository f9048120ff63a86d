"""Sums of many small products of one kind become one product, and sums of sums one sum.

    a'x + b'y + ...  =  [a; b; ...]' [x; y; ...]

Where a weight is used at every step of time its gradient is such a sum. What lies one below the
other is often there already: a recurrent layer's outputs, and the gradients of its input's product.
Otherwise the kernels that make the pieces write them where they belong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import groupby
from math import prod

import numpy as np

from ..graph.ir import Graph, Node, Value, values_of
from .building import Builder, renamed, replaced, with_nodes

FEWEST = 4  # terms that are worth it
MOST_ROWS = 128  # of a piece; products of more are as fast by themselves
MOST_BYTES = 1 << 24  # of all pieces of a sum, which stay in memory till its end
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))

Pieces = tuple[Value, ...]  # what a term is made of: (a, b) of a product a'b, (a,) of a sum of rows


def gather(graph: Graph) -> Graph:
    """The graph with such sums made of few terms."""
    known = _Known(graph)
    builder = Builder()
    by: dict[Value, Value] = {}
    for place, node in enumerate(graph.nodes):
        builder.event = node.event
        if known.is_total(node):
            total = _Total(known, builder, node, place, by).made()
            if total is not None:
                by[node.outputs[0]] = total
                continue
        builder.nodes.append(renamed(node, by))
    return with_nodes(graph, builder.nodes, by)


class _Known:
    """What is asked of a graph: who makes and reads a value, and in which columns it stands.

    Attributes:
        column: of a piece: a concatenation of rows, and its number among that one's operands.
    """

    def __init__(self, graph: Graph):
        self.position: dict[Value, int] = dict.fromkeys(graph.inputs, -1)
        self.makers: dict[Value, Node] = {}
        self.column: dict[Value, tuple[Node, int]] = {}
        self.uses = Counter(v for node in graph.nodes for v in values_of(node.inputs))
        self.uses.update(graph.results())
        self.added: set[Value] = set()  # read by a sum of the same event
        for place, node in enumerate(graph.nodes):
            for value in node.outputs:
                self.makers[value] = node
                self.position[value] = place
            if node.name == "cat" and node.params["dim"] == 0:
                for number, piece in enumerate(node.inputs):
                    self.column.setdefault(piece, (node, number))
            if node.name == "add":
                self.added |= {x for x in values_of(node.inputs) if self._joins(x, node)}

    def _joins(self, x: Value, node: Node) -> bool:
        """Whether a value is an intermediate sum of `node`, an addition."""
        maker = self.makers.get(x)
        if maker is None or maker.name != "add" or self.uses[x] > 1:
            return False
        return maker.event == node.event and x.shape == node.outputs[0].shape

    def is_total(self, node: Node) -> bool:
        """Whether a node is the last of some additions."""
        if node.name != "add" or node.outputs[0] in self.added:
            return False
        return node.outputs[0].dtype in _DTYPES and any(
            x in self.added for x in values_of(node.inputs)
        )

    def terms(self, total: Node) -> list[Value]:
        """What is added up, in order."""
        found: list[Value] = []
        stack = [total.outputs[0]]
        while stack:
            value = stack.pop()
            if value is total.outputs[0] or value in self.added:
                stack.extend(reversed(self.makers[value].inputs))
            else:
                found.append(value)
        return found

    def pieces(self, term: Value, event: int) -> Pieces | None:
        """The pieces of a term that may be put together with others."""
        node = self.makers.get(term)
        if node is None or self.uses[term] > 1 or node.event != event:
            return None
        if node.name == "sum":
            found: Pieces = (node.inputs[0],)
            if node.params["dims"] != (0,) or node.params["keepdim"]:
                return None
        elif node.name == "matmul":
            turned = self.makers.get(node.inputs[0])
            if turned is None or turned.name != "permute" or turned.params["dims"] != (1, 0):
                return None
            found = (turned.inputs[0], node.inputs[1])
        else:
            return None
        fits = all(len(x.shape) == 2 and x.shape[0] <= MOST_ROWS for x in found)
        return found if fits and all(x.dtype == term.dtype for x in found) else None


class _Total:
    """One sum, and what it becomes.

    Args:
        place: where it stands in the graph.
        by: what earlier values have become.
    """

    def __init__(
        self, known: _Known, builder: Builder, node: Node, place: int, by: dict[Value, Value]
    ):
        self.known, self.builder, self.node, self.place, self.by = known, builder, node, place, by
        self._there: dict[Node, bool] = {}

    def made(self) -> Value | None:
        """The sum of fewer terms; None if there is nothing to gain."""
        groups: dict[Hashable, list[Pieces]] = {}
        whole: list[Value] = []
        parts: dict[Pieces, Value] = {}
        for term in self.known.terms(self.node):
            pieces = self.known.pieces(term, self.node.event) if _is_value(term) else None
            if pieces is None or pieces in parts:
                whole.append(term)
                continue
            parts[pieces] = term
            groups.setdefault(tuple(x.shape[1] for x in pieces), []).append(pieces)
        out: list[Value] = []
        for members in groups.values():
            for run in self._runs(members):
                if len(run) < FEWEST or sum(map(_bytes, run)) > MOST_BYTES:
                    whole += [parts[pieces] for pieces in run]
                else:
                    out.append(self._term(run))
        if not out:
            return None
        out += replaced(whole, self.by)
        total = out[0]
        for term in out[1:]:
            total = self.builder.call("add", total, term)
        return total

    def _term(self, run: list[Pieces]) -> Value:
        columns = [self._rows([pieces[number] for pieces in run]) for number in range(len(run[0]))]
        if len(columns) == 1:
            return self.builder.call("sum", columns[0], dims=(0,), keepdim=False)
        return self.builder.call("matmul", self.builder.permute(columns[0], (1, 0)), columns[1])

    def _runs(self, members: list[Pieces]) -> list[list[Pieces]]:
        """Terms in the order of the first pieces' column, cut where the other pieces' ends."""
        places = [self._column(pieces[0]) for pieces in members]
        if all(places) and len({place[0] for place in places if place}) == 1:
            order = {pieces: place[1] for pieces, place in zip(members, places) if place}
            members = sorted(members, key=order.__getitem__)

        def key(item: tuple[int, Pieces]) -> Hashable:
            found = [self._column(piece) for piece in item[1][1:]]
            return tuple(column and (column[0], column[1] - item[0]) for column in found)

        return [[x for _, x in run] for _, run in groupby(enumerate(members), key)]

    def _column(self, piece: Value) -> tuple[Node, int] | None:
        """The column that a piece stands in, if that can be had here; and its place there."""
        found = self.known.column.get(piece)
        if found is None:
            return None
        node = found[0]
        if node not in self._there:
            self._there[node] = self._is_there(node)
        return found if self._there[node] else None

    def _is_there(self, column: Node) -> bool:
        """Whether a column can be had here: what stands further down is computed here, and there
        no more."""
        position = self.known.position
        if position[column.outputs[0]] < self.place:
            return True
        possible = all(position[x] < self.place for x in values_of(column.inputs))
        return possible and column.event == self.node.event

    def _rows(self, pieces: Sequence[Value]) -> Value:
        """The pieces, one below the other."""
        builder = self.builder
        places = [self._column(piece) for piece in pieces]
        first = places[0]
        if first is None or any(
            place != (first[0], first[1] + n) for n, place in enumerate(places)
        ):
            return builder.call("cat", *replaced(pieces, self.by), dim=0)
        node, number = first
        column = node.outputs[0]
        if self.known.position[column] >= self.place:
            column = builder.call("cat", *replaced(node.inputs, self.by), dim=0)
        column = self.by.get(column, column)
        start = sum(x.shape[0] for x in node.inputs[:number])
        rows = sum(x.shape[0] for x in pieces)
        if rows == column.shape[0]:
            return column
        return builder.slice(column, ((start, start + rows, 1), (0, column.shape[1], 1)))


def _is_value(x: object) -> bool:
    return isinstance(x, Value)


def _bytes(pieces: Pieces) -> int:
    return sum(prod(x.shape) * x.dtype.itemsize for x in pieces)
