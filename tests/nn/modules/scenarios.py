"""What the same lines on modules give with either library: each scenario returns plain values.

A scenario is a function of ``torch`` (PyTorch or flambeau). `outcome` makes text of an error.
`tests/golden/make_nn_modules.py` records what PyTorch gives.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

SCENARIOS: dict[str, Callable[[ModuleType], Any]] = {}


def scenario(function: Callable[[ModuleType], Any]) -> Callable[[ModuleType], Any]:
    SCENARIOS[function.__name__] = function
    return function


def plain(value: Any) -> Any:
    """As JSON gives it back: tensors as nested lists, everything else unknown as its text."""
    if hasattr(value, "detach"):
        return plain(value.detach().tolist())
    if isinstance(value, float):
        return "nan" if value != value else float(f"{value:.5g}")
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return text(value)


def text(value: Any) -> str:
    return repr(value).replace("flambeau.", "torch.")


def outcome(run: Callable[[], Any]) -> Any:
    """The value, or the type and message of the error."""
    try:
        return plain(run())
    except Exception as error:
        return f"{type(error).__name__}: {error}".replace("flambeau.", "torch.")


def outcomes(*runs: Callable[[], Any]) -> list[Any]:
    return [outcome(run) for run in runs]


def record(torch: ModuleType, run: Callable[[ModuleType], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return plain(run(torch))


def layer(torch: ModuleType, rows: int = 3, columns: int = 2, **settings: Any) -> Any:
    """A Linear layer with known weights."""
    made = torch.nn.Linear(columns, rows, **settings)
    with torch.no_grad():
        made.weight.copy_(torch.arange(float(rows * columns)).reshape(rows, columns) / 8)
        if made.bias is not None:
            made.bias.copy_(torch.arange(float(rows)) / 4)
    return made


@scenario
def registration_errors(torch):
    nn = torch.nn
    m = layer(torch)
    computed = nn.Parameter(torch.ones(2)) * 2
    m.register_buffer("empty", None)
    m.child = nn.ReLU()
    return outcomes(
        lambda: m.register_parameter("a.b", None),
        lambda: m.register_parameter("", None),
        lambda: m.register_parameter("forward", None),
        lambda: m.register_parameter(3, None),
        lambda: m.register_parameter("q", 3),
        lambda: m.register_parameter("q", torch.ones(2)),
        lambda: m.register_parameter("q", computed),
        lambda: m.add_module("a.b", None),
        lambda: m.add_module("", None),
        lambda: m.add_module("forward", None),
        lambda: m.add_module(3, None),
        lambda: m.add_module("q", 3),
        lambda: m.add_module(3, 3),
        lambda: m.register_buffer("a.b", None),
        lambda: m.register_buffer("", None),
        lambda: m.register_buffer("forward", None),
        lambda: m.register_buffer(3, None),
        lambda: m.register_buffer("q", 3),
        lambda: setattr(m, "weight", torch.ones(2)),
        lambda: setattr(m, "weight", 3),
        lambda: setattr(m, "empty", 3),
        lambda: setattr(m, "child", 3),
        lambda: setattr(m, "child", None),
        lambda: m.missing,
        lambda: delattr(m, "missing"),
        lambda: list(m._modules.items()),
    )


@scenario
def before_init(torch):
    nn = torch.nn

    class Broken(nn.Module):
        def __init__(self, value):
            self.value = value

    return outcomes(
        lambda: Broken(nn.ReLU()),
        lambda: Broken(nn.Parameter(torch.ones(2))),
        lambda: Broken(nn.Buffer(torch.ones(2))),
        lambda: Broken(torch.ones(2)).value,
        lambda: nn.Module(3),
        lambda: nn.Module(a=3),
        lambda: nn.Module()(3),
    )


@scenario
def attributes_change_roles(torch):
    nn = torch.nn
    m = nn.Module()
    seen = []

    def look():
        seen.append(
            [list(m._parameters), list(m._buffers), list(m._modules), "x" in m.__dict__,
             sorted(m._non_persistent_buffers_set)]
        )  # fmt: skip

    m.x = 3
    look()
    m.x = nn.Parameter(torch.ones(1))
    look()
    m.x = None
    look()
    seen.append(outcome(lambda: setattr(m, "x", nn.ReLU())))
    del m.x
    m.x = nn.ReLU()
    look()
    m.x = None
    look()
    m.x = nn.Parameter(torch.ones(1))
    look()
    del m.x
    look()
    m.x = nn.Buffer(torch.ones(1), persistent=False)
    look()
    m.x = torch.zeros(2)
    look()
    m.x = nn.Parameter(torch.ones(1))
    look()
    del m.x
    look()
    m.register_buffer("y", torch.ones(1), persistent=False)
    m.z = nn.Buffer(torch.ones(1))
    look()
    seen.append(list(m.state_dict()))
    m.register_buffer("y", torch.ones(1))
    seen.append(list(m.state_dict()))
    return seen


@scenario
def lookups(torch):
    nn = torch.nn
    m = nn.Sequential(nn.Sequential(layer(torch)), nn.BatchNorm1d(3))
    linear = m[0][0]
    return outcomes(
        lambda: m.get_submodule("0.0"),
        lambda: m.get_submodule("") is m,
        lambda: m.get_submodule("a.b"),
        lambda: m.get_submodule("0.0.weight"),
        lambda: m.get_parameter("0.0.bias"),
        lambda: m.get_parameter("0.0.nothing"),
        lambda: m.get_parameter("0.0.in_features"),
        lambda: m.get_buffer("1.running_mean"),
        lambda: m.get_buffer("1.weight"),
        lambda: linear.set_submodule("a.b", linear),
        lambda: linear.set_submodule("a", 3),
        lambda: linear.set_submodule("", 3),
        lambda: linear.set_submodule("weight", nn.ReLU()),
        lambda: linear.set_submodule("aa", nn.ReLU(), True),
        lambda: m.set_submodule("0.0", nn.Tanh()) or m,
        lambda: m.set_submodule("0.new", nn.ReLU()) or m,
    )


@scenario
def names(torch):
    nn = torch.nn
    shared = layer(torch)
    m = nn.Module()
    m.a, m.b, m.none = shared, shared, None
    m.norm = nn.BatchNorm1d(2)
    m.tied = shared.weight
    m.register_parameter("empty", None)
    return [
        [name for name, _ in m.named_parameters()],
        [name for name, _ in m.named_parameters(remove_duplicate=False)],
        [name for name, _ in m.named_parameters(prefix="p", recurse=False)],
        [name for name, _ in m.named_buffers()],
        [name for name, _ in m.named_modules()],
        [name for name, _ in m.named_modules(remove_duplicate=False, prefix="p")],
        [name for name, _ in m.named_children()],
        len(list(m.parameters())), len(list(m.modules())), len(list(m.children())),
        [name for name in dir(m) if name in ("a", "tied", "none", "training", "forward")],
        list(m.state_dict()),
    ]  # fmt: skip


@scenario
def state_dict_details(torch):
    nn = torch.nn
    m = nn.Sequential(nn.BatchNorm1d(2), layer(torch))
    state = m.state_dict(prefix="m.")
    kept = m.state_dict(keep_vars=True)
    given = {"before": 1}
    m.state_dict(destination=given, prefix="x.")
    return [
        list(state), dict(state._metadata), type(state).__name__, list(given),
        kept["1.weight"] is m[1].weight, state["m.1.weight"].requires_grad,
        state["m.1.weight"].data_ptr() == m[1].weight.data_ptr(),
    ]  # fmt: skip


@scenario
def load_errors(torch):
    nn = torch.nn
    m = layer(torch)
    ones = torch.ones
    return outcomes(
        lambda: m.load_state_dict(3),
        lambda: m.load_state_dict(m.state_dict()),
        lambda: m.load_state_dict({"weight": ones(3), "foo": 1}),
        lambda: m.load_state_dict({"weight": ones(3), "foo": 1}, strict=False),
        lambda: m.load_state_dict({"weight": ones(3, 2), "foo": 1}, strict=False),
        lambda: m.load_state_dict({"weight": 3, "bias": ones(3)}),
        lambda: m.load_state_dict({"weight": ones(3, 2), "bias": ones(3), "bias.x": ones(1)}),
        lambda: nn.Sequential(m).load_state_dict({"0.weight": ones(3, 2), "1.bias": ones(3)}),
        lambda: nn.BatchNorm1d(2).load_state_dict({"weight": ones(2), "bias": ones(2)}),
        lambda: layer(torch, bias=False).load_state_dict({"weight": ones(3, 2), "bias": ones(3)}),
    )


@scenario
def load_and_assign(torch):
    m = layer(torch)
    m.bias.requires_grad_(False)
    before = m.weight
    half = {"weight": torch.ones(3, 2, dtype=torch.float64), "bias": torch.zeros(3)}
    copied = m.load_state_dict(half)
    first = [m.weight is before, str(m.weight.dtype), m.weight]
    m.load_state_dict(half, assign=True)
    second = [
        m.weight is before, str(m.weight.dtype), type(m.weight).__name__, m.weight.requires_grad,
        m.bias.requires_grad, m.weight.data_ptr() == half["weight"].data_ptr(),
    ]  # fmt: skip
    return [copied, first, second]


@scenario
def state_hooks(torch):
    nn = torch.nn
    log = []
    m = nn.Sequential(layer(torch))
    inner = m[0]
    inner.register_state_dict_pre_hook(lambda mod, prefix, keep: log.append(["pre", prefix, keep]))
    inner.register_state_dict_post_hook(
        lambda mod, state, prefix, meta: log.append(["post", list(state), prefix, meta])
    )
    inner.register_load_state_dict_pre_hook(
        lambda mod, state, prefix, meta, strict, missing, unexpected, errors: log.append(
            ["load", list(state), prefix, meta, strict]
        )
    )
    handle = m.register_load_state_dict_post_hook(
        lambda mod, keys: log.append(["loaded", list(keys.missing_keys)])
    )
    m.load_state_dict(m.state_dict())
    handle.remove()
    m.load_state_dict(m.state_dict())
    m.register_load_state_dict_post_hook(lambda mod, keys: keys.missing_keys.clear())
    m.load_state_dict({"0.bias": torch.ones(3)})
    m.register_state_dict_post_hook(lambda *args: 3)
    return [log, outcome(m.state_dict)]


@scenario
def extra_state(torch):
    class Counts(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.count = 5

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    m = torch.nn.Sequential(Counts())
    state = m.state_dict()
    m[0].count = 0
    m.load_state_dict(state)
    return [
        dict(state), m[0].count, outcome(lambda: m.load_state_dict({})),
        outcome(lambda: torch.nn.ReLU().load_state_dict({"_extra_state": 1})),
    ]  # fmt: skip


@scenario
def conversions(torch):
    m = torch.nn.BatchNorm1d(2)
    kinds = lambda: [str(t.dtype) for t in m.state_dict().values()]
    same = m.weight
    m(torch.ones(2, 2)).sum().backward()
    found = [kinds()]
    for change in (
        lambda: m.double(), lambda: m.half(), lambda: m.bfloat16(), lambda: m.float(),
        lambda: m.to(torch.float64), lambda: m.to("cpu", torch.float32, True),
        lambda: m.to(torch.zeros(1, dtype=torch.float16)), lambda: m.to(dtype=torch.float32),
        lambda: m.type(torch.float64), lambda: m.type("torch.FloatTensor"), lambda: m.cpu(),
        lambda: m.to(None), lambda: m.to(),
    ):  # fmt: skip
        change()
        found.append([kinds(), str(m.weight.grad.dtype), m.weight is same])
    return found + outcomes(
        lambda: m.to(torch.int32),
        lambda: m.to(copy=True),
        lambda: m.train(1),
        lambda: m.type(torch.int32),
        lambda: layer(torch).to(device="meta").to("cpu"),
        lambda: tuple(layer(torch).to("meta").to_empty(device="cpu").weight.shape),
    )


@scenario
def modes_and_gradients(torch):
    nn = torch.nn
    m = nn.Sequential(layer(torch), nn.Sequential(nn.Dropout()))
    m.eval()
    found = [[module.training for module in m.modules()]]
    m[1].train()
    found.append([module.training for module in m.modules()])
    m[0].requires_grad_(False)
    found.append([p.requires_grad for p in m.parameters()])
    m.requires_grad_()
    m.eval()(torch.ones(1, 2)).sum().backward()
    found.append([p.grad for p in m.parameters()])
    m.zero_grad(set_to_none=False)
    found.append([p.grad for p in m.parameters()])
    m.zero_grad()
    found.append([p.grad for p in m.parameters()])
    order = []
    m.apply(lambda module: order.append(type(module).__name__))
    return [*found, order, m.compile()]


@scenario
def copies(torch):
    m = torch.nn.Sequential(layer(torch), torch.nn.BatchNorm1d(3))
    m.tied = m[0].weight
    m(torch.ones(2, 2)).sum().backward()
    log = []
    m.register_forward_hook(lambda *args: log.append(1))
    twin = copy.deepcopy(m)
    twin[0].bias.data.fill_(9.0)
    twin(torch.ones(2, 2))
    return [
        twin.tied is twin[0].weight, twin.tied is m.tied, m[0].bias, twin[0].weight.grad is None,
        list(twin.state_dict()), twin[0].weight, len(log),
    ]  # fmt: skip
