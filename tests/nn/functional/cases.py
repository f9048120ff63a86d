"""Calls of nn.functional that flambeau and PyTorch are both asked to make.

A case is a function's name, its arguments and its options. Arrays are described, not stored:
`A(2, 3)` are fixed numbers in float64 that want a gradient, `I(4, below=3)` integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class A:
    """Fixed float64 numbers between low and high; `grad` says whether a gradient is asked for."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    grad: bool = True
    seed: int = 0
    complex: bool = False

    def array(self) -> np.ndarray:
        draw = np.random.RandomState(self.seed + sum(self.shape))
        found = draw.uniform(self.low, self.high, self.shape).round(3)
        return found + 1j * draw.uniform(-1, 1, self.shape).round(3) if self.complex else found


@dataclass(frozen=True)
class I:  # noqa: E742 - a short name for a table
    """Fixed int64 numbers from 0 to below; or the given `values`."""

    shape: tuple[int, ...] = ()
    below: int = 2
    values: tuple[Any, ...] | None = None

    def array(self) -> np.ndarray:
        if self.values is not None:
            return np.array(self.values, np.int64)
        return np.random.RandomState(sum(self.shape)).randint(0, self.below, self.shape)


@dataclass(frozen=True)
class Case:
    """A call: `name(*arguments, **options)`."""

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """A key that tells the case from all others."""
        words = [self.name, *map(repr, self.arguments)]
        words += [f"{key}={value!r}" for key, value in self.options.items()]
        return " ".join(words).replace("shape=", "").replace(", grad=True, seed=0", "")


def _call(name: str, *arguments: Any, **options: Any) -> Case:
    return Case(name, arguments, options)


X = A((3, 4))
IMAGE = A((2, 4, 5, 6))

ACTIVATIONS = [
    *(_call(name, X) for name in (
        "relu", "relu6", "elu", "selu", "celu", "leaky_relu", "gelu", "silu", "mish", "softplus",
        "hardtanh", "hardswish", "hardsigmoid", "hardshrink", "softshrink", "tanhshrink",
        "logsigmoid", "glu", "softsign", "sigmoid", "tanh",
    )),
    _call("gelu", X, approximate="tanh"),
    _call("elu", X, 1.5), _call("celu", X, 0.7), _call("leaky_relu", X, 0.3),
    _call("softplus", X, 2.0, 1.5), _call("hardtanh", X, -0.5, 1.2), _call("softshrink", X, 0.9),
    _call("threshold", X, 0.1, 20.0), _call("prelu", X, A((4,), 0.0, 1.0)),
    _call("softmax", X, dim=0), _call("softmin", X, dim=1), _call("log_softmax", X, dim=1),
    _call("glu", X, 1),
]  # fmt: skip

_PROBABILITIES = A((3, 4), 0.1, 0.9)
_SIGNS = I(values=(1, -1, 1))
LOSSES = [
    *(_call(name, X, A((3, 4), seed=9)) for name in (
        "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss",
    )),
    _call("mse_loss", X, A((3, 4), seed=9), weight=_PROBABILITIES),
    _call("smooth_l1_loss", X, A((3, 4), seed=9), reduction="sum", beta=0.5),
    _call("huber_loss", X, A((3, 4), seed=9), reduction="none", delta=0.4),
    _call("poisson_nll_loss", X, A((3, 4), 0.0, 4.0, seed=9), full=True),
    _call("kl_div", X, _PROBABILITIES, reduction="batchmean"),
    _call("kl_div", X, A((3, 4), seed=9), reduction="sum", log_target=True),
    _call("gaussian_nll_loss", X, A((3, 4), seed=9), A((3, 4), 0.1, 2.0, seed=3), full=True),
    _call("hinge_embedding_loss", A((3,)), _SIGNS),
    _call("margin_ranking_loss", A((3,)), A((3,), seed=9), _SIGNS, margin=0.3),
    _call("cosine_embedding_loss", X, A((3, 4), seed=9), _SIGNS, margin=0.1),
    _call("triplet_margin_loss", X, A((3, 4), seed=9), A((3, 4), seed=5), swap=True),
    _call("cross_entropy", X, I((3,), 4)),
    _call("cross_entropy", X, I((3,), 4), A((4,), 0.1, 1.0, grad=False)),
    _call("cross_entropy", X, I(values=(1, 3, 1)), ignore_index=1, label_smoothing=0.2),
    _call("cross_entropy", X, I((3,), 4), A((4,), 0.1, 1.0, grad=False), label_smoothing=0.1),
    _call("cross_entropy", A((2, 3, 4)), I((2, 4), 3), reduction="none"),
    _call("cross_entropy", X, _PROBABILITIES, label_smoothing=0.1),
    _call("nll_loss", A((2, 3, 4)), I((2, 4), 3), A((3,), 0.1, 1.0, grad=False)),
    _call("nll_loss", X, I((3,), 4), reduction="sum"),
    _call("binary_cross_entropy", _PROBABILITIES, A((3, 4), 0.0, 1.0, seed=2)),
    _call("binary_cross_entropy_with_logits", X, _PROBABILITIES,
          pos_weight=A((4,), 0.5, 2.0, grad=False)),
    _call("soft_margin_loss", A((3,)), _SIGNS),
    _call("multilabel_soft_margin_loss", X, _PROBABILITIES),
    _call("multi_margin_loss", X, I((3,), 4), p=2, weight=A((4,), 0.1, 1.0, grad=False)),
    _call("multilabel_margin_loss", A((2, 4)), I(values=((1, 3, -1, 0), (0, 2, 1, -1)))),
    _call("ctc_loss", A((6, 2, 4), -3.0, -0.1), I(values=((1, 2, 2), (3, 1, 0))), (6, 5), (3, 2)),
    _call("linear_cross_entropy", X, A((5, 4)), I((3,), 5)),
]  # fmt: skip

