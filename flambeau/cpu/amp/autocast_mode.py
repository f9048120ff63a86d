"""`autocast` under its old name."""

from flambeau._engine.base.dtypes import bfloat16
from flambeau.amp._deprecated import autocast_for

__all__ = ["autocast"]

autocast = autocast_for("cpu", bfloat16)
