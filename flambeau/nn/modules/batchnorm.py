"""Batch normalisation."""

from __future__ import annotations

from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau._engine.base import dtypes
from flambeau._ops.creation import empty, ones, tensor, zeros
from flambeau.nn import functional as F, init
from flambeau.nn.modules._shown import ShowsFields
from flambeau.nn.modules.lazy import LazyModuleMixin
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "SyncBatchNorm",
]


def check_input_dims(input: Tensor, allowed: tuple[int, ...]) -> None:
    """ValueError unless the input has one of the ``allowed`` numbers of dimensions."""
    if input.dim() not in allowed:
        wanted = " or ".join(f"{dims}D" for dims in allowed)
        raise ValueError(f"expected {wanted} input (got {input.dim()}D input)")


class _NormBase(ShowsFields):
    """Parameters and running statistics of batch and instance normalisation."""

    # Since 2 there is num_batches_tracked.
    _version = 2
    _shown = ("eps", "momentum", "affine", "bias", "track_running_stats")
    _allowed_dims: tuple[int, ...]
    num_features: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._make_parameters(affine, affine and bias, device, dtype)
        self._make_statistics(device, dtype)
        self.reset_parameters()

    def _make_parameters(self, weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        for name, wanted in (("weight", weight), ("bias", bias)):
            value = empty(self.num_features, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if value is None else Parameter(value))

    def _make_statistics(self, device: Any, dtype: Any) -> None:
        statistics: dict[str, Tensor | None] = {
            "running_mean": None,
            "running_var": None,
            "num_batches_tracked": None,
        }
        if self.track_running_stats:
            statistics = {
                "running_mean": zeros(self.num_features, device=device, dtype=dtype),
                "running_var": ones(self.num_features, device=device, dtype=dtype),
                "num_batches_tracked": tensor(0, dtype=dtypes.int64, device=device),
            }
        for name, value in statistics.items():
            self.register_buffer(name, value)

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batches seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0, and fresh statistics."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        check_input_dims(input, self._allowed_dims)

    def extra_repr(self) -> str:
        fields = {name: getattr(self, name) for name in self._shown}
        fields["bias"] = self.bias is not None
        return f"{self.num_features}, " + ", ".join(f"{k}={v}" for k, v in fields.items())

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, local_metadata: dict, *rest: Any
    ) -> None:
        version = local_metadata.get("version")
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            own = self.num_batches_tracked
            known = own is not None and not own.is_meta
            state_dict[key] = own if known else tensor(0, dtype=dtypes.int64)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    """``y = (x - mean) / sqrt(var + eps) * weight + bias``, with statistics of the batch."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the plain mean over all batches so far
                factor = 1.0 / float(self.num_batches_tracked)
        use_batch = self.training or (self.running_mean is None and self.running_var is None)
        use_running = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if use_running else None,
            self.running_var if use_running else None,
            self.weight,
            self.bias,
            use_batch,
            factor,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of ``(N, C)`` or ``(N, C, L)``: see `BatchNorm2d`.

    >>> nn.BatchNorm1d(100)(torch.zeros(20, 100)).shape
    torch.Size([20, 100])
    """

    _allowed_dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of ``(N, C, H, W)``.

    For every channel ``y = (x - mean) / sqrt(var + eps) * weight + bias``. In training, mean and
    (biased) variance are those of the batch, and the running statistics move towards them by
    ``momentum`` (with the unbiased variance); in evaluation the running statistics are used.

    Args:
        num_features: the number of channels ``C``.
        eps: added to the variance.
        momentum: weight of the newest batch; None for the plain mean over all batches.
        affine: whether to learn ``weight`` and ``bias``.
        track_running_stats: False always uses the statistics of the batch.
        device, dtype: of the parameters.
        bias: False learns ``weight`` only.
    """

    _allowed_dims = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of ``(N, C, D, H, W)``: see `BatchNorm2d`."""

    _allowed_dims = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over all processes; in one process it is `BatchNorm2d` of any shape."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any | None = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """``module`` with all its batch norms replaced by `SyncBatchNorm`, sharing parameters."""
        converted = module
        if isinstance(module, _BatchNorm):
            converted = cls(
                module.num_features, module.eps, module.momentum, module.affine,
                module.track_running_stats, process_group, bias=module.bias is not None,
            )  # fmt: skip
            converted._parameters.update(module._parameters)
            converted._buffers.update(module._buffers)
            converted.training = module.training
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """Normalisation that learns ``num_features`` from its first input."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _make_parameters(self, weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        for name, wanted in (("weight", weight), ("bias", bias)):
            self.register_parameter(
                name, UninitializedParameter(device=device, dtype=dtype) if wanted else None
            )

    def _make_statistics(self, device: Any, dtype: Any) -> None:
        super()._make_statistics(device, dtype)
        if self.track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[self._channel_dim(input)]
        for name in ("weight", "bias", "running_mean", "running_var"):
            member = getattr(self, name)
            if member is not None:
                member.materialize((self.num_features,))
        self.reset_parameters()

    def _channel_dim(self, input: Tensor) -> int:
        return 1


class LazyBatchNorm1d(_LazyNormBase, BatchNorm1d):
    """A `BatchNorm1d` that learns ``num_features`` from its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNormBase, BatchNorm2d):
    """A `BatchNorm2d` that learns ``num_features`` from its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNormBase, BatchNorm3d):
    """A `BatchNorm3d` that learns ``num_features`` from its first input."""

    cls_to_become = BatchNorm3d
