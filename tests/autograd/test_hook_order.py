"""Hooks of leaves are called in PyTorch's order, which shows where one of them raises."""

from __future__ import annotations

from typing import Any

import pytest

import flambeau as torch

F = torch.nn.functional
ROWS, IMAGES = torch.ones(2, 4), torch.ones(1, 2, 3, 3)
LAYER = {"w": (3, 4), "b": (3,)}
KERNELS = {"w": (3, 2, 2, 2), "b": (3,)}

# what torch 2.13 gives
ORDERS: list[tuple[Any, dict[str, tuple[int, ...]], str]] = [
    (lambda w, b: F.linear(ROWS, w, b), LAYER, "bw"),
    (lambda x, w, b: F.linear(x, w, b), {"x": (2, 4), **LAYER}, "bxw"),
    (lambda x, w, b: F.linear(x * 2, w, b), {"x": (2, 4), **LAYER}, "bwx"),
    (
        lambda w, b, v, c: F.linear(F.linear(ROWS, w, b).relu(), v, c),
        {"w": (4, 4), "b": (4,), "v": (3, 4), "c": (3,)},
        "cvbw",
    ),
    (lambda x, w: F.linear(x, w), {"x": (2, 4), "w": (3, 4)}, "xw"),
    (lambda w, b: F.conv2d(IMAGES, w, b), KERNELS, "wb"),
    (lambda x, w, b: F.conv2d(x, w, b), {"x": (1, 2, 3, 3), **KERNELS}, "xwb"),
    (lambda w, b: F.conv_transpose2d(IMAGES, w, b), {"w": (2, 3, 2, 2), "b": (3,)}, "wb"),
]


@pytest.mark.parametrize("run, shapes, expected", ORDERS)
def test_order(run, shapes, expected):
    called = []
    leaves = {name: torch.ones(shape, requires_grad=True) for name, shape in shapes.items()}
    for name, leaf in leaves.items():
        leaf.register_hook(lambda g, name=name: called.append(name))
    for _ in range(3):
        run(**leaves).sum().backward()
    assert "".join(called) == expected * 3


def test_what_comes_before_a_hook_that_raises_has_its_gradient():
    def stop(grad):
        raise ValueError("in a hook")

    layer = torch.nn.Linear(2, 2)
    handle = layer.bias.register_hook(stop)
    with pytest.raises(ValueError, match="in a hook"):
        layer(torch.ones(1, 2)).sum().backward()
    assert layer.weight.grad is None and layer.bias.grad is None
    handle.remove()
    layer.weight.register_hook(stop)
    with pytest.raises(ValueError, match="in a hook"):
        layer(torch.ones(1, 2)).sum().backward()
    assert layer.weight.grad is None and layer.bias.grad.tolist() == [1.0, 1.0]
