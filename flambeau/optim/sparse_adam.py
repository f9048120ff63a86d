"""SparseAdam: for sparse gradients, which flambeau does not have."""

from __future__ import annotations

from typing import Any

from flambeau.optim._options import check_betas, check_lr
from flambeau.optim.optimizer import Optimizer, ParamsT

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam for sparse gradients. All of flambeau's gradients are dense: use `Adam`.

    Raises:
        ValueError: an option outside its range.
        NotImplementedError: always, once the options are checked.
    """

    def __init__(
        self, params: ParamsT, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, maximize: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        for group in self.param_groups:
            if any(param.is_complex() for param in group["params"]):
                raise ValueError("SparseAdam does not support complex parameters")
        raise NotImplementedError(
            "SparseAdam needs sparse gradients, and flambeau has no sparse tensors yet; "
            "use torch.optim.Adam, which takes dense gradients"
        )
