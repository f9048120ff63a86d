"""`GradScaler` under its old name."""

from flambeau.amp._deprecated import scaler_for
from flambeau.amp.grad_scaler import OptState

__all__ = ["GradScaler", "OptState"]

GradScaler = scaler_for("cuda")
