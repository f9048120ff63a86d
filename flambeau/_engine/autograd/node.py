"""Nodes of the tape: what was computed, from what, and what backward needs of it."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import dtypes
from .mode import mode
from .table import Gradient
from .tensor import Storage, Tensor, storage_of, wrap

_sequence = itertools.count()

# An edge is None (no gradient wanted), (node, output index), or (leaf tensor, 0).
Edge = tuple[Any, int] | None


class Saved:
    """A tensor kept for backward: the object, its memory, and its version at that moment."""

    __slots__ = ("array", "storage", "tensor", "version")

    def __init__(self, tensor: Tensor | None, array: np.ndarray, storage: Storage | None):
        self.tensor = tensor
        self.array = array
        self.storage = storage
        self.version = 0 if storage is None else storage.version

    @classmethod
    def input(cls, t: Tensor) -> Saved:
        """Save an operand; holding the tensor itself keeps its history for double backward."""
        return cls(t, t._array, t._storage)

    @classmethod
    def output(cls, t: Tensor) -> Saved:
        """Save a result without holding the tensor, which would be a reference cycle."""
        return cls(None, t._array, storage_of(t))

    def unpack(self, node: Node, position: str, edge: Edge) -> Tensor:
        """The tensor as it was; `edge` says where its own gradient flows.

        Raises:
            RuntimeError: it has been written to since.
        """
        storage, t = self.storage, self.tensor
        same = t is not None and t._array is self.array
        if storage is None and same:
            storage = t._storage  # type: ignore[union-attr]
        if storage is not None and storage.version != self.version:
            raise modified_error(self, storage.version, node, position)
        if same:
            return t  # type: ignore[return-value]
        out = wrap(self.array)  # an output, or a tensor whose .data was replaced
        out._storage = storage
        if edge is not None and isinstance(edge[0], Node):
            out._grad_fn, out._output_index = edge
            out._requires_grad, out._plain = True, False
        return out


def modified_error(saved: Saved, found: int, node: Node, position: str) -> RuntimeError:
    """PyTorch's error for a saved tensor that was changed in place."""
    kind = dtypes.from_numpy(saved.array.dtype).word
    where = ""
    t = saved.tensor
    owner = t._grad_fn if t is not None else node
    if owner is not None:
        index = t._output_index if t is not None else 0
        where = f", which is output {index} of {owner.name()},"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{kind}Tensor {list(saved.array.shape)}]{where} is at version {found}; "
        f"expected version {saved.version} instead ({position} of {node.name()}). Hint: enable "
        "anomaly detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True)."
    )


class Node:
    """A step of the tape. `apply` turns gradients of the outputs into gradients of the inputs."""

    __slots__ = (
        "__weakref__", "edges", "hooks", "label", "metadata_", "outputs", "pre_hooks",
        "released", "retained", "sequence", "stack",
    )  # fmt: skip

    def __init__(self, edges: tuple[Edge, ...], outputs: int = 1):
        self.edges = edges
        self.outputs = outputs
        self.sequence = next(_sequence)
        self.label: str | None = None
        self.hooks: dict | None = None
        self.pre_hooks: dict | None = None
        self.metadata_: dict | None = None
        self.retained: dict | None = None  # output index -> callables that see its gradient
        self.released = False
        self.stack = traceback.format_stack()[:-1] if mode.anomaly else None

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs, one an edge; None where there is none."""
        raise NotImplementedError

    def release(self) -> None:
        """Forget saved tensors, after a backward that does not retain the graph."""

    def name(self) -> str:
        """PyTorch's name of the step, "MulBackward0"."""
        return self.label or type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes that this one's gradients flow to."""
        return tuple(
            (None, 0) if e is None else (e if isinstance(e[0], Node) else (accumulator(e[0]), 0))
            for e in self.edges
        )

    @property
    def metadata(self) -> dict:
        """A dict for the user's own notes."""
        if self.metadata_ is None:
            self.metadata_ = {}
        return self.metadata_

    def _sequence_nr(self) -> int:
        return self.sequence

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Call `hook(grad_inputs, grad_outputs)` after this node ran in backward."""
        from .hooks import RemovableHandle

        if self.hooks is None:
            self.hooks = {}
        return RemovableHandle(self.hooks, hook)

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Call `hook(grad_outputs)` before this node runs in backward."""
        from .hooks import RemovableHandle

        if self.pre_hooks is None:
            self.pre_hooks = {}
        return RemovableHandle(self.pre_hooks, hook)


