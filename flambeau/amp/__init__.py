"""Mixed precision: `autocast` for the forward pass, `GradScaler` for float16's gradients."""

from flambeau.amp import autocast_mode, grad_scaler
from flambeau.amp.autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from flambeau.amp.grad_scaler import GradScaler
