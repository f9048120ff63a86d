"""op_db: PyTorch's 702 operator entries, with the arguments that PyTorch tests them on."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from .compare import compare, compare_arrays
from .convert import Converter, seed, to_numpy, translate
from .gradients import compare_gradients
from .outcome import Excluded, Mismatch, Missing, Outcome, describe, run_check
from .tables import EXCLUDED_OPS, GAUGE_FREEDOM, LOOSENED, TIES, look_up, values_defined

DTYPES = {"int64": torch.int64, "bool": torch.bool, "complex64": torch.complex64}
# Samples are chosen evenly from this many, because their kinds come in blocks.
GENERATED = 300


def entries() -> Iterator[tuple[str, Any]]:
    """(name, OpInfo) for each entry of op_db."""
    from torch.testing._internal.common_methods_invocations import op_db

    for info in op_db:
        variant = info.variant_test_name
        yield info.name + (f".{variant}" if variant else ""), info


class OpCheck:
    """The checks of one op_db entry."""

    def __init__(self, name: str, info: Any, limit: int) -> None:
        self.name, self.info, self.limit = name, info, limit
        loosened = look_up(LOOSENED, name)  # type: ignore[arg-type]
        self.loosen = loosened[0] if isinstance(loosened, tuple) else 1.0
        self.values = values_defined(name)
        self.samples_run = self.set_aside = self.refused = 0

    @functools.cached_property
    def function(self) -> Callable[..., Any]:
        return translate(self.info.op)

    def samples(self, dtype: torch.dtype, requires_grad: bool = False) -> list[Any]:
        """At most `limit` samples, spread evenly over those that torch generates."""
        torch.manual_seed(0)
        generated = self.info.sample_inputs("cpu", dtype, requires_grad=requires_grad)
        found = list(itertools.islice(generated, GENERATED))
        if not self.limit or len(found) <= self.limit:
            return found
        return [found[i * len(found) // self.limit] for i in range(self.limit)]

    def forward(self, dtype: torch.dtype) -> None:
        """Values, dtypes and shapes of the results, sample by sample."""
        for index, sample in enumerate(self.samples(dtype)):
            with self._naming(index, sample):
                convert = Converter()
                arguments = convert((sample.input, tuple(sample.args), dict(sample.kwargs)))
                expected = self._torch_result(self.info.op, sample)
                if expected is _NONE:
                    continue
                torch.manual_seed(1)
                seed(1)
                actual = self.function(arguments[0], *arguments[1], **arguments[2])
                if self.name in GAUGE_FREEDOM:
                    expected = sample.output_process_fn_grad(expected)
                    actual = translate(sample.output_process_fn_grad)(actual)
                if self.name in TIES and not sample.kwargs.get("stable"):
                    compare_ties(sample, TIES[self.name], expected, actual)
                else:
                    compare(expected, actual, self.loosen, self.values)

    def gradient(self) -> None:
        """Gradients of a fixed random weighting of the outputs, by every input."""
        for index, sample in enumerate(self.samples(torch.float32, requires_grad=True)):
            with self._naming(index, sample):
                convert = Converter()
                arguments = convert((sample.input, tuple(sample.args), dict(sample.kwargs)))
                expected = self._torch_result(self.info.op, sample)
                if expected is _NONE or not convert.differentiable:
                    continue
                seed(1)
                actual = self.function(arguments[0], *arguments[1], **arguments[2])
                if sample.output_process_fn_grad is not None:
                    expected = sample.output_process_fn_grad(expected)
                    actual = translate(sample.output_process_fn_grad)(actual)
                sources = {f"input {i}": p for i, p in enumerate(convert.differentiable)}
                compare_gradients(expected, actual, sources, loosen=self.loosen, values=self.values)

    def inplace(self) -> None:
        """`input.op_(...)` where torch has it: result, identity, and the new contents."""
        variant = self.info.get_inplace()
        function = translate(variant)
        for index, sample in enumerate(self.samples(self._base_dtype())):
            if sample.broadcasts_input or not isinstance(sample.input, torch.Tensor):
                continue
            with self._naming(index, sample):
                convert = Converter()
                source, rest, options = convert(
                    (sample.input.clone(), tuple(sample.args), dict(sample.kwargs))
                )
                target = sample.input.clone()
                expected = self._torch_result(variant, sample, target)
                if expected is _NONE:
                    continue
                seed(1)
                actual = function(source, *rest, **options)
                if (expected is target) != (actual is source):
                    raise Mismatch("in-place: the result is not the input itself")
                compare(target, source, self.loosen, self.values)

    def out(self) -> None:
        """`out=`: filled with the result and handed back."""
        for index, sample in enumerate(self.samples(self._base_dtype())):
            with self._naming(index, sample):
                convert = Converter()
                arguments = convert((sample.input, tuple(sample.args), dict(sample.kwargs)))
                expected = self._torch_result(self.info.op, sample)
                if expected is _NONE or not _all_tensors(expected):
                    continue
                theirs = _empty(expected)
                options = {**sample.kwargs, "out": theirs}
                if _raised(lambda s=sample, o=options: self.info.op(s.input, *s.args, **o)):
                    continue  # torch takes no `out` for these arguments
                place = Converter()(_empty(expected))
                seed(1)
                actual = self.function(arguments[0], *arguments[1], **arguments[2], out=place)
                if isinstance(expected, torch.Tensor) and actual is not place:
                    raise Mismatch("out=: the result is not `out` itself")
                compare(_plain(expected), _plain(place), self.loosen, self.values)

    def errors(self) -> None:
        """Bad arguments: the same exception type as torch's."""
        torch.manual_seed(0)
        prepared = []  # all of them before torch runs: a failing call may leave an `out` behind
        for index, error in enumerate(self.info.error_inputs("cpu")):
            sample = error.sample_input
            with self._naming(index, sample, "error input"):
                arguments = (sample.input, tuple(sample.args), dict(sample.kwargs))
                prepared.append((index, sample, Converter()(arguments)))
        self.samples_run -= len(prepared)  # named once more below
        for index, sample, arguments in prepared:
            with self._naming(index, sample, "error input"):
                wanted = _raised(lambda s=sample: self.info.op(s.input, *s.args, **s.kwargs))
                if wanted is None:
                    continue
                got = _raised(lambda a=arguments: self.function(a[0], *a[1], **a[2]))
                if got is None:
                    raise Mismatch(f"{type(wanted).__name__} expected, nothing raised")
                self._compare_errors(wanted, got)

    def _compare_errors(self, wanted: Exception, got: Exception) -> None:
        if isinstance(got, Missing):
            raise got
        # By name: LinAlgError is one class in each library. And exactly: flambeau's
        # NotImplementedError is a RuntimeError too, but means that it has not got there.
        if type(got).__name__ != type(wanted).__name__:
            raise Mismatch(f"{type(wanted).__name__} expected, got {describe(got)}")

    def _base_dtype(self) -> torch.dtype:
        candidates = (torch.float32, *DTYPES.values())
        return next(d for d in candidates if self.info.supports_dtype(d, "cpu"))

    def _torch_result(self, function: Any, sample: Any, first: Any = None) -> Any:
        torch.manual_seed(1)
        try:
            source = sample.input if first is None else first
            return function(source, *sample.args, **sample.kwargs)
        except Exception:
            self.refused += 1
            return _NONE  # torch itself cannot: nothing to compare with

    def _naming(self, index: int, sample: Any, kind: str = "sample") -> _Named:
        self.samples_run += 1
        return _Named(self, f"{kind} {index} ({_signature(sample)}): ")