class AccumulateGrad(Node):
    """What `next_functions` shows for a leaf; the engine writes to the leaf itself."""

    __slots__ = ("variable",)

    def __init__(self, variable: Tensor):
        super().__init__(())
        self.variable = variable


def accumulator(leaf: Tensor) -> AccumulateGrad:
    """The node that stands for a leaf, the same one for as long as anyone holds it."""
    import weakref

    held = leaf.__dict__.get("_accumulator")
    node = held() if held is not None else None
    if node is None:
        node = AccumulateGrad(leaf)
        leaf.__dict__["_accumulator"] = weakref.ref(node)
    return node


class PrimitiveNode(Node):
    """The record of one primitive call."""

    __slots__ = ("gradient", "inputs", "out_metas", "params", "saved", "saved_out")

    def __init__(self, gradient: Gradient, edges: tuple[Edge, ...], inputs: tuple, params: dict):
        super().__init__(edges)
        self.gradient = gradient
        self.params = params
        # (shape, dtype) of tensors; numbers as they are
        self.inputs = tuple(
            (x._array.shape, x._array.dtype) if isinstance(x, Tensor) else x for x in inputs
        )
        mask = tuple(e is not None for e in edges)
        keep, keep_out = gradient.saves(mask)
        self.saved = {i: Saved.input(inputs[i]) for i in keep if isinstance(inputs[i], Tensor)}
        self.saved_out: Any = keep_out
        self.out_metas: tuple = ()

    def attach(self, outs: tuple[Tensor, ...]) -> None:
        """Tie results to this node, and save those that the rule asks for."""
        self.outputs = len(outs)
        self.out_metas = tuple((o._array.shape, o._array.dtype) for o in outs)
        self.saved_out = tuple(Saved.output(o) for o in outs) if self.saved_out else None
        for index, out in enumerate(outs):
            if out._array.dtype.kind not in "fcV":
                continue
            out._grad_fn = self
            out._output_index = index
            out._requires_grad = True
            out._plain = False

    def out(self, index: int) -> Tensor:
        """The saved result number `index`, with its history."""
        differentiable = self.out_metas[index][1].kind in "fcV"
        edge = (self, index) if differentiable else None
        return self.saved_out[index].unpack(self, f"result {index}", edge)

    def input(self, index: int) -> Any:
        """The saved operand number `index`, or the number that stood in its place."""
        saved = self.saved.get(index)
        if saved is None:
            return self.inputs[index]
        return saved.unpack(self, f"operand {index}", self.edges[index])

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        if self.released:
            raise freed_error()
        return self.gradient.run(self, grads)

    def release(self) -> None:
        if self.saved or self.saved_out:
            self.saved, self.saved_out, self.released = {}, None, True

    def name(self) -> str:
        return self.label or self.gradient.label


def freed_error() -> RuntimeError:
    """PyTorch's error for a second backward through released tensors."""
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to "
        "backward through the graph a second time or if you need to access saved tensors after "
        "calling backward."
    )


def edge_to(t: Tensor) -> Edge:
    """Where t's gradient flows to: its node, itself when a leaf, or nowhere."""
    if t._view is not None:
        t._view.refresh(t)
    if not t._requires_grad:
        return None
    node = t._grad_fn
    return (t, 0) if node is None else (node, t._output_index)
