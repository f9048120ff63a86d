"""Sample calls of ops, eager and compiled: the same results, gradients and errors.

A test takes the calls of nn.functional; `python -m tests.engine.trace.test_every_op` takes those of
all ops, in some minutes.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import state
from flambeau._ops.declare import OPS
from tests.modes import mode

from .samples import arguments, samples

pytest.importorskip("llvmlite")

_SEEDS = (3, 4, 5)  # recorded with the first, replayed with the others


def test_layers_compute_the_same_when_compiled():
    layers = (call for call in samples() if call[0].startswith("nn.functional."))
    wrong = list(differences(layers))
    assert not wrong, "\n".join(wrong)


def differences(calls: Iterator[tuple[str, str]]) -> Iterator[str]:
    """The calls that give something else in the mode "force", in a few words each."""
    for name, source in calls:
        if name.startswith("empty"):
            continue
        eager, compiled = (_results(name, source, where) for where in ("off", "force"))
        for seed, expected, found in zip(_SEEDS, eager, compiled, strict=True):
            if not _same(expected, found):
                yield f"{name}({source}), numbers of seed {seed}"
                break


def _results(name: str, source: str, where: str) -> list[Any]:
    with mode("off"):
        given = [arguments(source, seed) for seed in _SEEDS]
    with mode(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_step(name, args, kwargs) for args, kwargs in given]


def _step(name: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    """The results and gradients as arrays, or the error."""
    flambeau.manual_seed(0)
    leaves = [x for x in _tensors((args, tuple(kwargs.values()))) if x.requires_grad]  # type: ignore
    try:
        call = OPS[name].execute if state.on_op is None else _through_dispatch(name)
        outs = list(_tensors(call(args, kwargs)))
        total: Any = sum((abs(x) * 0.5).sum() for x in outs if x.requires_grad)  # type: ignore
        if isinstance(total, Tensor):
            total.backward()  # type: ignore[attr-defined]
        found = outs + [leaf.grad for leaf in leaves if leaf.grad is not None]  # type: ignore
        return [np.array(x.detach().numpy()) for x in found]  # type: ignore[attr-defined]
    except (RuntimeError, ValueError, IndexError) as error:
        return f"{type(error).__name__}: {error}"


def _through_dispatch(name: str) -> Any:
    return lambda args, kwargs: state.on_op(OPS[name], args, kwargs)  # type: ignore[misc]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return len(a) == len(b) and all(
        x.dtype == y.dtype
        and x.shape == y.shape
        and np.allclose(x, y, rtol=1e-4, atol=1e-5, equal_nan=True)
        for x, y in zip(a, b, strict=True)
    )


if __name__ == "__main__":
    status = 0
    for text in differences(samples()):
        print(text, flush=True)
        status = 1
    sys.exit(status)