def compare_ties(sample: Any, position: int, expected: Any, actual: Any) -> None:
    """Compare results whose (last) tensor is an index by the elements that it picks."""
    compare(expected, actual, values=False)
    *values, index = expected if isinstance(expected, tuple) else (expected,)
    *found, place = actual if isinstance(actual, tuple) else (actual,)
    compare(values, found)
    dim = sample.kwargs.get("dim", dict(enumerate(sample.args)).get(position, -1))
    source = to_numpy(sample.input)

    def pick(chosen: Any) -> np.ndarray:
        array = to_numpy(chosen)
        if source.ndim == 0:
            return array
        kept = array if array.ndim == source.ndim else np.expand_dims(array, dim)
        return np.take_along_axis(source, kept, dim)

    compare_arrays(pick(index), pick(place), str(source.dtype), where="picked by the index ")


_NONE: Any = object()


class _Named:
    """Puts the sample's description before an error; a sample set aside is counted, not raised."""

    def __init__(self, check: OpCheck, prefix: str) -> None:
        self.check, self.prefix = check, prefix

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, Excluded):
            self.check.set_aside += 1
            return True
        if isinstance(error, Exception) and not isinstance(error, Missing):
            raise Mismatch(self.prefix + describe(error)) from error
        return False


def _signature(sample: Any) -> str:
    """A sample's arguments in a few words: shapes for tensors, values for the rest."""

    def show(value: Any) -> str:
        if isinstance(value, torch.Tensor):
            return str(list(value.shape)).replace(" ", "")
        if isinstance(value, (list, tuple)):
            return "(" + ",".join(map(show, value)) + ")"
        return getattr(value, "__name__", None) or str(value)[:30]

    parts = [show(sample.input), *map(show, sample.args)]
    parts += [f"{name}={show(value)}" for name, value in sample.kwargs.items()]
    return ", ".join(parts)[:110]


def _all_tensors(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return bool(value) and all(isinstance(item, torch.Tensor) for item in value)
    return isinstance(value, torch.Tensor)


def _empty(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.zeros_like(value.detach())
    return tuple(map(_empty, value))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, (tuple, list)) else value


def _raised(call: Callable[[], Any]) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None


def check_entry(name: str, info: Any, limit: int, seconds: float) -> list[Outcome]:
    """The outcomes of one entry: what decides (`op`), and the extras (in-place, out=, errors)."""
    decisive = Outcome("op", name)
    reason = look_up(EXCLUDED_OPS, name)  # type: ignore[arg-type]
    if reason is not None:
        decisive.excluded = str(reason)
        return [decisive]
    check = OpCheck(name, info, limit)
    extras = {
        "op in-place": check.inplace if info.get_inplace() is not None else None,
        "op out=": check.out if info.supports_out else None,
        "op errors": check.errors if info.error_inputs_func is not None else None,
    }
    outcomes = [decisive]
    deadline = seconds
    for label, run in _decisive_checks(check):
        deadline -= run_check(decisive, label, run, deadline)
    if not decisive.checks and decisive.excluded is None:
        decisive.excluded = "no dtype to test on the CPU"
    for group, run in extras.items():
        if run is not None and decisive.excluded is None:
            outcome = Outcome(group, name)
            run_check(outcome, group.removeprefix("op "), run, seconds)
            outcomes.append(outcome)
    decisive.samples, decisive.set_aside = check.samples_run, check.set_aside
    decisive.refused = check.refused
    return outcomes


def _decisive_checks(check: OpCheck) -> Iterator[tuple[str, Callable[[], None]]]:
    info = check.info
    if info.supports_dtype(torch.float32, "cpu"):
        yield "float32", lambda: check.forward(torch.float32)
        if info.supports_autograd:
            yield "gradient", check.gradient
    for label, dtype in DTYPES.items():
        if info.supports_dtype(dtype, "cpu"):
            yield label, functools.partial(check.forward, dtype)
