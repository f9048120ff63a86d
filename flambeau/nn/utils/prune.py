"""Pruning: masks that set part of a parameter to zero before every forward.

A pruned parameter ``name`` lives on as ``name_orig`` (trained) and the buffer ``name_mask``;
``name`` becomes their product, set by a forward pre-hook.
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable
from math import prod
from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops.joining import cat
from flambeau.nn.modules.module import Module

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


class BasePruningMethod(ABC):
    """A way to choose what is pruned; also the hook that applies the mask."""

    PRUNING_TYPE: str = "unstructured"
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The new mask for importances ``t``, on top of ``default_mask``."""

    def apply_mask(self, module: Module) -> Tensor:
        """``name_orig`` times ``name_mask``."""
        original = getattr(module, self._tensor_name + "_orig")
        return getattr(module, self._tensor_name + "_mask").to(original.dtype) * original

    @classmethod
    def apply(
        cls,
        module: Module,
        name: str,
        *args: Any,
        importance_scores: Tensor | None = None,
        **kwargs: Any,
    ) -> BasePruningMethod:
        """Prune ``module.<name>``, on top of what is pruned already, and add the hook.

        Args:
            module: the module.
            name: its parameter.
            importance_scores: of the parameter's shape, to choose by instead of its values.
            *args, **kwargs: of the method's constructor.
        """
        own = cls(*args, **kwargs)
        own._tensor_name = name
        before = _hook_for(module, name)
        original = getattr(module, name)
        if importance_scores is not None and importance_scores.shape != original.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}"
            )
        scores = original.detach() if importance_scores is None else importance_scores
        if before is None:
            method: BasePruningMethod = own
            mask = own.compute_mask(scores, original.detach().new_ones(original.shape))
            del module._parameters[name]
            module.register_parameter(name + "_orig", original)
        else:
            key, earlier = before
            method = earlier if isinstance(earlier, PruningContainer) else PruningContainer(earlier)
            method.add_pruning_method(own)
            mask = method.compute_mask(scores, getattr(module, name + "_mask"))
            del module._forward_pre_hooks[key]
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(
        self,
        t: Tensor,
        default_mask: Tensor | None = None,
        importance_scores: Tensor | None = None,
    ) -> Tensor:
        """A pruned copy of ``t``, without any module."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError("importance_scores should have the same shape as tensor t")
        mask = t.new_ones(t.shape) if default_mask is None else default_mask
        return t * self.compute_mask(scores, mask)

    def remove(self, module: Module) -> None:
        """Make the masked value permanent: ``name`` is a parameter again."""
        name = self._tensor_name
        pruned = self.apply_mask(module)
        original: Any = module._parameters[name + "_orig"]
        original.data = pruned.data
        delattr(module, name)
        del module._parameters[name + "_orig"]
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


def _hook_for(module: Module, name: str) -> tuple[int, BasePruningMethod] | None:
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None


class PruningContainer(BasePruningMethod):
    """Several methods on one parameter: each prunes what the earlier ones have left."""

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod | None) -> None:
        """Put ``method`` last. Raises TypeError or ValueError where it does not belong here."""
        if method is None:
            return
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: int) -> BasePruningMethod:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The last method's mask on what ``default_mask`` has left."""
        method = self._pruning_methods[-1]
        left = self._left(method, default_mask)
        mask = default_mask.clone()
        mask[left] = method.compute_mask(t[left], default_mask[left])
        return mask

    def _left(self, method: Any, mask: Tensor) -> Any:
        if method.PRUNING_TYPE == "unstructured":
            return mask == 1
        if method.PRUNING_TYPE == "global":
            return (slice(None),) * mask.dim()
        dim = method.dim % mask.dim()
        others = [d for d in range(mask.dim()) if d != dim]
        return (*(slice(None),) * dim, mask.sum(others) != 0)


def _amount(amount: Any) -> Any:
    """``amount``, checked: a fraction in [0, 1] or a number of at least 0."""
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    whole = isinstance(amount, numbers.Integral)
    value: Any = amount
    if value < 0 or (not whole and value > 1):
        raise ValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
            "integer"
        )
    return amount


def _count(amount: Any, size: int) -> int:
    """How many of ``size`` are pruned."""
    if isinstance(amount, float):
        return round(amount * size)
    if amount > size:
        raise ValueError(
            f"amount={amount} should be smaller than the number of parameters to prune={size}"
        )
    return int(amount)


def _channels(t: Tensor, dim: int) -> int:
    """The size of ``t`` along ``dim``, which must exist."""
    if t.dim() <= 1:
        raise ValueError(
            "Structured pruning can only be applied to multidimensional tensors. Found tensor of "
            f"shape {t.shape} with {t.dim()} dims"
        )
    if dim >= t.dim():
        raise IndexError(f"Invalid index {dim} for tensor of size {t.shape}")
    return t.shape[dim]


