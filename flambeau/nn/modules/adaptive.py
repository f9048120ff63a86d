"""Adaptive softmax: classes by frequency, rare ones behind a cheaper projection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops.joining import cat
from flambeau.nn import functional as F
from flambeau.nn.modules.container import ModuleList, Sequential
from flambeau.nn.modules.linear import Linear
from flambeau.nn.modules.module import Module
from flambeau.nn.utils.rnn import invert_permutation

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-softmax over many classes in clusters (Grave et al., 2017).

    The *head* scores the first ``cutoffs[0]`` classes and the clusters; cluster ``i`` scores its
    own classes from ``in_features // div_value^(i + 1)`` features.

    Args:
        in_features: size of the input's last dimension.
        n_classes: number of classes, sorted so that frequent ones come first.
        cutoffs: first class of each cluster, strictly increasing, below ``n_classes``.
        div_value: how fast the clusters' projections shrink.
        head_bias: whether the head has a bias.
        device, dtype: of the parameters.

    ``forward(input, target)`` gives ``output`` (log-probability of each target) and ``loss`` (the
    mean negative log-likelihood).
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        rising = cutoffs == sorted(set(cutoffs))
        if (
            not rising
            or min(cutoffs) <= 0
            or max(cutoffs) > n_classes - 1
            or any(int(cutoff) != cutoff for cutoff in cutoffs)
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an "
                "increasing order, where each value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for place in range(self.n_clusters):
            width = int(in_features // div_value ** (place + 1))
            classes = self.cutoffs[place + 1] - self.cutoffs[place]
            self.tail.append(
                Sequential(
                    Linear(in_features, width, bias=False, device=device, dtype=dtype),
                    Linear(width, classes, bias=False, device=device, dtype=dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        self.head.reset_parameters()
        for cluster in self.tail:
            for layer in cluster:
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        if input_.dim() not in (1, 2):
            raise RuntimeError(f"0D or 3D+ input not supported: input has {input_.dim()}D")
        if target_.dim() == 1 and input_.dim() == 2:
            if input_.size(0) != target_.size(0):
                raise RuntimeError(
                    "Input and target should have the same size in the batch dimension."
                )
        elif not (target_.dim() == 0 and input_.dim() == 1):
            raise RuntimeError("0D or 1D target tensor is expected, multi-target not supported")
        input = input_ if input_.dim() == 2 else input_.unsqueeze(0)
        target = target_.reshape(-1)
        if target.numel() and not 0 <= int(target.min()) <= int(target.max()) < self.n_classes:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found. "
            )
        output = self._target_log_prob(input, target)
        loss = (-output).mean()
        return _ASMoutput(output if input_.dim() == 2 else output.squeeze(0), loss)

    def _target_log_prob(self, input: Tensor, target: Tensor) -> Tensor:
        """The log-probability of each row's target: each cluster sees only its own rows."""
        parts, rows = [], []
        head_log_prob = F.log_softmax(self.head(input), dim=1)
        bounds = [0, *self.cutoffs]
        for place in range(self.n_clusters + 1):
            low, high = bounds[place], bounds[place + 1]
            chosen = ((target >= low) & (target < high)).nonzero().squeeze(1)
            if chosen.numel() == 0:
                continue
            column = (target[chosen] - low).unsqueeze(1)
            if place == 0:
                part = head_log_prob[chosen].gather(1, column)
            else:
                cluster = F.log_softmax(self.tail[place - 1](input[chosen]), dim=1)
                gate = head_log_prob[chosen, self.shortlist_size + place - 1]
                part = cluster.gather(1, column) + gate.unsqueeze(1)
            parts.append(part.squeeze(1))
            rows.append(chosen)
        return cat(parts)[invert_permutation(cat(rows))]

    def _get_full_log_prob(self, input: Tensor, head_output: Tensor) -> Tensor:
        """Log-probabilities of all classes."""
        head = F.log_softmax(head_output, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for place in range(self.n_clusters):
            cluster = F.log_softmax(self.tail[place](input), dim=1)
            gate = head[:, self.shortlist_size + place]
            parts.append(cluster + gate.unsqueeze(1))
        return cat(parts, dim=1)

    def log_prob(self, input: Tensor) -> Tensor:
        """Log-probabilities ``(N, n_classes)`` of all classes."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """The most likely class of each row: clusters are computed only where they win."""
        head = self.head(input)
        best = head.argmax(dim=1)
        in_shortlist = best < self.shortlist_size
        if bool(in_shortlist.all()):
            return best
        full = self._get_full_log_prob(input, head)
        return full.argmax(dim=1).where(~in_shortlist, best)
