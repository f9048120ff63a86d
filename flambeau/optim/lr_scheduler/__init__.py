"""Learning rate schedules: `scheduler.step()` after each epoch's `optimizer.step()`."""

from flambeau.optim.lr_scheduler._base import LRScheduler, _LRScheduler
from flambeau.optim.lr_scheduler._composite import ChainedScheduler, SequentialLR
from flambeau.optim.lr_scheduler._cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from flambeau.optim.lr_scheduler._cycles import CyclicLR, OneCycleLR
from flambeau.optim.lr_scheduler._decay import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from flambeau.optim.lr_scheduler._plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
