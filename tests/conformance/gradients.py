"""Gradients of torch's and flambeau's outputs under the same fixed random weights, compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import flambeau

from .compare import compare_arrays
from .convert import to_numpy
from .outcome import Mismatch


def leaves(value: Any) -> list[Any]:
    """The tensors in a nested result, in order."""
    if isinstance(value, (torch.Tensor, flambeau.Tensor)):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item)]
    return []


def _weights(output: torch.Tensor) -> np.ndarray:
    random = np.random.RandomState(0)
    weights = random.uniform(0.5, 1.5, tuple(output.shape))
    if output.is_complex():
        weights = weights + 1j * random.uniform(-1.0, 1.0, tuple(output.shape))
    return np.asarray(weights).astype(to_numpy(output).dtype)


def compare_gradients(
    expected: Any,
    actual: Any,
    sources: dict[str, tuple[Any, Any]],
    *,
    loosen: float = 1.0,
    values: bool = True,
    strict: bool = False,
) -> None:
    """Raise Mismatch unless both results have the same gradients.

    `sources` gives, by name, pairs (torch tensor, flambeau tensor). Unless `strict`, no gradient
    and a gradient of zeros count as the same.
    """
    outputs = [t for t in leaves(expected) if t.requires_grad]
    results = [t for t in leaves(actual) if t.requires_grad]
    if len(outputs) != len(results):
        raise Mismatch(f"{len(outputs)} outputs require grad, got {len(results)}")
    if not outputs or not sources:
        return
    weights = [_weights(output) for output in outputs]
    wanted = torch.autograd.grad(
        outputs,
        [pair[0] for pair in sources.values()],
        [torch.from_numpy(w).to(t.dtype) for w, t in zip(weights, outputs, strict=True)],
        allow_unused=True,
    )
    found = flambeau.autograd.grad(
        results,
        [pair[1] for pair in sources.values()],
        [flambeau.from_numpy(w).to(t.dtype) for w, t in zip(weights, results, strict=True)],
        allow_unused=True,
    )
    for (name, pair), a, b in zip(sources.items(), wanted, found, strict=True):
        if a is None and b is None:
            continue
        if strict and (a is None) != (b is None):
            raise Mismatch(f"gradient of {name}: {'none' if a is None else 'one'} expected")
        zeros = np.zeros(tuple(pair[0].shape), to_numpy(pair[0]).dtype)
        reference = zeros if a is None else to_numpy(a)
        result = zeros if b is None else to_numpy(b)
        if reference.shape != result.shape or reference.dtype != result.dtype:
            raise Mismatch(
                f"gradient of {name}: {reference.dtype}{list(reference.shape)}, "
                f"got {result.dtype}{list(result.shape)}"
            )
        if values:
            compare_arrays(reference, result, str(reference.dtype), loosen, f"gradient of {name} ")
