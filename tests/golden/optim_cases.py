"""The runs behind optim.json: made with torch, repeated with flambeau, by the same code."""

from __future__ import annotations

import math
from typing import Any

# optimizer, options; tensors among the options are written as {"tensor": value}
OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("Adadelta", {}),
    ("Adadelta", {"lr": 5.0, "rho": 0.95, "weight_decay": 0.5, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.5, "eps": (1e-8, 1e-3), "d": 1.5, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.5, "initial_accumulator_value": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1, "betas": (0.3, 0.6)}),
    ("Adam", {"lr": {"tensor": 0.125}, "maximize": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.5}),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.1}),
    ("ASGD", {"lr": 0.1, "t0": 2, "lambd": 0.1, "weight_decay": 0.1}),
    ("Muon", {"lr": 0.1}),
    ("Muon", {"lr": 0.1, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"}),
    ("NAdam", {"lr": 0.1}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.1}),
    ("RAdam", {"lr": 0.1, "betas": (0.5, 0.9), "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Rprop", {"lr": 0.1}),
    ("Rprop", {"lr": 0.1, "etas": (0.4, 1.5), "step_sizes": (0.05, 0.2), "maximize": True}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
]
NO_COMPLEX = ("Adafactor", "Muon")
STEPS = 8


def case_name(case: tuple[str, dict[str, Any]]) -> str:
    name, options = case
    return "-".join([name, *options])


def _values(torch: Any, shape: tuple[int, ...], phase: float, dtype: str) -> Any:
    count = math.prod(shape)
    values = [math.sin(1.7 * i + phase) for i in range(count)]
    if dtype.startswith("complex"):
        values = [complex(v, math.cos(2.3 * i - phase)) for i, v in enumerate(values)]
    return torch.tensor(values, dtype=getattr(torch, dtype)).reshape(shape)


def run_optimizer(torch: Any, name: str, options: dict[str, Any], dtype: str) -> Any:
    """The optimizer after STEPS steps on made-up gradients; one gradient is missing once."""
    shapes = [(3, 4), (4, 3)] if name == "Muon" else [(2, 3), (4,)]
    params = [_values(torch, s, 0.3 * i, dtype) for i, s in enumerate(shapes)]
    for param in params:
        param.requires_grad_()
    given = {
        key: torch.tensor(value["tensor"]) if isinstance(value, dict) else value
        for key, value in options.items()
    }
    optimizer = getattr(torch.optim, name)(params, **given)
    for step in range(STEPS):
        for i, param in enumerate(params):
            param.grad = _values(torch, shapes[i], 1.1 * step + i, dtype)
        if step == 3:
            params[1].grad = None
        optimizer.step()
    return optimizer


def flat(torch: Any, tensor: Any) -> list[float]:
    """A tensor's numbers, complex ones as pairs."""
    tensor = tensor.detach()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return tensor.double().reshape(-1).tolist()


def summary(torch: Any, optimizer: Any) -> dict[str, Any]:
    """Parameters as plain numbers; the state too, where it is exact enough to compare."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    found: dict[str, Any] = {"params": [flat(torch, p) for p in params]}
    if params[0].dtype == torch.float64:
        saved = optimizer.state_dict()
        found["options"] = list(saved["param_groups"][0])
        found["state"] = {
            str(number): {key: flat(torch, value) for key, value in entries.items()}
            for number, entries in saved["state"].items()
        }
    return found


def run_lbfgs(torch: Any, options: dict[str, Any]) -> list[float]:
    """Losses of L-BFGS on Rosenbrock's valley, and where it ends."""
    point = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([point], **options)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (1 - point[0]) ** 2 + 100 * (point[1] - point[0] ** 2) ** 2
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(6)]
    return [*losses, *point.detach().tolist()]


LBFGS: list[dict[str, Any]] = [
    {"max_iter": 4, "lr": 0.1, "history_size": 3},
    {"max_iter": 5, "line_search_fn": "strong_wolfe"},
    {"max_iter": 5, "lr": 0.5, "history_size": 2, "line_search_fn": "strong_wolfe"},
]


def _sequence(schedulers: Any, optimizer: Any) -> Any:
    parts = [
        schedulers.LinearLR(optimizer, 0.1, 1.0, 4),
        schedulers.CosineAnnealingLR(optimizer, 5),
        schedulers.ExponentialLR(optimizer, 0.9),
    ]
    return schedulers.SequentialLR(optimizer, parts, [4, 10])


def _chain(schedulers: Any, optimizer: Any) -> Any:
    parts = [schedulers.ConstantLR(optimizer, 0.3, 4), schedulers.StepLR(optimizer, 3)]
    return schedulers.ChainedScheduler(parts)


# name -> how to make it, from the lr_scheduler module and an optimizer with two groups
SCHEDULERS: dict[str, Any] = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (e + 1)]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.97),
    "StepLR": lambda s, o: s.StepLR(o, 3, 0.3),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 4, 4, 9], 0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.37, 5),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.23, 0.77, 5),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.91),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 7, 2.5),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 3, 0.003),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 2, 0.003),
    "CyclicLR": lambda s, o: s.CyclicLR(o, [0.01, 0.02], 0.3, 3, 4, mode="triangular2"),
    "CyclicLR-exp": lambda s, o: s.CyclicLR(o, 0.01, 0.3, 3, mode="exp_range", gamma=0.97),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, [0.3, 0.4], 15),
    "OneCycleLR-three": lambda s, o: s.OneCycleLR(
        o, 0.3, 15, three_phase=True, anneal_strategy="linear"
    ),
    "SequentialLR": _sequence,
    "ChainedScheduler": _chain,
}
SCHEDULE_STEPS = 14


def run_schedule(torch: Any, schedulers: Any, name: str) -> list[list[float]]:
    """Learning rate and momentum of both groups after each step."""
    groups = [{"params": [torch.ones(1, requires_grad=True)], "lr": lr} for lr in (0.1, 0.03)]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    scheduler = SCHEDULERS[name](schedulers, optimizer)
    seen = []
    for _ in range(SCHEDULE_STEPS):
        seen.append([g[key] for g in optimizer.param_groups for key in ("lr", "momentum")])
        optimizer.step()
        scheduler.step()
    return seen
