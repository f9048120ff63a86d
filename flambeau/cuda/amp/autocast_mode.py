"""`autocast` under its old name."""

from flambeau._engine.base.dtypes import float16
from flambeau.amp import autocast_mode
from flambeau.amp._deprecated import autocast_for, custom_for

__all__ = ["autocast", "custom_bwd", "custom_fwd"]

autocast = autocast_for("cuda", float16)
custom_fwd = custom_for("cuda", "custom_fwd", autocast_mode.custom_fwd)
custom_bwd = custom_for("cuda", "custom_bwd", autocast_mode.custom_bwd)
