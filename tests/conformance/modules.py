"""module_db: PyTorch's 114 module entries, with its own constructor and forward arguments."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import torch

import flambeau

from .compare import compare
from .convert import Converter, resolve, seed, torch_paths
from .gradients import compare_gradients
from .ops import GENERATED
from .outcome import Excluded, Mismatch, Outcome, describe, run_check
from .tables import EXCLUDED_MODULES, LOOSENED_MODULES

LOOSEN = 2.0  # recurrent and attention modules sum over many steps


def entries() -> Iterator[tuple[str, Any]]:
    """(name, ModuleInfo) for each entry of module_db."""
    from torch.testing._internal.common_modules import module_db

    for info in module_db:
        yield info.name, info


def _inputs(info: Any, training: bool, limit: int) -> list[Any]:
    torch.manual_seed(0)
    generated = info.module_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=True, training=training
    )
    found = list(itertools.islice(generated, GENERATED))
    if not limit or len(found) <= limit:
        return found
    return [found[i * len(found) // limit] for i in range(limit)]


def _check(info: Any, training: bool, limit: int) -> None:
    path = torch_paths()[id(info.module_cls)]
    for index, sample in enumerate(_inputs(info, training, limit)):
        constructor = sample.constructor_input
        try:
            _check_sample(info, path, sample, training)
        except Excluded:
            raise
        except Exception as error:
            words = f"{constructor.args} {constructor.kwargs} {sample.desc}"[:90]
            raise Mismatch(f"sample {index} {words}: {describe(error)}") from error


def _check_sample(info: Any, path: str, sample: Any, training: bool) -> None:
    constructor, call = sample.constructor_input, sample.forward_input
    loosen = LOOSEN * LOOSENED_MODULES.get(info.name, (1.0, ""))[0]
    torch.manual_seed(0)
    theirs = info.module_cls(*constructor.args, **constructor.kwargs)
    theirs.to(torch.float32).train(training)  # some buffers are made in float64
    build = Converter()
    seed(0)
    ours = resolve(path)(*build(tuple(constructor.args)), **build(dict(constructor.kwargs)))
    ours.to(flambeau.float32).train(training)
    if call is None:
        return
    convert = Converter()
    arguments, options = convert((tuple(call.args), dict(call.kwargs)))
    if info.is_lazy:  # the first call gives parameters their shapes
        with torch.no_grad(), flambeau.no_grad():
            theirs(*call.args, **call.kwargs)
            ours(*arguments, **options)
    ours.load_state_dict(Converter()(dict(theirs.state_dict())))
    torch.manual_seed(1)
    expected = theirs(*call.args, **call.kwargs)
    seed(1)
    actual = ours(*arguments, **options)
    compare(expected, actual, loosen, where="output ")
    ours_named = dict(ours.named_parameters())
    sources = {name: (p, ours_named[name]) for name, p in theirs.named_parameters()}
    sources |= {f"input {i}": pair for i, pair in enumerate(convert.differentiable)}
    compare_gradients(expected, actual, sources, loosen=2 * loosen, strict=True)
    states = dict(theirs.state_dict()), dict(ours.state_dict())
    compare(*states, loosen, where="state after the call ")


def _check_errors(info: Any, training: bool) -> None:
    """Bad constructor or forward arguments: the same exception type as torch's."""
    torch.manual_seed(0)
    path = torch_paths()[id(info.module_cls)]
    errors = info.module_error_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=training
    )
    for index, error in enumerate(errors):
        sample = error.module_error_input
        wanted = _failure(info.module_cls, sample, lambda value: value)
        if wanted is None:
            continue
        got = _failure(resolve(path), sample, Converter())
        if type(got).__name__ != type(wanted).__name__:
            text = "nothing raised" if got is None else describe(got)
            raise Mismatch(f"error input {index}: {type(wanted).__name__} expected, got {text}")


def _failure(cls: Any, sample: Any, convert: Any) -> Exception | None:
    constructor, call = sample.constructor_input, sample.forward_input
    try:
        module = cls(*convert(tuple(constructor.args)), **convert(dict(constructor.kwargs)))
        if call is not None:
            module(*convert(tuple(call.args)), **convert(dict(call.kwargs)))
    except Exception as error:
        return error
    return None


def check_entry(name: str, info: Any, limit: int, seconds: float) -> list[Outcome]:
    """The outcomes of one entry: training and evaluation mode, and its error inputs."""
    decisive = Outcome("module", name, excluded=EXCLUDED_MODULES.get(name))
    if decisive.excluded:
        return [decisive]
    for label, training in (("train", True), ("eval", False)):
        run_check(decisive, label, functools.partial(_check, info, training, limit), seconds)
    outcomes = [decisive]
    if info.module_error_inputs_func is not None:
        errors = Outcome("module errors", name)
        run_check(errors, "errors", functools.partial(_check_errors, info, True), seconds)
        outcomes.append(errors)
    return outcomes
