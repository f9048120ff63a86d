"""The optimizers' base: groups, checkpoints, hooks, modes, errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import flambeau as ft
from flambeau.optim import SGD, Adam, AdamW, Optimizer
from flambeau.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)


def param(*shape):
    return ft.ones(*(shape or (2,)), requires_grad=True)


def stepped(cls=Adam, **options):
    weight = param()
    optimizer = cls([weight], **options)
    weight.grad = ft.tensor([1.0, -2.0])
    optimizer.step()
    return weight, optimizer


def test_groups_take_defaults_and_repr_is_pytorchs():
    optimizer = SGD([{"params": [param()], "lr": 0.5}, {"params": param()}], momentum=0.9)
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.001]
    assert repr(SGD([param()], lr=0.1)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n"
        "    foreach: None\n    fused: None\n    lr: 0.1\n    maximize: False\n"
        "    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)"
    )


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: SGD([]), ValueError, "optimizer got an empty parameter list"),
        (lambda: SGD(param()), TypeError, "should be an iterable of Tensors or dicts"),
        (lambda: SGD([1]), TypeError, "one of the params is int"),
        (lambda: SGD([param() * 2]), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: SGD([{"params": {param()}}]), TypeError, "ordered collections"),
        (lambda: SGD([("w", param()), param()]), ValueError, "Some param names are missing"),
        (lambda: Optimizer([param()], {"lr": required}), ValueError, "required optimization"),
        (lambda: SGD([param()], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: SGD([param()], lr=float("nan")), ValueError, "Invalid learning rate"),
        (lambda: SGD([param()], nesterov=True), ValueError, "Nesterov momentum requires"),
        (lambda: SGD([param()], lr=ft.ones(2)), ValueError, "Tensor lr must be 1-element"),
        (lambda: Adam([param()], betas=(1.0, 0.9)), ValueError, "beta parameter at index 0: 1.0"),
        (lambda: Adam([param()], fused=True, foreach=True), RuntimeError, "cannot be `True`"),
        (lambda: Adam([param()], fused=True, differentiable=True), RuntimeError, "`fused` does"),
        (lambda: ft.optim.Muon([param()]), ValueError, "Muon only supports 2D parameters"),
        (lambda: ft.optim.SparseAdam([param()]), NotImplementedError, "sparse"),
    ],
)
def test_construction_errors(make, error, text):
    with pytest.raises(error) as caught:
        make()
    assert text in str(caught.value)


def test_a_parameter_belongs_to_one_group():
    shared = param()
    with pytest.raises(ValueError, match="more than one parameter group"):
        SGD([{"params": [shared]}, {"params": [shared]}])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        SGD([shared, shared])
    optimizer = SGD([shared])
    with pytest.raises(ValueError, match="cannot add param group with names"):
        optimizer.add_param_group({"params": [("new", param())]})
    with pytest.raises(TypeError, match="param_group must be a dict"):
        optimizer.add_param_group([param()])
    optimizer.add_param_group({"params": param(), "lr": 3.0})
    assert optimizer.param_groups[1]["lr"] == 3.0


def test_named_parameters_are_in_the_state_dict():
    optimizer = SGD([("w", param()), ("b", param())])
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["w", "b"]
    plain = SGD([param(), param()]).state_dict()
    optimizer.load_state_dict(plain)
    assert optimizer.param_groups[0]["param_names"] == ["w", "b"]


def test_zero_grad():
    weight = param()
    optimizer = SGD([weight])
    (weight * 2).sum().backward()
    kept = weight.grad
    optimizer.zero_grad(set_to_none=False)
    assert weight.grad is kept and kept.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert weight.grad is None


def test_step_writes_in_place_and_bumps_the_version():
    weight = param()
    view = weight.detach()
    pointer, version = weight.data_ptr(), weight._version
    optimizer = SGD([weight], lr=0.5)
    loss = (weight * weight).sum()
    weight.grad = ft.ones(2)
    optimizer.step()
    assert view.tolist() == [0.5, 0.5]
    assert weight.data_ptr() == pointer and weight._version > version
    assert weight.requires_grad and weight.grad_fn is None
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_non_contiguous_parameters():
    base = ft.ones(3, 2)
    weight = base.t().requires_grad_()
    optimizer = Adam([weight], lr=0.1)
    weight.grad = ft.ones(2, 3)
    optimizer.step()
    assert np.allclose(base.numpy(), 0.9)


def test_numpy_scalars_do_not_widen():
    weight, optimizer = stepped(lr=np.float64(0.1))
    assert weight.dtype == ft.float32
    assert optimizer.state[weight]["exp_avg"].dtype == ft.float32


@pytest.mark.parametrize("dtype", [ft.bfloat16, ft.float16])
def test_half_precision_parameters(dtype):
    weight = ft.ones(2, dtype=dtype, requires_grad=True)
    optimizer = AdamW([weight], lr=0.125, weight_decay=0.0)
    weight.grad = ft.ones(2, dtype=dtype)
    optimizer.step()
    assert weight.dtype == dtype and weight.float().tolist() == [0.875, 0.875]
    assert optimizer.state[weight]["exp_avg"].dtype == dtype
    assert optimizer.state[weight]["step"].dtype == ft.float32


def test_closure_runs_with_grad_mode_and_step_without():
    modes = []

    class Probe(SGD):
        pass

    weight = param()
    optimizer = Probe([weight])

    def closure():
        modes.append(ft.is_grad_enabled())
        return 7

    with ft.no_grad():
        assert optimizer.step(closure) == 7
    assert modes == [True]
    assert ft.is_grad_enabled()


def test_lr_tensor_is_read_each_step():
    weight = param()
    lr = ft.tensor(0.5)
    optimizer = SGD([weight], lr=lr)
    weight.grad = ft.ones(2)
    optimizer.step()
    lr.fill_(0.25)
    optimizer.step()
    assert weight.tolist() == [0.25, 0.25]


def test_differentiable_step_passes_gradients_to_the_learning_rate():
    lr = ft.tensor(0.5, requires_grad=True)
    weight = ft.tensor([1.0, 2.0], requires_grad=True)
    updated = weight.clone()
    optimizer = SGD([updated], lr=lr, differentiable=True)
    updated.grad = ft.tensor([3.0, 5.0])
    optimizer.step()
    (updated * updated).sum().backward()
    # d/dlr sum (w - lr g)^2 = -2 g . (w - lr g)
    assert lr.grad.item() == pytest.approx(-2 * (3 * (1 - 1.5) + 5 * (2 - 2.5)))
    assert weight.grad.tolist() == [-1.0, -1.0]


def test_differentiable_adam_through_two_steps():
    weight = ft.tensor([1.0, 2.0], dtype=ft.float64, requires_grad=True)

    def trained(start):
        updated = start.clone()
        optimizer = Adam([updated], lr=0.1, differentiable=True, amsgrad=True)
        for _ in range(2):
            updated.grad = start * start
            optimizer.step()
        return updated

    out = trained(weight)
    out.sum().backward()
    numeric = []
    for i in range(2):
        shift = ft.zeros(2, dtype=ft.float64)
        shift[i] = 1e-6
        high, low = trained((weight + shift).detach()), trained((weight - shift).detach())
        numeric.append((high.sum() - low.sum()).item() / 2e-6)
    assert np.allclose(weight.grad.numpy(), numeric, atol=1e-6)


def test_capturable_needs_a_gpu():
    with pytest.raises(AssertionError, match="If capturable=True"):
        stepped(capturable=True)


def test_state_dict_round_trip():
    weight, optimizer = stepped(amsgrad=True, lr=0.1)
    saved = copy.deepcopy(optimizer.state_dict())
    assert list(saved["state"][0]) == ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    other = Adam([weight.detach().clone().requires_grad_()])
    other.load_state_dict(saved)
    for one in (optimizer, other):
        (target,) = one.param_groups[0]["params"]
        target.grad = ft.tensor([0.5, 0.25])
        one.step()
    assert other.param_groups[0]["params"][0].tolist() == weight.tolist()


def test_state_is_cast_to_the_parameter_but_step_is_not():
    _, optimizer = stepped()
    weight = ft.ones(2, dtype=ft.float64, requires_grad=True)
    other = Adam([weight])
    other.load_state_dict(optimizer.state_dict())
    assert other.state[weight]["exp_avg"].dtype == ft.float64
    assert other.state[weight]["step"].dtype == ft.float32


def test_old_checkpoints_load():
    _, optimizer = stepped()
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0]["step"] = 3
    del saved["param_groups"][0]["maximize"], saved["param_groups"][0]["fused"]
    other = Adam([param()])
    other.load_state_dict(saved)
    state = other.state_dict()
    assert state["state"][0]["step"].item() == 3.0
    assert state["param_groups"][0]["maximize"] is False


def test_load_state_dict_errors():
    optimizer = SGD([param()])
    two_groups = SGD([{"params": [param()]}, {"params": [param()]}])
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optimizer.load_state_dict(two_groups.state_dict())
    with pytest.raises(ValueError, match="doesn't match the size"):
        optimizer.load_state_dict(SGD([param(), param()]).state_dict())


def test_adagrad_has_its_state_from_the_start():
    weight = param()
    optimizer = ft.optim.Adagrad([weight], initial_accumulator_value=0.5)
    assert optimizer.state_dict()["state"][0]["sum"].tolist() == [0.5, 0.5]


def test_sgd_without_momentum_keeps_no_state():
    _, optimizer = stepped(SGD)
    assert optimizer.state_dict()["state"] == {}


def test_deepcopy_and_pickle():
    weight, optimizer = stepped()
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (copied,) = other.param_groups[0]["params"]
        assert copied is not weight
        assert other.state[copied]["exp_avg"].tolist() == (
            optimizer.state[weight]["exp_avg"].tolist()
        )
        copied.grad = ft.ones(2)
        other.step()


def test_step_hooks_in_order_and_replacing_arguments():
    seen = []
    weight = param()
    optimizer = SGD([weight])
    handles = [
        register_optimizer_step_pre_hook(lambda *a: seen.append("all before")),
        register_optimizer_step_post_hook(lambda *a: seen.append("all after")),
        optimizer.register_step_pre_hook(lambda *a: seen.append("before")),
        optimizer.register_step_post_hook(lambda *a: seen.append("after")),
    ]
    optimizer.step()
    assert seen == ["all before", "before", "after", "all after"]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(seen) == 4
    handle = optimizer.register_step_pre_hook(lambda o, a, k: (a, {"closure": lambda: 5}))
    assert optimizer.step() == 5
    handle.remove()
    optimizer.register_step_pre_hook(lambda o, a, k: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        optimizer.step()


def test_hooks_of_a_users_own_optimizer():
    class Mine(Optimizer):
        def step(self, closure=None):
            return "stepped"

    seen = []
    optimizer = Mine([param()], {})
    optimizer.register_step_post_hook(lambda *a: seen.append(1))
    assert optimizer.step() == "stepped" and seen == [1]


def test_state_dict_hooks():
    optimizer = SGD([param()])
    optimizer.register_state_dict_post_hook(lambda o, s: {"mine": s})
    saved = optimizer.state_dict()
    assert list(saved) == ["mine"]
    optimizer.register_load_state_dict_pre_hook(lambda o, s: s["mine"])
    loaded = []
    optimizer.register_load_state_dict_post_hook(lambda o: loaded.append(o))
    optimizer.load_state_dict(saved)
    assert loaded == [optimizer]


def test_lbfgs_takes_one_group():
    with pytest.raises(ValueError, match="per-parameter options"):
        ft.optim.LBFGS([{"params": [param()]}, {"params": [param()]}])


def test_lbfgs_line_search_name():
    weight = param()
    optimizer = ft.optim.LBFGS([weight], line_search_fn="golden")

    def closure():
        optimizer.zero_grad()
        loss = (weight * weight).sum()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        optimizer.step(closure)
