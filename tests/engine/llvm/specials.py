"""Compile one Special kernel, run it in pieces, and compare it with the eager rule."""

from __future__ import annotations

import ctypes

import llvmlite.ir as ir
import numpy as np

from flambeau._engine.eager import RULES
from flambeau._engine.graph.ir import Node, Value
from flambeau._engine.llvm.host import AVX2, SSE2, detect
from flambeau._engine.llvm.special import emit, scratch_bytes, tasks, work
from flambeau._engine.loops.special import special, supports
from flambeau._engine.runtime.native import Code, compile_text

FUNCTION = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)
HOSTS = (detect(), AVX2, SSE2)
_KEPT: list[Code] = []


def compiled(kernel, host=HOSTS[0]):
    """The native function of a kernel as a ctypes function."""
    module = ir.Module()
    emit(module, kernel, "kernel", host)
    code = Code(compile_text(str(module), host), ("kernel",))
    _KEPT.append(code)
    return FUNCTION(code["kernel"])


def node_of(name, operands, params, results):
    """The graph node of a primitive call on arrays (or numbers), and its value operands."""
    inputs = tuple(
        Value(x.shape, x.dtype, tuple(s // x.itemsize for s in x.strides))
        if isinstance(x, np.ndarray)
        else x
        for x in operands
    )
    return Node(name, inputs, params, tuple(Value(r.shape, r.dtype) for r in results))


def layout(value):
    """A value's strides in elements."""
    if value.strides is not None:
        return value.strides
    return tuple(int(np.prod(value.shape[d + 1 :])) for d in range(len(value.shape)))


class Fault(Exception):
    """A kernel returned a fault's code."""


def call(kernel, function, arrays, numbers=(), pieces=2, host=HOSTS[0]):
    """Run a kernel on arrays, its tasks in pieces from the last to the first."""
    scratch = np.full(scratch_bytes(kernel, host) + 64, 0xFF, np.uint8)  # floats of NaN
    addresses = [a.ctypes.data for a in (*arrays, scratch)]
    pointers = (ctypes.c_void_p * len(addresses))(*addresses)
    vector = (ctypes.c_double * max(len(numbers), 1))(*numbers)
    count = tasks(kernel, host)
    assert isinstance(work(kernel), int)
    ends = sorted({count * k // pieces for k in range(pieces + 1)})
    for begin, end in reversed(list(zip(ends[:-1], ends[1:]))):
        code = function(pointers, vector, begin, end)
        assert (scratch[-64:] == 0xFF).all(), "out of scratch memory"
        if code:
            raise Fault(code)


def run(name, *operands, host=HOSTS[0], results=None, pieces=2, in_place=False, **params):
    """The results of the native kernel; `results` (arrays of the right shape) by the eager rule.

    Guards around the results are checked.
    """
    if results is None:
        results = expected(name, *operands, **params)
    node = node_of(name, operands, params, results)
    assert supports(node), name
    kernel = special(node, layout)
    outputs = [_guarded(r) for r in results]
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    if params.get("generator") is not None:
        arrays.insert(0, params["generator"].memory())
    if in_place:
        outputs[0][1][...] = arrays[0]
        arrays[0] = outputs[0][1]
    arrays += [inner for _, inner in outputs]
    call(kernel, compiled(kernel, host), arrays, pieces=pieces, host=host)
    for whole, inner in outputs:
        size = inner.nbytes
        assert (whole[:64] == 0xAB).all() and (whole[64 + size :] == 0xAB).all(), "out of bounds"
    return [inner for _, inner in outputs]


def _guarded(like):
    whole = np.full(like.nbytes + 128, 0xAB, np.uint8)
    inner = np.frombuffer(whole.data, like.dtype.str if like.dtype.kind != "V" else "u2",
                          like.size, 64) if like.size else np.empty(0, like.dtype)  # fmt: skip
    return whole, inner.view(like.dtype).reshape(like.shape)


def expected(name, *operands, **params):
    """The results of the eager rule."""
    found = RULES[name](*operands, **params)
    return [np.asarray(r) for r in (found if isinstance(found, tuple) else (found,))]


def compare(name, *operands, tolerance=0.0, **options):
    """Assert that native and eager results agree; gives the native ones."""
    params = {k: v for k, v in options.items() if k not in ("host", "pieces", "in_place")}
    wanted = expected(name, *operands, **params)
    found = run(name, *operands, results=wanted, **options)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        if tolerance:
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=name)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)
    return found
