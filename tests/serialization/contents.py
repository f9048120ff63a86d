"""What the golden checkpoints hold, made with flambeau: the twin of make_checkpoints.py."""

from __future__ import annotations

from pathlib import Path

import flambeau as ft
from flambeau import nn

GOLDEN = Path(__file__).parents[1] / "golden" / "checkpoints"


def values() -> dict:
    base = ft.arange(12.0).reshape(3, 4)
    return {
        "base": base,
        "transposed": base.t(),
        "row": base[1],
        "steps": base[:, ::2],
        "expanded": ft.tensor(3.0).expand(2, 3),
        "scalar": ft.tensor(True),
        "empty": ft.empty(0, 3),
        "float16": ft.tensor([1.5, -2.0], dtype=ft.float16),
        "bfloat16": ft.tensor([1.5, -2.0], dtype=ft.bfloat16),
        "float64": ft.tensor([1.5, -2.0], dtype=ft.float64),
        "complex64": ft.tensor([1 + 2j, 3 - 4j]),
        "int8": ft.tensor([-1, 2], dtype=ft.int8),
        "int64": ft.tensor([-1, 2]),
        "uint8": ft.tensor([255, 2], dtype=ft.uint8),
        "uint16": ft.tensor([65535, 2], dtype=ft.uint16),
        "parameter": nn.Parameter(ft.tensor([0.5])),
        "grad": ft.tensor([0.5], requires_grad=True),
    }


def others() -> dict:
    return {
        "size": ft.Size([1, 2]),
        "dtype": ft.float16,
        "device": ft.device("cpu"),
        "layout": ft.strided,
        "set": {1, 2},
        "bytes": b"\x00\xff",
        "numbers": [1, -5, 1 << 70, 1.5, 1j, None, True],
        "nested": {"tuple": (1, "é", [])},
    }


def assert_same(actual: dict, expected: dict) -> None:
    """The same names, kinds, dtypes, shapes, strides and values."""
    assert list(actual) == list(expected)
    for name, tensor in expected.items():
        found = actual[name]
        # a pending tensor's class is equal to Tensor, and not identical
        assert type(found) == type(tensor), name  # noqa: E721
        if not isinstance(tensor, ft.Tensor):
            assert found == tensor, name
            continue
        assert found.dtype is tensor.dtype, name
        assert found.shape == tensor.shape, name
        assert found.requires_grad == tensor.requires_grad, name
        assert found.tolist() == tensor.tolist(), name
        assert found.stride() == tensor.stride(), name
        assert found.storage_offset() == tensor.storage_offset(), name
