"""Instance normalisation: each channel of each sample by its own statistics."""

from __future__ import annotations

from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau.nn import functional as F
from flambeau.nn.modules.batchnorm import _LazyNormBase, _NormBase, check_input_dims

from ..._engine.base.callers import warn_user

__all__ = [
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]


class _InstanceNorm(_NormBase):
    """``y = (x - mean) / sqrt(var + eps) * weight + bias`` over ``dims`` dimensions."""

    dims: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def _check_input_dim(self, input: Tensor) -> None:
        check_input_dims(input, (self.dims + 1, self.dims + 2))

    def _channel_dim(self, input: Tensor) -> int:
        return input.dim() - self.dims - 1

    def _load_from_state_dict(
        self,
        state_dict: dict,
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list,
        unexpected_keys: list,
        error_msgs: list,
    ) -> None:
        stray = [
            prefix + name for name in ("running_mean", "running_var") if prefix + name in state_dict
        ]
        if local_metadata.get("version") is None and not self.track_running_stats and stray:
            names = " and ".join(f'"{key}"' for key in stray)
            error_msgs.append(
                f"Unexpected running stats buffer(s) {names} for {type(self).__name__} with "
                "track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, "
                "this may be expected because InstanceNorm does not track running stats by "
                "default since 0.4.0. Please remove these keys from state_dict."
            )
            for key in stray:
                state_dict.pop(key)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        channel = self._channel_dim(input)
        if input.size(channel) != self.num_features:
            message = (
                f"expected input's size at dim={channel} to match num_features "
                f"({self.num_features}), but got: {input.size(channel)}."
            )
            if self.affine:
                raise ValueError(message)
            warn_user(
                f"input's size at dim={channel} does not match num_features. You can silence "
                "this warning by not passing in num_features, which is not used because "
                "affine=False",
            )
        batched = input if input.dim() == self.dims + 2 else input.unsqueeze(0)
        output = F.instance_norm(
            batched, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip
        return output if batched is input else output.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of ``(N, C, L)`` or ``(C, L)``: see `InstanceNorm2d`."""

    dims = 1


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of ``(N, C, H, W)`` or ``(C, H, W)``.

    ``y = (x - mean) / sqrt(var + eps) * weight + bias`` with mean and biased variance over the
    pixels of each channel of each sample.

    Args:
        num_features: the number of channels ``C``.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: whether to learn ``weight`` and ``bias``.
        track_running_stats: keep running statistics and use them in evaluation.
        device, dtype: of the parameters.
        bias: False learns ``weight`` only.
    """

    dims = 2


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of ``(N, C, D, H, W)`` or ``(C, D, H, W)``: see `InstanceNorm2d`."""

    dims = 3


class _LazyInstanceNorm(_LazyNormBase):
    def _channel_dim(self, input: Tensor) -> int:
        return input.dim() - self.dims - 1


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """An `InstanceNorm1d` that learns ``num_features`` from its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """An `InstanceNorm2d` that learns ``num_features`` from its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """An `InstanceNorm3d` that learns ``num_features`` from its first input."""

    cls_to_become = InstanceNorm3d
