"""`GradScaler` under its old name."""

from flambeau.amp._deprecated import scaler_for

__all__ = ["GradScaler"]

GradScaler = scaler_for("cpu")
