"""Process-wide settings, versions and old type names at the top level."""

from __future__ import annotations

import pytest

import flambeau as torch


def test_version_compares_as_versions_do() -> None:
    assert torch.__version__ == torch.version.__version__
    assert torch.__version__ >= (2, 1)
    assert torch.__version__ > "2.9"
    assert not torch.__version__ < "2.13"
    assert torch.__version__.startswith("2.13")


def test_default_dtype_and_device() -> None:
    torch.set_default_dtype(torch.float64)
    assert torch.tensor(1.5).dtype is torch.float64
    torch.set_default_tensor_type("torch.FloatTensor")
    assert torch.get_default_dtype() is torch.float32
    with pytest.raises(TypeError):
        torch.set_default_dtype(torch.int64)
    torch.set_default_device("meta")
    try:
        assert torch.zeros(2).is_meta
    finally:
        torch.set_default_device(None)


def test_deterministic_modes() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_deterministic_debug_mode() == 1
    torch.set_deterministic_debug_mode("default")
    assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError):
        torch.set_deterministic_debug_mode(3)


def test_threads_and_precision() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)
    with pytest.raises(RuntimeError):
        torch.set_num_threads(0)
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    assert torch.set_flush_denormal(False) is False


def test_compile_returns_its_argument() -> None:
    layer = torch.nn.Linear(2, 2)
    assert torch.compile(layer) is layer

    @torch.compile(mode="max-autotune")
    def double(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    assert double(torch.ones(1)).item() == 2
    with pytest.raises(TypeError):
        torch.compile(3)


def test_old_tensor_types() -> None:
    x = torch.LongTensor([1, 2])
    assert isinstance(x, torch.LongTensor)
    assert not isinstance(x, torch.FloatTensor)
    assert torch.FloatTensor(2, 3).shape == (2, 3)
    assert torch.typename(x) == "torch.LongTensor"
    assert torch.typename(3) == "int"
    assert torch.is_storage(x.untyped_storage())
