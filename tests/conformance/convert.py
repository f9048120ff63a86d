"""torch values -> flambeau values (layout, aliasing, requires_grad kept), and both to NumPy."""

from __future__ import annotations

import contextlib
import functools
import importlib
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import flambeau

from .outcome import Excluded, Missing

# Namespaces whose names are looked up in flambeau under the same path.
NAMESPACES = (
    "nn.functional", "linalg", "fft", "special", "signal.windows", "masked", "autograd", "nn",
    "nn.init", "nn.utils", "nn.utils.rnn", "optim", "optim.lr_scheduler", "random", "testing",
    "distributions", "",
)  # fmt: skip

# One room that does not import must not hide what the others can do; the demo, which imports
# only what a user would, tells on it.
for _name in ("nn", "optim", "utils.data", "linalg", "fft", "special", "masked", "signal.windows"):
    with contextlib.suppress(ImportError):
        importlib.import_module(f"flambeau.{_name}")


def resolve(path: str) -> Any:
    """The object at `path` ("linalg.svd", "Tensor.add_") below flambeau."""
    found: Any = flambeau
    for name in filter(None, path.split(".")):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Missing(f"flambeau.{path}") from None
    return found


@functools.cache
def torch_paths() -> dict[int, str]:
    """From the identity of each public torch callable to the path by which users reach it."""
    paths: dict[int, str] = {}
    for prefix in ("Tensor", *NAMESPACES):
        namespace: Any = torch
        for name in filter(None, prefix.split(".")):
            namespace = getattr(namespace, name)
        for name in dir(namespace):
            with contextlib.suppress(Exception):
                value = getattr(namespace, name)
                if callable(value) and (prefix != "Tensor" or name not in dir(object)):
                    paths[id(value)] = f"{prefix}.{name}".strip(".")
    return paths


def seed(number: int) -> None:
    """Seed flambeau's generator (without one, only what draws random numbers fails)."""
    getattr(flambeau, "manual_seed", int)(number)