CONVOLUTIONS = [
    _call("conv1d", A((2, 4, 7)), A((6, 2, 3)), A((6,)), stride=2, padding=1, groups=2),
    _call("conv1d", A((4, 7)), A((2, 4, 4)), padding="same", dilation=2),
    _call("conv2d", IMAGE, A((3, 4, 3, 2)), A((3,)), stride=(2, 1), padding=(1, 2)),
    _call("conv2d", IMAGE, A((4, 1, 3, 3)), groups=4, dilation=2, padding="valid"),
    _call("conv2d", A((1, 2, 4, 4), complex=True), A((3, 2, 2, 2), complex=True)),
    _call("conv3d", A((1, 2, 3, 4, 5)), A((3, 2, 2, 2, 3)), padding=1),
    _call("conv_transpose1d", A((2, 4, 5)), A((4, 3, 3)), A((3,)), stride=3, output_padding=1),
    _call("conv_transpose2d", A((1, 4, 3, 3)), A((4, 2, 3, 3)), stride=2, padding=1, groups=2),
    _call("conv_transpose2d", A((1, 2, 3, 3)), A((2, 2, 2, 2)), dilation=3, output_padding=2),
    _call("conv_transpose3d", A((1, 2, 2, 2, 3)), A((2, 2, 2, 2, 2)), stride=(1, 2, 1)),
    _call("linear", A((2, 3, 4)), A((5, 4)), A((5,))),
    _call("linear", A((4,)), A((5, 4))),
    _call("bilinear", X, A((3, 2)), A((5, 4, 2)), A((5,))),
]

POOLS = [
    _call("max_pool1d", A((2, 4, 7)), 3, 2, 1),
    _call("max_pool2d", IMAGE, (2, 3), ceil_mode=True, padding=1),
    _call("max_pool2d", IMAGE, 2, 1, 0, 2, return_indices=True),
    _call("max_pool3d", A((2, 4, 4, 5)), 2),
    _call("max_unpool2d", A((1, 1, 2, 2)), I(values=((((0, 3), (9, 14)),),)), 2),
    _call("avg_pool1d", A((2, 4, 7)), 3, 2, 1, count_include_pad=False),
    _call("avg_pool2d", IMAGE, 3, 2, 1, ceil_mode=True),
    _call("avg_pool2d", IMAGE, 2, divisor_override=3),
    _call("avg_pool3d", A((1, 2, 4, 4, 5)), (2, 3, 2)),
    _call("adaptive_avg_pool2d", IMAGE, (3, None)),
    _call("adaptive_avg_pool2d", IMAGE, 1),
    _call("adaptive_avg_pool1d", A((2, 6)), 3),
    _call("adaptive_max_pool2d", IMAGE, (3, 4), return_indices=True),
    _call("lp_pool2d", A((1, 2, 4, 4), 0.1, 2.0), 3.0, 2),
    _call("fractional_max_pool2d", A((1, 2, 6, 7)), 2, output_size=(3, 4),
          _random_samples=A((1, 2, 2), 0.0, 1.0, grad=False)),
    _call("unfold", IMAGE, (2, 3), dilation=2, padding=1, stride=2),
    _call("fold", A((1, 8, 6)), (4, 5), (2, 2), dilation=1, stride=(1, 2), padding=(0, 0)),
]  # fmt: skip

NORMALIZATIONS = [
    _call("batch_norm", IMAGE, None, None, A((4,)), A((4,), seed=3), training=True),
    _call("batch_norm", IMAGE, A((4,), grad=False), A((4,), 0.5, 2.0, grad=False), A((4,))),
    _call("instance_norm", IMAGE, None, None, A((4,)), A((4,), seed=3)),
    _call("layer_norm", IMAGE, (5, 6), A((5, 6)), A((5, 6), seed=3)),
    _call("group_norm", IMAGE, 2, A((4,)), A((4,), seed=3)),
    _call("rms_norm", X, (4,), A((4,)), 1e-3),
    _call("local_response_norm", IMAGE, 3, 0.1, 0.75, 2.0),
    _call("normalize", X, p=3.0),
    _call("normalize", A((3, 4), complex=True), dim=0),
]

