"""Mixed precision under its old names; use `torch.amp`."""

from flambeau.cuda.amp import autocast_mode, common, grad_scaler
from flambeau.cuda.amp.autocast_mode import autocast, custom_bwd, custom_fwd
from flambeau.cuda.amp.common import amp_definitely_not_available
from flambeau.cuda.amp.grad_scaler import GradScaler
