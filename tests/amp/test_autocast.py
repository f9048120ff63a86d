"""Autocast: which ops it casts, how it nests, and what it leaves behind."""

from __future__ import annotations

import threading
import warnings

import pytest

import flambeau as ft
from flambeau import amp
from flambeau._engine.base import state
from flambeau._ops.declare import OPS
from flambeau.amp._policies import POLICIES


def matrices():
    return ft.ones(2, 2), ft.ones(2, 2).bfloat16()


def test_policies():
    wide, narrow = matrices()
    before = state.on_op
    with amp.autocast("cpu"):
        assert (wide @ wide).dtype == ft.bfloat16
        assert (wide @ narrow).dtype == ft.bfloat16
        assert (wide * wide).dtype == ft.float32
        assert (wide.double() @ wide.double()).dtype == ft.float64
        assert narrow.prod().dtype == ft.float32
        assert ft.cat([wide, narrow]).dtype == ft.float32
        assert ft.cat([narrow, narrow]).dtype == ft.bfloat16
        assert (narrow * narrow).dtype == ft.bfloat16
        assert ft.mv(wide, wide[0]).dtype == ft.float32
    assert (wide @ wide).dtype == ft.float32
    assert state.on_op == before


def test_policies_name_ops():
    missing = POLICIES.keys() - OPS.keys()
    # ops that PyTorch has and flambeau does not have yet
    assert missing <= {"geqrf", "lu", "nanquantile", "ormqr", "quantile", "stft"}


def test_layers_and_losses():
    from flambeau.nn import functional as F

    wide, _ = matrices()
    with amp.autocast("cpu"):
        hidden = F.linear(wide, wide)
        assert hidden.dtype == ft.bfloat16
        assert F.relu(hidden).dtype == ft.bfloat16
        assert F.mse_loss(hidden, wide).dtype == ft.float32
        assert F.cross_entropy(hidden, ft.tensor([0, 1])).dtype == ft.float32


def test_nesting_and_float16():
    wide, _ = matrices()
    with amp.autocast("cpu"):
        with amp.autocast("cpu", enabled=False):
            assert (wide @ wide).dtype == ft.float32
        with amp.autocast("cpu", dtype=ft.float16):
            assert (wide @ wide).dtype == ft.float16
        assert (wide @ wide).dtype == ft.bfloat16


def test_decorator():
    wide, _ = matrices()

    @amp.autocast("cpu")
    def product():
        return (wide @ wide).dtype

    assert product() == ft.bfloat16
    assert product.__name__ == "product"


def test_state_survives_an_exception():
    before = state.on_op
    with pytest.raises(RuntimeError), amp.autocast("cpu"):
        ft.ones(2, 3) @ ft.ones(2, 3)
    assert state.on_op == before and not ft.is_autocast_enabled("cpu")


def test_errors_are_those_without_autocast():
    with amp.autocast("cpu"), pytest.raises(TypeError, match="must be Tensor, not int"):
        ft.mm(ft.ones(2, 2), 3)


def test_queries():
    assert ft.get_autocast_dtype("cpu") == ft.bfloat16
    assert ft.get_autocast_dtype("cuda") == ft.float16
    with amp.autocast("cpu", dtype=ft.float16, cache_enabled=False):
        assert ft.is_autocast_enabled("cpu") and not ft.is_autocast_enabled()
        assert ft.get_autocast_dtype("cpu") == ft.float16
        assert not ft.is_autocast_cache_enabled()
    assert not ft.is_autocast_enabled("cpu") and ft.is_autocast_cache_enabled()
    assert amp.is_autocast_available("cpu") and not amp.is_autocast_available("meta")


def test_parameters_are_cast_once_and_get_one_gradient():
    weight = ft.ones(2, 2, requires_grad=True)
    wide = ft.tensor([[1.0, 2.0], [3.0, 4.0]])
    with amp.autocast("cpu"):
        loss = ((wide @ weight) + (wide @ weight)).float().sum()
    loss.backward()
    assert weight.grad.dtype == ft.float32
    assert weight.grad.tolist() == [[8.0, 8.0], [12.0, 12.0]]


def test_the_cache_sees_changes_in_place():
    weight = ft.ones(1, 1, requires_grad=True)
    one = ft.ones(1, 1)
    with amp.autocast("cpu"):
        first = one @ weight
        with ft.no_grad():
            weight.fill_(3.0)
        second = one @ weight
    assert (first.item(), second.item()) == (1.0, 3.0)


def test_a_cast_made_without_grad_is_not_reused():
    weight = ft.ones(1, 1, requires_grad=True)
    with amp.autocast("cpu"):
        with ft.no_grad():
            weight @ weight
        (ft.ones(1, 1) @ weight).float().sum().backward()
    assert weight.grad.item() == 1.0


def test_threads_are_independent():
    wide, _ = matrices()
    seen = []
    with amp.autocast("cpu"):
        thread = threading.Thread(target=lambda: seen.append((wide @ wide).dtype))
        thread.start()
        thread.join()
    assert seen == [ft.float32]


def test_cuda_is_disabled_with_a_warning():
    wide, _ = matrices()
    with pytest.warns(UserWarning, match="CUDA is not available"):
        region = amp.autocast("cuda")
    with region:
        assert (wide @ wide).dtype == ft.float32
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        amp.autocast("cuda", enabled=False)
    with pytest.warns(UserWarning, match="target dtype is not supported"):
        amp.autocast("cpu", dtype=ft.float32)
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        amp.autocast(ft.device("cpu"))
    with pytest.raises(RuntimeError, match="Expected one of cpu"):
        amp.autocast("toaster")


def test_old_names_warn():
    from flambeau.cpu.amp import autocast

    with pytest.warns(FutureWarning, match=r"torch\.amp\.autocast\('cpu'"):
        region = autocast()
    wide, _ = matrices()
    with region:
        assert (wide @ wide).dtype == ft.bfloat16


def test_custom_functions():
    seen = []

    class Product(ft.autograd.Function):
        @staticmethod
        @amp.custom_fwd(device_type="cpu", cast_inputs=ft.float32)
        def forward(ctx, a, b):
            seen.append((a.dtype, ft.is_autocast_enabled("cpu")))
            ctx.save_for_backward(a, b)
            return a @ b

        @staticmethod
        @amp.custom_bwd(device_type="cpu")
        def backward(ctx, grad):
            a, b = ctx.saved_tensors
            seen.append((grad.dtype, ft.is_autocast_enabled("cpu")))
            return grad @ b.t(), a.t() @ grad

    wide = ft.ones(2, 2, requires_grad=True)
    with amp.autocast("cpu"):
        out = Product.apply(wide.bfloat16(), wide)
    assert out.dtype == ft.float32
    out.sum().backward()
    assert seen == [(ft.float32, False), (ft.float32, False)]