OTHERS = [
    *(_call("pad", IMAGE, (1, 2, 3, 1), mode=mode) for mode in ("constant", "reflect", "replicate",
                                                               "circular")),
    _call("pad", IMAGE, (-1, 2, 0, -2), value=3.0),
    _call("embedding", I((2, 3), 5), A((5, 4)), padding_idx=1, scale_grad_by_freq=True),
    _call("embedding_bag", I((6,), 5), A((5, 4)), I(values=(0, 2, 5)), mode="mean"),
    _call("embedding_bag", I((6,), 5), A((5, 4)), I(values=(0, 2, 2)), mode="max"),
    _call("embedding_bag", I((2, 3), 5), A((5, 4)), mode="sum", per_sample_weights=A((2, 3))),
    _call("one_hot", I((2, 3), 4), 5),
    _call("scaled_dot_product_attention", A((2, 3, 4)), A((2, 5, 4)), A((2, 5, 6))),
    _call("scaled_dot_product_attention", A((2, 3, 4)), A((2, 3, 4), seed=1), A((2, 3, 4), seed=2),
          is_causal=True, scale=0.7),
    _call("scaled_dot_product_attention", A((1, 4, 2, 3)), A((1, 2, 2, 3)),
          A((1, 2, 2, 3), seed=1), enable_gqa=True),
    *(_call("interpolate", IMAGE, size=(3, 9), mode=mode) for mode in
      ("nearest", "nearest-exact", "bilinear", "bicubic", "area")),
    *(_call("interpolate", IMAGE, size=(3, 9), mode=mode, align_corners=True)
      for mode in ("bilinear", "bicubic")),
    *(_call("interpolate", IMAGE, size=(3, 4), mode=mode, antialias=True)
      for mode in ("bilinear", "bicubic")),
    _call("interpolate", A((2, 3, 5)), scale_factor=1.7, mode="linear"),
    _call("interpolate", A((1, 2, 2, 3, 2)), scale_factor=2.0, mode="trilinear"),
    *(_call("grid_sample", A((1, 2, 4, 5)), A((1, 3, 2, 2), -1.3, 1.3), mode=mode,
            padding_mode=padding, align_corners=align)
      for mode in ("bilinear", "nearest", "bicubic")
      for padding, align in (("zeros", False), ("border", True), ("reflection", False))),
    _call("grid_sample", A((1, 2, 3, 4, 5)), A((1, 2, 2, 2, 3), -1.0, 1.0), align_corners=False),
    _call("affine_grid", A((2, 2, 3)), (2, 1, 3, 4), align_corners=False),
    _call("pixel_shuffle", A((1, 8, 2, 3)), 2), _call("pixel_unshuffle", A((1, 2, 4, 6)), 2),
    _call("channel_shuffle", IMAGE, 2),
    *(_call("pairwise_distance", X, A((3, 4), seed=9), p) for p in (1.0, 2.0, 3.5, float("inf"))),
    _call("cosine_similarity", X, A((3, 4), seed=9)), _call("pdist", X), _call("pdist", X, 1.0),
]  # fmt: skip

CASES = [*ACTIVATIONS, *LOSSES, *CONVOLUTIONS, *POOLS, *NORMALIZATIONS, *OTHERS]


def fingerprint(array: np.ndarray, phase: float) -> list[float]:
    """A weighted sum that no permutation or sign change of the elements leaves as it is."""
    weights = np.cos(np.arange(array.size) + phase).reshape(array.shape)
    total = complex((array * weights).sum())
    return [float(f"{part:.10g}") for part in (total.real, total.imag)]


def record(library: Any, case: Case) -> dict[str, Any]:
    """The shapes of a call's results, their fingerprints, and those of all gradients."""
    wanted: list[Any] = []

    def tensor(spec: Any) -> Any:
        if not isinstance(spec, (A, I)):
            return spec
        made = library.from_numpy(spec.array())
        if isinstance(spec, A) and spec.grad:
            wanted.append(made.requires_grad_())
        return made

    arguments = [tensor(a) for a in case.arguments]
    options = {key: tensor(value) for key, value in case.options.items()}
    result = getattr(library.nn.functional, case.name)(*arguments, **options)
    results = result if isinstance(result, tuple) else (result,)
    arrays = [r.detach().numpy() for r in results]
    grads = []
    if results[0].requires_grad:
        weights = np.sin(np.arange(arrays[0].size) + 1.0).reshape(arrays[0].shape)
        seed = library.from_numpy(weights.astype(arrays[0].dtype))
        grads = library.autograd.grad([results[0]], wanted, [seed], allow_unused=True)
    return {
        "shapes": [list(a.shape) for a in arrays],
        "results": [fingerprint(a, 0.5) for a in arrays],
        "grads": [None if g is None else fingerprint(g.numpy(), 2.0) for g in grads],
    }