class Converter:
    """Converts one sample: equal tensors stay one tensor, shared storages stay shared."""

    def __init__(self) -> None:
        self._tensors: dict[int, Any] = {}
        self._storages: dict[int, Any] = {}
        self._kept: list[Any] = []  # an id is only good while its object lives
        # Pairs (torch tensor, flambeau tensor) that require grad, in the order met.
        self.differentiable: list[tuple[torch.Tensor, Any]] = []

    def __call__(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, torch.Size):
            return resolve("Size")(value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            path = torch_paths().get(id(type(value)))
            return (resolve(path) if path else type(value))(*map(self, value))
        if isinstance(value, (list, tuple)):
            return type(value)(map(self, value))
        if isinstance(value, dict):
            return type(value)((self(k), self(v)) for k, v in value.items())
        if isinstance(value, slice):
            return slice(self(value.start), self(value.stop), self(value.step))
        if isinstance(value, torch.dtype):
            return resolve(str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return resolve("device")(str(value))
        if isinstance(value, (torch.layout, torch.memory_format)):
            return resolve(str(value).removeprefix("torch."))
        if isinstance(value, torch.Generator):
            return self._generator(value)
        if isinstance(value, torch.nn.Module):
            return convert_module(value)
        if callable(value):
            return translate(value)
        return value

    def _generator(self, value: torch.Generator) -> Any:
        generator = resolve("Generator")()
        generator.manual_seed(value.initial_seed())
        return generator

    def _tensor(self, value: torch.Tensor) -> Any:
        if id(value) in self._tensors:
            return self._tensors[id(value)]
        if value.layout is not torch.strided or value.is_quantized:
            raise Excluded("sparse or quantised argument")
        if value.dim() > 64:
            raise Excluded("more than NumPy's 64 dimensions")
        plain = value.detach().resolve_conj().resolve_neg()
        if plain.device.type == "meta":
            result = resolve("empty_strided")(
                tuple(plain.shape), plain.stride(), dtype=self(plain.dtype), device="meta"
            )
        else:
            result = self._strided(plain)
        if isinstance(value, torch.nn.Parameter):
            result = resolve("nn.Parameter")(result, requires_grad=value.requires_grad)
        elif value.requires_grad:
            result.requires_grad_(True)
        if value.requires_grad:
            self.differentiable.append((value, result))
        self._tensors[id(value)] = result
        self._kept.append((value, plain))
        return result

    def _strided(self, value: torch.Tensor) -> Any:
        """A flambeau tensor over a copy of the same storage, with the same strides."""
        storage = value.untyped_storage()
        # Two dtypes over one storage (a view as another dtype) are copied apart.
        key = hash((storage.data_ptr() or id(value), value.dtype))
        base = self._storages.get(key)
        if base is None:
            count = storage.nbytes() // value.element_size()
            if value.is_contiguous() and value.numel() == count:
                base = self._storages[key] = from_contiguous(value)
                return base
            base = self._storages[key] = from_contiguous(value.as_strided((count,), (1,), 0))
        offset = value.storage_offset()
        return base.detach().as_strided(tuple(value.shape), value.stride(), offset)


def from_contiguous(value: torch.Tensor) -> Any:
    """A flambeau tensor with a copy of a contiguous torch tensor's data."""
    name = str(value.dtype).removeprefix("torch.")
    if name == "bfloat16":
        return flambeau.from_numpy(value.view(torch.int16).numpy().copy()).view(resolve(name))
    if name == "complex32":
        raise Excluded("complex32 argument")
    return flambeau.from_numpy(value.numpy().copy())


def to_numpy(value: Any) -> np.ndarray:
    """The data of a torch or flambeau tensor; bfloat16 comes as float32."""
    plain = value.detach()
    if isinstance(value, torch.Tensor):
        plain = plain.resolve_conj().resolve_neg()
        if plain.dtype in (torch.bfloat16, torch.complex32):
            plain = plain.to(torch.float32 if plain.dtype == torch.bfloat16 else torch.complex64)
        return plain.numpy(force=True)  # a ZeroTensor is made real
    if str(plain.dtype) == "torch.bfloat16":
        plain = plain.to(flambeau.float32)
    return np.asarray(plain.numpy())


# How to make a module again that torch's databases pass to a constructor.
MODULE_ARGUMENTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "nn.TransformerEncoderLayer": lambda m: {
        "d_model": m.self_attn.embed_dim,
        "nhead": m.self_attn.num_heads,
        "dim_feedforward": m.linear1.out_features,
        "dropout": m.dropout.p,
        "activation": translate(m.activation),
        "layer_norm_eps": m.norm1.eps,
        "batch_first": m.self_attn.batch_first,
        "norm_first": m.norm_first,
        "bias": m.linear1.bias is not None,
    },
}


def convert_module(module: torch.nn.Module) -> Any:
    """The flambeau module of the same class, arguments and parameters."""
    path = torch_paths().get(id(type(module)), "")
    arguments = MODULE_ARGUMENTS.get(path, lambda m: {})(module)
    ours = resolve(path)(**arguments)
    ours.load_state_dict(Converter()(dict(module.state_dict())))
    return ours.train(module.training)


# Test helpers of torch that are replaced instead of translated.
def _seeded(op: Any, *arguments: Any, **options: Any) -> Any:
    """torch's `wrapper_set_seed`: every call sees the generator just seeded with 42."""
    state = flambeau.get_rng_state()
    flambeau.manual_seed(42)
    try:
        return op(*arguments, **options)
    finally:
        flambeau.set_rng_state(state)


REPLACED = {"wrapper_set_seed": _seeded}


def translate(function: Any) -> Any:
    """`function`, written for torch, as a function on flambeau.

    A public torch function becomes flambeau's of the same path; a Python function of torch's
    test suite (a lambda around one, usually) is rebuilt with `torch` meaning flambeau.
    """
    if getattr(function, "__name__", None) in REPLACED:
        return REPLACED[function.__name__]
    path = torch_paths().get(id(function))
    if path is not None:
        return resolve(path)
    if isinstance(function, functools.partial):
        convert = Converter()
        return functools.partial(
            translate(function.func), *convert(function.args), **convert(function.keywords)
        )
    module = getattr(function, "__module__", None) or ""
    if isinstance(function, types.FunctionType) and module.startswith(("torch.testing", "tests.")):
        return _rebuild(function)
    if module.startswith("torch") and not module.startswith("torch.testing"):
        raise Missing(f"no counterpart of {module}.{getattr(function, '__name__', function)}")
    return function


def _names(code: types.CodeType) -> set[str]:
    """The global names that a function and the functions inside it may use."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _rebuild(function: types.FunctionType) -> types.FunctionType:
    scope = {"__builtins__": __builtins__, "__name__": function.__module__}
    for name in _names(function.__code__) & function.__globals__.keys():
        scope[name] = _translate_global(function.__globals__[name])
    closure = tuple(
        types.CellType(_translate_global(cell.cell_contents)) for cell in function.__closure__ or ()
    )
    rebuilt = types.FunctionType(
        function.__code__, scope, function.__name__, Converter()(function.__defaults__), closure
    )
    rebuilt.__kwdefaults__ = Converter()(function.__kwdefaults__)
    return rebuilt


def _translate_global(value: Any) -> Any:
    if isinstance(value, types.ModuleType):
        name = value.__name__
        if name == "torch" or name.startswith("torch."):
            return resolve(name.removeprefix("torch").lstrip("."))
        return value
    return Converter()(value)
