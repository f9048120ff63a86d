"""An optimizer's groups and state to and from PyTorch's state_dict format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import dtypes

Groups = list[dict[str, Any]]


def pack(groups: Groups, state: dict[Any, Any]) -> dict[str, Any]:
    """The state_dict of `groups` and `state`: parameters become numbers, in group order."""
    numbers: dict[Tensor, int] = {}
    for group in groups:
        for param in group["params"]:
            numbers.setdefault(param, len(numbers))
    packed_groups = []
    for group in groups:
        packed = {key: value for key, value in group.items() if key != "params"}
        packed["params"] = [numbers[param] for param in group["params"]]
        packed_groups.append(packed)
    packed_state = {
        numbers[key] if isinstance(key, Tensor) else key: value for key, value in state.items()
    }
    return {"state": packed_state, "param_groups": packed_groups}


def check_groups(groups: Groups, saved: Groups) -> None:
    """Demand as many groups, and as many parameters in each, as were saved."""
    if len(groups) != len(saved):
        raise ValueError("loaded state dict has a different number of parameter groups")
    if any(len(a["params"]) != len(b["params"]) for a, b in zip(groups, saved)):
        raise ValueError(
            "loaded state dict contains a parameter group that doesn't match the size of "
            "optimizer's group"
        )


def merge_groups(groups: Groups, saved: Groups) -> Groups:
    """The saved options, with the parameters (and names, if none were saved) of now."""
    merged = []
    for group, new in zip(groups, saved):
        new["params"] = group["params"]
        if "param_names" in group and "param_names" not in new:
            new["param_names"] = group["param_names"]
        merged.append(new)
    return merged


def unpack(
    saved_state: dict[Any, Any], saved_groups: Groups, groups: Groups, fit: Callable[..., Tensor]
) -> defaultdict[Any, Any]:
    """The saved state keyed by parameter, each tensor passed through `fit`."""
    params = {
        number: param
        for saved, group in zip(saved_groups, groups)
        for number, param in zip(saved["params"], group["params"])
    }

    def cast(param: Tensor, value: Any, number: int, key: Any = None) -> Any:
        if isinstance(value, Tensor):
            return fit(param, value, number, saved_groups, key)
        if isinstance(value, dict):
            return {k: cast(param, v, number, k) for k, v in value.items()}
        if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
            return type(value)(cast(param, v, number) for v in value)  # type: ignore[call-arg]
        return value

    state: defaultdict[Any, Any] = defaultdict(dict)
    for number, value in saved_state.items():
        if number in params:
            state[params[number]] = cast(params[number], value, number)
        else:
            state[number] = value
    return state


def fit_tensor(param: Tensor, value: Tensor, number: int, groups: Groups, key: Any) -> Tensor:
    """A loaded state tensor with its parameter's dtype and device; `step` keeps its dtype."""
    if key != "step":
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)
    group = next((g for g in groups if number in g["params"]), {})
    if group.get("capturable") or group.get("fused"):
        return value.to(dtype=dtypes.float32, device=param.device)
    return value
