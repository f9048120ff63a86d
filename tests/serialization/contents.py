"""What the golden checkpoints hold: PyTorch writes them (make_checkpoints.py), flambeau reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flambeau

GOLDEN = Path(__file__).parents[1] / "golden" / "checkpoints"


def values(torch: Any) -> dict:
    """Tensors of every kind."""
    base = torch.arange(12.0).reshape(3, 4)
    return {
        "base": base,
        "transposed": base.t(),
        "row": base[1],
        "steps": base[:, ::2],
        "expanded": torch.tensor(3.0).expand(2, 3),
        "scalar": torch.tensor(True),
        "empty": torch.empty(0, 3),
        "float16": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "bfloat16": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "float64": torch.tensor([1.5, -2.0], dtype=torch.float64),
        "complex64": torch.tensor([1 + 2j, 3 - 4j]),
        "int8": torch.tensor([-1, 2], dtype=torch.int8),
        "int64": torch.tensor([-1, 2]),
        "uint8": torch.tensor([255, 2], dtype=torch.uint8),
        "uint16": torch.tensor([65535, 2], dtype=torch.uint16),
        "parameter": torch.nn.Parameter(torch.tensor([0.5])),
        "grad": torch.tensor([0.5], requires_grad=True),
    }


def others(torch: Any) -> dict:
    """What else a checkpoint holds."""
    return {
        "size": torch.Size([1, 2]),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "layout": torch.strided,
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
        if not isinstance(tensor, flambeau.Tensor):
            assert found == tensor, name
            continue
        assert found.dtype is tensor.dtype, name
        assert found.shape == tensor.shape, name
        assert found.requires_grad == tensor.requires_grad, name
        assert found.tolist() == tensor.tolist(), name
        assert found.stride() == tensor.stride(), name
        assert found.storage_offset() == tensor.storage_offset(), name
