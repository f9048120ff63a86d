"""The engine: walks the tape from the latest node to the earliest, and sums gradients.

No recursion: graphs of any depth work. Nodes run in the reverse order of their creation, which
is a topological order and PyTorch's own, so gradients are summed in the same order.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..base import dtypes, state
from .callbacks import Call, RetainedGradient, Steps
from .calls import P, constant_like
from .mode import mode
from .node import Node, PrimitiveNode, edge_to
from .tensor import Tensor, storage_of


def steps(
    roots: Sequence[Tensor],
    grads: Sequence[Tensor],
    *,
    retain_graph: bool,
    inputs: Sequence[Tensor] | None = None,
    accumulate: bool = True,
) -> Steps:
    """Differentiate `roots`, weighted by `grads`; see `callbacks.advance`.

    With `inputs`, only those are reached; `accumulate` adds to their `.grad`, otherwise their
    gradients are returned in order. Without, every leaf's `.grad` grows.
    """
    task = _Task(inputs, accumulate, retain_graph)
    task.seed(roots, grads)
    yield from task.run()
    found = task.results()
    if not accumulate:
        return found
    for t, grad in zip(inputs or (), found, strict=True):
        if grad is not None:
            accumulate_grad(t, grad)
    return None


class _Task:
    """One backward pass: pending gradients by node, and what to do at the targets."""

    def __init__(self, inputs: Sequence[Tensor] | None, accumulate: bool, retain: bool):
        self.retain = retain
        self.accumulate = accumulate
        self.inputs = inputs
        self.pending: dict[Node, list[Tensor | None]] = {}
        self.heap: list[tuple[int, int, Node]] = []
        self.captured: dict[int, Tensor] = {}
        # what `inputs` asks for: leaves by identity, results by (node, output index)
        self.leaves: dict[int, Tensor] = {}
        self.results_of: dict[Node, dict[int, int]] = {}
        self.wanted: set[Node] | None = None
        # by identity, in the order in which they were last added to
        self.leaf_sums: dict[int, tuple[Tensor, Tensor]] = {}
        # how many more each leaf may get; counted where that matters
        self.to_come: Counter[int] | None = None
        if inputs is not None:
            self._set_targets(inputs)

    def _set_targets(self, inputs: Sequence[Tensor]) -> None:
        for t in inputs:
            target, index = edge_to(t) or (t, 0)
            if isinstance(target, Node):
                self.results_of.setdefault(target, {})[index] = id(t)
            else:
                self.leaves[id(t)] = t

    def seed(self, roots: Sequence[Tensor], grads: Sequence[Tensor]) -> None:
        """Put the roots' gradients in place."""
        edges = [edge_to(root) for root in roots]
        if self.inputs is not None:
            self.wanted = _nodes_that_reach(
                [e[0] for e in edges if e is not None and isinstance(e[0], Node)],
                set(self.leaves),
                set(self.results_of),
            )
        for edge, grad in zip(edges, grads, strict=True):
            if edge is not None:
                self.send(edge, grad)

    def send(self, edge: tuple[Any, int], grad: Tensor) -> None:
        """Add a gradient to what waits at the end of an edge."""
        target, index = edge
        if not isinstance(target, Node):
            self._reach_leaf(target, grad)
            return
        if self.wanted is not None and target not in self.wanted:
            return
        waiting = self.pending.get(target)
        if waiting is None:
            waiting = self.pending[target] = [None] * target.outputs
            heapq.heappush(self.heap, (-target.sequence, id(target), target))
        held = waiting[index]
        waiting[index] = grad if held is None else add(held, grad)

    def run(self) -> Steps:
        """Run nodes, latest first, until none waits; then hand gradients to the leaves."""
        while self.heap:
            node = heapq.heappop(self.heap)[2]
            grads = self.pending.pop(node)
            if node.opaque or node.retained or node.hooks or node.pre_hooks:
                yield from self._visit_asking(node, grads)
            else:
                self._visit(node, grads)
        for leaf, grad in list(self.leaf_sums.values()):
            yield from self._finish_leaf(leaf, grad)

    def _visit(self, node: Node, grads: list[Tensor | None]) -> None:
        if not self.results_of or self._capture(node, grads):
            results = _apply(node, grads)
            _mark_fresh(results, grads)
            self._pass_on(node, results)

    def _visit_asking(self, node: Node, grads: list[Tensor | None]) -> Steps:
        """Run a node around which, or in which, Python of the user's is called."""
        yield from self._finish_complete(node)
        if node.retained:
            yield from _ask_watchers(node.retained, grads)
        if self.results_of and not self._capture(node, grads):
            return
        if node.pre_hooks:
            grads = list((yield Call(partial(_call_pre_hooks, node)), tuple(grads)))
        if node.opaque and not mode.anomaly:
            results = yield node.context, node.prepared(grads)  # type: ignore[attr-defined]
        else:
            results = _apply(node, grads)
        if node.opaque or node.hooks or node.pre_hooks:
            for grad in (*grads, *results):
                _mark_seen(grad)  # user code may have kept them
        else:
            _mark_fresh(results, grads)
        if node.hooks:
            results = yield Call(partial(_call_hooks, node, grads)), tuple(results)
        self._pass_on(node, results)

    def _pass_on(self, node: Node, results: Sequence[Tensor | None]) -> None:
        if not self.retain:
            node.release()
        metas = node.inputs
        if self.to_come is not None:
            self.to_come.subtract(_leaves_of(node))
        sends = list(zip(node.edges, results, strict=True))
        order = None if node.gradient is None else node.gradient.order
        for position in order or range(len(sends)):
            edge, result = sends[position]
            if edge is not None and result is not None:
                if metas is not None:
                    if node.opaque:
                        _check_shape(node, position, metas[position][0], result)
                    result = _fit(metas[position], result)
                self.send(edge, result)

    def _capture(self, node: Node, grads: list[Tensor | None]) -> bool:
        """Take what is asked for of this node's gradients; whether more lies beyond it."""
        wanted = self.results_of.get(node)
        if wanted is None:
            return True
        for index, key in wanted.items():
            if grads[index] is not None:
                _mark_seen(grads[index])
                self.captured[key] = grads[index]  # type: ignore[assignment]
        return self.wanted is None or self._continues(node)

    def _continues(self, node: Node) -> bool:
        """Whether something that is asked for lies beyond a captured node."""
        return _leads_to(node, self.wanted or set(), self.leaves)

    def _reach_leaf(self, leaf: Tensor, grad: Tensor) -> None:
        if self.inputs is not None and id(leaf) not in self.leaves:
            return
        held = self.leaf_sums.pop(id(leaf), None)
        self.leaf_sums[id(leaf)] = (leaf, grad if held is None else add(held[1], grad))

    def _finish_leaf(self, leaf: Tensor, grad: Tensor) -> Steps:
        if leaf._hooks:
            _mark_seen(grad)
            (grad,) = yield leaf._hooks, (grad,)
        if not self.accumulate:
            self.captured[id(leaf)] = grad
        elif leaf._requires_grad:  # it may have been switched off since
            accumulate_grad(leaf, grad)
            if leaf._post_accumulate_hooks:
                yield leaf._post_accumulate_hooks, (leaf,)

    def _finish_complete(self, node: Node) -> Steps:
        """Finish the leaves that get no more, before `node` lets Python of the user's run.

        They would have been finished as soon as they were complete; that is when their hooks are
        called, and what is left where something raises. Nobody sees it before.
        """
        if self.to_come is None:
            waiting = [node, *self.pending]
            reached = nodes_from(waiting)
            if self.wanted is not None:
                reached = [each for each in reached if each in self.wanted]
            self.to_come = Counter(leaf for each in reached for leaf in _leaves_of(each))
        for key, (leaf, grad) in list(self.leaf_sums.items()):
            if self.to_come[key] <= 0:
                del self.leaf_sums[key]
                yield from self._finish_leaf(leaf, grad)

    def results(self) -> list[Tensor | None]:
        """The captured gradients of `inputs`, in order."""
        return [self.captured.get(id(t)) for t in self.inputs or ()]


