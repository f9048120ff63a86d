"""`t.data`: a tensor's memory, past what autograd knows of it."""

from __future__ import annotations

from ..base import state
from .events import Event
from .tensor import Tensor, mark_requires_grad, share_uncounted, storage_of, version_of


def data_of(t: Tensor) -> Tensor:
    """A tensor over t's memory whose writes autograd does not notice."""
    return share_uncounted(t) if state.tracer is None else state.tracer.get_data(t)


def replace_data(t: Tensor, source: Tensor) -> None:
    """Let a tensor lie in the memory of another one; its history and its flags stay."""
    if state.tracer is None or not state.tracer.set_data(t, source):
        state.settle()
        _replace(t, source)


def _replace(t: Tensor, source: Tensor) -> None:
    if t._array is source._array and storage_of(t).core is storage_of(source).core:
        return  # `t.data -= x` ends with this
    state.changed()
    version = version_of(t)
    made = share_uncounted(source)
    t._array, t._storage, t._device = made._array, made._storage, made._device
    t._storage.version = version  # type: ignore[union-attr]
    mark_requires_grad(t, t._requires_grad)


GET_DATA = Event("data", share_uncounted)
SET_DATA = Event("data=", _replace)

__all__ = ["GET_DATA", "SET_DATA", "data_of", "replace_data"]
