"""Nodes of the tape: what was computed, from what, and what backward needs of it."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import dtypes
from . import mode as modes
from .mode import mode
from .table import Gradient
from .tensor import Storage, Tensor, new, storage_of, wrap

_sequence = itertools.count()


def now() -> int:
    """A moment on the tape: nodes made from here on have a larger sequence number."""
    return next(_sequence)


# An edge is None (no gradient wanted), (node, output index), or (leaf tensor, 0).
Edge = tuple[Any, int] | None


# A tensor kept for backward is a plain tuple, made on every recorded call. An operand is kept
# itself: (tensor, None, None, version of its memory). A result is kept as (None, array, storage,
# version), for holding the tensor would be a reference cycle.
Saved = tuple[Tensor | None, np.ndarray | None, Storage | None, int]


def saved_result(t: Tensor) -> Saved:
    """Save a result, or what was written into a tensor."""
    storage = storage_of(t)
    return (None, t._array, storage, storage.version)


def unpack(saved: Saved, node: Node, position: str, edge: Edge) -> Tensor:
    """The tensor as it was; `edge` says where its own gradient flows.

    Raises:
        RuntimeError: it has been written to since.
    """
    t, array, storage, version = saved
    if t is not None:
        storage = t._storage
    if storage is not None and storage.version != version:
        raise modified_error(saved, storage.version, node, position)
    if t is not None:
        return t
    out = wrap(array)  # type: ignore[arg-type]
    out._storage = storage
    if edge is not None and isinstance(edge[0], Node):
        out._grad_fn, out._output_index = edge
        out._requires_grad, out._plain = True, False
    return out


def modified_error(saved: Saved, found: int, node: Node, position: str) -> RuntimeError:
    """PyTorch's error for a saved tensor that was changed in place."""
    t, array, _, version = saved
    array = t._array if t is not None else array
    assert array is not None
    kind = dtypes.from_numpy(array.dtype).word
    where = ""
    owner = t._grad_fn if t is not None else node
    if owner is not None:
        index = t._output_index if t is not None else 0
        where = f", which is output {index} of {owner.name()},"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{kind}Tensor {list(array.shape)}]{where} is at version {found}; "
        f"expected version {version} instead ({position} of {node.name()}). Hint: enable "
        "anomaly detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True)."
    )


class Node:
    """A step of the tape. `apply` turns gradients of the outputs into gradients of the inputs."""

    # class-level defaults: making a node costs what it really has
    edges: Sequence[Edge] = ()
    outputs: int = 1
    # (shape, dtype) of operands that are tensors, for their gradients to be fitted to
    inputs: Sequence[Any] | None = None
    sequence: int
    label: str | None = None
    hooks: dict | None = None
    pre_hooks: dict | None = None
    metadata_: dict | None = None
    retained: dict[int, list] | None = None  # output index -> hooks that see its gradient
    released: bool = False
    stack: list[str] | None = None  # where it was made, in anomaly mode

    opaque = False  # whether `apply` runs user code
    gradient: Gradient | None = None  # of a primitive

    def __init__(self, edges: Sequence[Edge], outputs: int = 1):
        self.edges = edges
        self.outputs = outputs
        self.sequence = next(_sequence)
        if mode.anomaly:
            self.stack = traceback.format_stack()[:-1]

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

    inputs: Sequence[Any]
    gradient: Gradient
    saved_out: tuple[Saved, ...] | None = None
    out_metas: Sequence[tuple[tuple[int, ...], np.dtype]] = ()

    @classmethod
    def of_one(
        cls,
        gradient: Gradient,
        edges: list[Edge],
        metas: list,
        mask: int,
        inputs: tuple,
        params: dict,
        out: Tensor,
    ) -> None:
        """The record of an elementwise call, tied to its one result; the short way."""
        self = new(cls)
        self.edges = edges
        self.sequence = next(_sequence)
        self.gradient = gradient
        self.params = params
        self.inputs = metas
        self.saved = saved = {}
        keep, keep_out = gradient.saves(mask, len(inputs))
        for i in keep:
            x = inputs[i]
            if isinstance(x, Tensor):
                if x._inference:
                    raise inference_error()
                storage = x._storage
                saved[i] = (x, None, None, 0 if storage is None else storage.version)
        if modes.anomaly_regions and mode.anomaly:
            self.stack = traceback.format_stack()[:-1]
        out._grad_fn = self
        out._requires_grad = True
        out._plain = False
        if keep_out:
            self.saved_out = (saved_result(out),)

    def __init__(
        self,
        gradient: Gradient,
        edges: tuple[Edge, ...],
        mask: int,
        inputs: tuple,
        params: dict,
        outs: tuple[Tensor, ...],
    ):
        """Record a call and tie its results to it; `mask` has a bit for each edge."""
        self.edges = edges
        self.sequence = next(_sequence)
        self.gradient = gradient
        self.params = params
        if mode.anomaly:
            self.stack = traceback.format_stack()[:-1]
        # beside tensors' shapes and dtypes, numbers as they are
        metas = []
        for x in inputs:
            if isinstance(x, Tensor):
                array = x._array
                metas.append((array.shape, array.dtype))
            else:
                metas.append(x)
        self.inputs = metas
        keep, keep_out = gradient.saves(mask, len(inputs))
        saved: dict[int, Saved] = {}
        for i in keep:
            x = inputs[i]
            if isinstance(x, Tensor):
                if x._inference:
                    raise inference_error()
                storage = x._storage
                saved[i] = (x, None, None, 0 if storage is None else storage.version)
        self.saved = saved
        out_metas: list[tuple[tuple[int, ...], np.dtype]] = []
        self.out_metas = out_metas
        for index, out in enumerate(outs):
            array = out._array
            out_metas.append((array.shape, array.dtype))
            if array.dtype.kind in "fcV":
                out._grad_fn = self
                out._output_index = index
                out._requires_grad = True
                out._plain = False
        if index:
            self.outputs = index + 1
        if keep_out:
            self.saved_out = tuple([saved_result(o) for o in outs])

    def out(self, index: int) -> Tensor:
        """The saved result number `index`, with its history."""
        differentiable = not self.out_metas or self.out_metas[index][1].kind in "fcV"
        edge = (self, index) if differentiable else None
        return unpack(self.saved_out[index], self, f"result {index}", edge)  # type: ignore

    def input(self, index: int) -> Any:
        """The saved operand number `index`, or the number that stood in its place."""
        saved = self.saved.get(index)
        if saved is None:
            return self.inputs[index]
        return unpack(saved, self, f"operand {index}", self.edges[index])

    def apply(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        if self.released:
            raise freed_error()
        return self.gradient.run(self, grads)

    def release(self) -> None:
        if self.saved or self.saved_out or self.gradient.reads_numbers and self._has_number():
            self.saved, self.saved_out, self.released = {}, None, True

    def _has_number(self) -> bool:
        # PyTorch saves a factor that is a number as it saves a tensor
        return any(isinstance(x, (int, float, complex)) for x in self.inputs)

    def name(self) -> str:
        return self.label or self.gradient.label


def inference_error() -> RuntimeError:
    """PyTorch's error for an inference tensor that backward would need."""
    return RuntimeError(
        "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
        "inference mode in computation tracked by autograd. To work around this, you can make a "
        "clone to get a normal tensor and use it in autograd, or use `torch.no_grad()` instead of "
        "`torch.inference_mode()`."
    )


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
