"""What is kept when modules are pickled or copied, and how lazy ones grow."""

from __future__ import annotations

import copy
import pickle

import pytest

import flambeau as torch
import flambeau.func
from flambeau import nn


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(2, 3),
        lambda: nn.Sequential(nn.LSTM(2, 3), nn.BatchNorm1d(3)),
        lambda: nn.LazyLinear(3),
        lambda: nn.TransformerEncoderLayer(4, 2, 8),
        lambda: nn.ParameterDict({"a": torch.ones(2)}),
        lambda: nn.CrossEntropyLoss(torch.ones(2)),
    ],
)
def test_pickling(make):
    module = make()
    read = pickle.loads(pickle.dumps(module))
    assert repr(read) == repr(module)
    if not isinstance(module, nn.LazyLinear):
        for name, value in module.state_dict().items():
            assert torch.equal(read.state_dict()[name], value)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_of_a_lazy_module_grows_alone(twin):
    original = nn.LazyLinear(3)
    copied = twin(original)
    assert copied(torch.ones(2, 4)).shape == (2, 3)
    assert type(copied) is nn.Linear and copied.in_features == 4
    assert not copied._forward_pre_hooks and not copied._load_state_dict_pre_hooks
    assert original.has_uninitialized_params()
    assert original(torch.ones(2, 5)).shape == (2, 3)


def test_lazy_modules_load_grown_ones():
    grown = nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d())
    grown(torch.ones(1, 3, 5, 5))
    fresh = nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d())
    fresh.load_state_dict(grown.state_dict())
    assert torch.equal(fresh[0].weight, grown[0].weight)
    x = torch.rand(2, 3, 5, 5)
    assert torch.equal(fresh.eval()(x), grown.eval()(x))


def test_grown_modules_refuse_lazy_state():
    with pytest.raises(RuntimeError, match="Can't access the shape"):
        nn.Conv2d(3, 2, 3).load_state_dict(nn.LazyConv2d(2, 3).state_dict())


def test_lazy_parameters_do_not_compute():
    weight = nn.LazyLinear(3).weight
    for use in (lambda: weight + 1, lambda: weight.sum(), lambda: weight.numel()):
        with pytest.raises(ValueError, match="uninitialized parameter"):
            use()
    with pytest.raises(RuntimeError, match="Can't access the shape"):
        _ = weight.shape
    with pytest.raises(RuntimeError, match="Can't share memory"):
        weight.share_memory_()


def test_lazy_modules_convert():
    layer = nn.LazyLinear(3).double()
    assert layer.weight.dtype == torch.float64
    assert layer(torch.ones(1, 2, dtype=torch.float64)).dtype == torch.float64


def test_tensor_subclasses_stay_what_they_are_as_parameters():
    class Marked(torch.Tensor):
        pass

    marked = torch.ones(2)
    marked.__class__ = Marked
    parameter = nn.Parameter(marked)
    assert type(parameter) is Marked and isinstance(parameter, nn.Parameter)
    module = nn.Module()
    module.marked = parameter
    assert list(module.state_dict()) == ["marked"]


def test_loading_into_meta_warns():
    layer = nn.Linear(2, 3, device="meta")
    with pytest.warns(UserWarning, match="no-op"):
        layer.load_state_dict(nn.Linear(2, 3).state_dict())
    layer.load_state_dict(nn.Linear(2, 3).state_dict(), assign=True)
    assert layer(torch.ones(1, 2)).shape == (1, 3)


def test_hooks_off_again_leave_nothing():
    layer = nn.Linear(2, 3)
    handle = layer.register_forward_hook(lambda *args: None, with_kwargs=False, always_call=True)
    handle.remove()
    assert not layer._forward_hooks and not layer._forward_hooks_always_called


def test_swapping_parameters_survives_errors():
    layer = nn.Linear(2, 3)
    weight = layer.weight
    with pytest.raises(RuntimeError):
        torch.func.functional_call(layer, {"weight": torch.ones(3, 5)}, torch.ones(1, 2))
    assert layer.weight is weight
