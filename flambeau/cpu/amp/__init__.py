"""Mixed precision under its old names; use `torch.amp`."""

from flambeau.cpu.amp import autocast_mode, grad_scaler
from flambeau.cpu.amp.autocast_mode import autocast
from flambeau.cpu.amp.grad_scaler import GradScaler