def nodes_from(roots: Iterable[Node]) -> list[Node]:
    """The nodes that can be reached, found without recursion."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        order.append(node)
        stack.extend(e[0] for e in node.edges if e is not None and isinstance(e[0], Node))
    return order


def _leaves_of(node: Node) -> list[int]:
    """The identities of the leaves at the ends of a node's edges."""
    return [id(e[0]) for e in node.edges if e is not None and not isinstance(e[0], Node)]


def _nodes_that_reach(roots: list[Node], leaves: set[int], targets: set[Node]) -> set[Node]:
    """The nodes from which a target can be reached."""
    wanted: set[Node] = set()
    for node in sorted(nodes_from(roots), key=lambda n: n.sequence):
        if node in targets or _leads_to(node, wanted, leaves):
            wanted.add(node)
    return wanted


def _leads_to(node: Node, nodes: set[Node], leaves: Container[int]) -> bool:
    """Whether an edge of `node` ends at one of `nodes`, or at a leaf of these identities."""
    return any(
        e is not None and (e[0] in nodes if isinstance(e[0], Node) else id(e[0]) in leaves)
        for e in node.edges
    )


def _apply(node: Node, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
    missing = grads[0] is None if len(grads) == 1 else any(g is None for g in grads)
    if missing and isinstance(node, PrimitiveNode) and not node.gradient.partial:
        if not node.out_metas:  # a single result, whose gradient a hook took away
            return (None,) * len(node.edges)
        grads = [
            _zeros(meta) if g is None else g for g, meta in zip(grads, node.out_metas, strict=True)
        ]
    if not mode.anomaly:
        return node.apply(grads)
    from .anomaly import checked

    return checked(node, grads)


def _zeros(meta: tuple[tuple[int, ...], np.dtype]) -> Tensor:
    return P.full(shape=meta[0], value=0, dtype=meta[1])


def _fit(meta: tuple[tuple[int, ...], np.dtype], grad: Tensor) -> Tensor:
    """Sum over broadcast dimensions, and drop the imaginary part for a real operand."""
    shape, dtype = meta
    array = grad._array
    if array.shape != shape:
        grad = sum_to(grad, shape)
    if array.dtype is not dtype and array.dtype != dtype:
        if grad._array.dtype.kind == "c" and dtype.kind != "c":
            grad = P.real_part(grad)
        if grad._array.dtype != dtype:
            grad = P.convert(grad, dtype=dtype)
    return grad


def as_gradient_of(root: Tensor, grad: Tensor) -> Tensor:
    """A gradient that somebody gives, in the dtype of what it is the gradient of."""
    dtype = root._array.dtype
    return grad if grad._array.dtype == dtype else P.convert(grad, dtype=dtype)


def _check_shape(node: Node, position: int, shape: tuple[int, ...], grad: Tensor) -> None:
    """See that a custom function's gradient may be summed to its operand's shape.

    Raises:
        RuntimeError: its shape is not one that the operand could be broadcast to.
    """
    found = grad._array.shape
    sizes = zip(reversed(shape), reversed(found), strict=False)
    if len(found) < len(shape) or any(size not in (1, wanted) for size, wanted in sizes):
        raise RuntimeError(
            f"Function {node.name()} returned an invalid gradient at index {position} - got "
            f"{list(found)} but expected shape compatible with {list(shape)}"
        )


def sum_to(grad: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Undo a broadcast: sum over the dimensions that were added or stretched."""
    lead = grad._array.ndim - len(shape)
    added = tuple(range(lead))
    stretched = tuple(
        d + lead for d, size in enumerate(shape) if size == 1 and grad._array.shape[d + lead] != 1
    )
    if not stretched:  # a bias, most often
        return P.sum(grad, dims=added, keepdim=False) if lead else grad
    grad = P.sum(grad, dims=added + stretched, keepdim=True)
    return P.view(grad, shape=shape) if lead else grad


def add(a: Tensor, b: Tensor) -> Tensor:
    """The sum of two gradients of one tensor."""
    total = P.add(a, b)
    total._fresh = True
    return total


def accumulate_grad(leaf: Tensor, grad: Tensor) -> None:
    """Add to a tensor's `.grad`, in place when the graph of the gradient is not wanted."""
    held = leaf._grad
    if held is None:
        if not mode.grad and _can_keep(grad):
            leaf._grad = _detached(grad)
            grad._fresh = False
        else:  # also what is expanded, for the next backward adds to it in place
            leaf._grad = P.copy(grad, order="K")
        if state.tracer is not None:
            state.tracer.accumulate(leaf, None, leaf._grad)
    elif mode.grad:
        leaf._grad = add(held, grad)
        if state.tracer is not None:
            state.tracer.accumulate(leaf, None, leaf._grad)
    else:
        if state.tracer is not None:
            state.tracer.accumulate(leaf, held, grad)
        np.add(held._array, grad._array, out=held._array, casting="unsafe")
        storage_of(held).version += 1


def _can_keep(grad: Tensor) -> bool:
    """Whether nobody else can see this gradient's memory, so that it need not be copied."""
    return grad._fresh and grad._view is None and grad._array.base is None


def _mark_seen(grad: Tensor | None) -> None:
    if grad is not None:
        grad._fresh = False


def _mark_fresh(results: Sequence[Tensor | None], grads: list[Tensor | None]) -> None:
    """Results are the engine's own, except gradients passed on to more than one place."""
    made = [result for result in results if result is not None]
    passed_on = {id(g) for g in grads}
    repeated: set[int] = set()
    identities = [id(result) for result in made]
    if len(made) > 1 and len(set(identities)) < len(made):
        repeated = {i for i, times in Counter(identities).items() if times > 1}
    for result, identity in zip(made, identities, strict=True):
        if identity in repeated:
            result._fresh = False
        elif identity not in passed_on:
            result._fresh = True


def _detached(grad: Tensor) -> Tensor:
    if grad._plain:
        return grad
    from .tensor import share

    return share(grad, grad._array)


def implicit_grad(root: Tensor) -> Tensor:
    """The gradient 1 of a scalar.

    Raises:
        RuntimeError: the tensor has more than one element, or is complex.
    """
    if root._array.size != 1:
        raise RuntimeError("grad can be implicitly created only for scalar outputs")
    if dtypes.from_numpy(root._array.dtype).is_complex:
        raise RuntimeError(
            "grad can be implicitly created only for real scalar outputs but got "
            f"{dtypes.from_numpy(root._array.dtype)}"
        )
    return constant_like(root, 1)


def _ask_watchers(retained: dict[int, list], grads: list[Tensor | None]) -> Steps:
    """Hooks of a node's results, and retained gradients."""
    for grad in grads:
        _mark_seen(grad)
    for index, watchers in retained.items():
        # whatever the order of registration, `.grad` is what hooks made of it
        for hooks in sorted(watchers, key=lambda each: isinstance(each, RetainedGradient)):
            if grads[index] is not None:
                (grads[index],) = yield hooks, (grads[index],)


def _call_pre_hooks(node: Node, grads: tuple) -> tuple:
    for hook in list((node.pre_hooks or {}).values()):
        replaced = hook(grads)
        if replaced is not None:
            grads = replaced if isinstance(replaced, tuple) else (replaced,)
    return grads


def _call_hooks(node: Node, grads: list[Tensor | None], results: tuple) -> tuple:
    for hook in list((node.hooks or {}).values()):
        replaced = hook(results, tuple(grads))
        if replaced is not None:
            results = replaced if isinstance(replaced, tuple) else (replaced,)
    return results


__all__ = ["accumulate_grad", "implicit_grad", "steps", "sum_to"]