class Identity(BasePruningMethod):
    """Prunes nothing: adds the mask and the hook only."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _Unstructured(BasePruningMethod):
    """Prunes single elements: the ``amount`` lowest by some key."""

    def __init__(self, amount: int | float) -> None:
        self.amount = _amount(amount)

    def _key(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = _count(self.amount, t.numel())
        mask = default_mask.clone()
        if count:
            lowest = self._key(t).reshape(-1).topk(count, largest=False).indices
            mask.view(-1)[lowest] = 0
        return mask


class RandomUnstructured(_Unstructured):
    """Prunes ``amount`` elements (a number, or a fraction) at random."""

    def _key(self, t: Tensor) -> Tensor:
        return -t.new_empty(t.shape).uniform_()


class L1Unstructured(_Unstructured):
    """Prunes the ``amount`` elements of smallest magnitude."""

    def _key(self, t: Tensor) -> Tensor:
        return t.abs()


class _Structured(BasePruningMethod):
    """Prunes whole channels along ``dim``."""

    PRUNING_TYPE = "structured"
    dim: int

    def __init__(self, amount: int | float, dim: int = -1) -> None:
        self.amount = _amount(amount)
        self.dim = dim

    def _keep(self, t: Tensor, pruned: int, channels: int) -> Tensor:
        """The indices (or a mask) of the channels that stay."""
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        channels = _channels(t, self.dim)
        pruned = _count(self.amount, channels)
        if pruned == 0:
            return default_mask
        mask = t.new_zeros(t.shape)
        lead = (slice(None),) * (self.dim % t.dim())
        mask[(*lead, self._keep(t, pruned, channels))] = 1
        return mask * default_mask.to(mask.dtype)


class RandomStructured(_Structured):
    """Prunes ``amount`` channels along ``dim`` at random."""

    def _keep(self, t: Tensor, pruned: int, channels: int) -> Tensor:
        drawn = t.new_empty(channels).uniform_()
        return drawn > drawn.sort().values[pruned - 1]


class LnStructured(_Structured):
    """Prunes the ``amount`` channels along ``dim`` with the smallest n-norm."""

    def __init__(self, amount: int | float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _keep(self, t: Tensor, pruned: int, channels: int) -> Tensor:
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        return t.norm(p=self.n, dim=others).topk(channels - pruned).indices


class CustomFromMask(BasePruningMethod):
    """Prunes by a given mask."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape "
                f"{self.mask.shape}"
            )
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module: Module, name: str) -> Module:
    """Add a mask of ones to ``module.<name>``."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: int | float) -> Module:
    """Prune ``amount`` elements (a number, or a fraction) of ``module.<name>`` at random."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: int | float, importance_scores: Tensor | None = None
) -> Module:
    """Prune the ``amount`` elements of smallest magnitude (or importance).

    >>> layer = nn.utils.prune.l1_unstructured(nn.Linear(2, 3), "weight", 4)
    >>> int((layer.weight == 0).sum())
    4
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: int | float, dim: int) -> Module:
    """Prune ``amount`` channels along ``dim`` at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module,
    name: str,
    amount: int | float,
    n: Any,
    dim: int,
    importance_scores: Tensor | None = None,
) -> Module:
    """Prune the ``amount`` channels along ``dim`` with the smallest n-norm."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune ``module.<name>`` where ``mask`` is zero."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters as if they were one: the amount is counted over all of them.

    Args:
        parameters: pairs of a module and a name.
        pruning_method: an unstructured method.
        importance_scores: tensors to choose by, for some of the pairs.
        **kwargs: of the method's constructor.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    pairs = list(parameters)
    given = {} if importance_scores is None else importance_scores
    if not isinstance(given, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    values = [getattr(module, name).detach() for module, name in pairs]
    scores = [
        given.get((module, name), value).reshape(-1)
        for (module, name), value in zip(pairs, values, strict=True)
    ]
    masks = [
        getattr(module, name + "_mask", value.new_ones(value.shape)).reshape(-1)
        for (module, name), value in zip(pairs, values, strict=True)
    ]
    method._tensor_name = "temp"
    final = PruningContainer(method).compute_mask(cat(scores), cat(masks))
    start = 0
    for (module, name), value in zip(pairs, values, strict=True):
        stop = start + prod(value.shape)
        custom_from_mask(module, name, final[start:stop].view(value.shape))
        start = stop


def remove(module: Module, name: str) -> Module:
    """Make the pruning of ``module.<name>`` permanent; it is a parameter again."""
    found = _hook_for(module, name)
    if found is None:
        raise ValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    key, hook = found
    hook.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module: Module) -> bool:
    """Whether this module, or one below it, is pruned."""
    return any(
        isinstance(hook, BasePruningMethod)
        for below in module.modules()
        for hook in below._forward_pre_hooks.values()
    )
