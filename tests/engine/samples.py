"""Operands and parameters for every primitive that has a gradient.

Values keep away from kinks (|x| at 0, ties of a maximum, poles), where differences mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flambeau._engine.autograd.calls import P
from flambeau._engine.prims.resampling import Taps

_random = np.random.default_rng(7)


@dataclass
class Sample:
    """One call of a primitive.

    Attributes:
        operands: arrays (floating ones are differentiated), numbers or None.
        finish: what of the result is differentiated; for decompositions, what does not depend
            on the choice of signs and phases.
        fixed: places of operands without a gradient.
        start: what the operands go through first, as a symmetric matrix is made of any.
        second: whether the gradient is differentiated in turn.
    """

    operands: tuple
    params: dict[str, Any] = field(default_factory=dict)
    finish: Callable[[Any], Any] = lambda out: out
    second: bool = True
    start: Callable[[Any], Any] = lambda x: x
    fixed: tuple[int, ...] = ()


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Distinct numbers between `low` and `high`, well apart, in random order."""
    count = int(np.prod(shape))
    values = low + (high - low) * (np.arange(count) + 0.5 + 0.3 * _random.random(count)) / count
    return _random.permutation(values).reshape(shape)


def complex_(*shape: int) -> np.ndarray:
    """Complex numbers away from zero."""
    return real(*shape) + 1j * real(*shape, low=0.5, high=1.5)


def positive(*shape: int) -> np.ndarray:
    """Numbers from 0.3 to 2."""
    return real(*shape, low=0.3, high=2.0)


def integers(*values: Any) -> np.ndarray:
    """An index array."""
    return np.array(values, np.int64)


def _one(make: Callable[..., np.ndarray], **params: Any) -> list[Sample]:
    return [Sample((make(2, 2),), params)]


def _both(**params: Any) -> list[Sample]:
    return [Sample((real(2, 2),), params), Sample((complex_(2, 2),), params)]


def _pair(a: Any, b: Any) -> list[Sample]:
    return [Sample((a(2, 2), b(2))), Sample((a(2), 1.5)), Sample((1.5, b(2)))]


def unit(*shape: int) -> np.ndarray:
    """Numbers between -0.9 and 0.9."""
    return real(*shape, low=-0.9, high=0.9)


def above_one(*shape: int) -> np.ndarray:
    """Numbers above 1."""
    return real(*shape, low=1.2, high=3.0)


def spd(dtype: type = float) -> np.ndarray:
    """A positive definite matrix with distinct eigenvalues."""
    a = real(3, 3) if dtype is float else complex_(3, 3)
    return a @ a.conj().T + np.diag([1.0, 2.0, 4.0])


def tall(rows: int = 3, columns: int = 2, dtype: type = float) -> np.ndarray:
    """A matrix of full rank with singular values apart."""
    a = real(rows, columns) if dtype is float else complex_(rows, columns)
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return u @ np.diag(np.arange(1.0, min(rows, columns) + 1)) @ vh


def matrix(dtype: type = float) -> np.ndarray:
    """A square matrix with eigenvalues apart."""
    return (tall(3, 3, dtype) + np.diag([1.0, 3.0, 6.0])).astype(dtype)


SAMPLES: dict[str, list[Sample]] = {}

for _name in [
    "exp", "expm1", "exp2", "sin", "cos", "sinh", "cosh", "tanh", "asinh", "sigmoid", "square",
    "neg", "conj",
]:  # fmt: skip
    SAMPLES[_name] = _both()
for _name in [
    "abs", "sign", "ceil", "floor", "trunc", "rint", "tan", "atan", "relu", "erf", "erfc",
    "erfcx", "ndtr", "log_ndtr", "i0", "i0e", "i1", "i1e",
]:  # fmt: skip
    SAMPLES[_name] = _one(real)
for _name in ["log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal"]:
    SAMPLES[_name] = [Sample((positive(2, 2),)), Sample((complex_(2),))]
for _name in ["lgamma", "digamma", "entr"]:
    SAMPLES[_name] = _one(positive)
for _name in ["asin", "acos", "atanh", "erfinv"]:
    SAMPLES[_name] = _one(unit)
SAMPLES["ndtri"] = [Sample((real(3, low=0.1, high=0.9),))]
SAMPLES["acosh"] = _one(above_one)
SAMPLES["angle"] = SAMPLES["complex_abs"] = [Sample((complex_(3),))]
SAMPLES["real_part"] = SAMPLES["imag_part"] = [Sample((complex_(3),))]
SAMPLES["polygamma"] = _one(positive, order=1)
SAMPLES["round_decimals"] = _one(real, decimals=1)
SAMPLES["convert"] = [
    Sample((real(3),), {"dtype": np.dtype(np.complex128)}),
    Sample((complex_(3),), {"dtype": np.dtype(np.float64)}),
]
SAMPLES["frexp"] = [Sample((positive(3),), finish=lambda outs: outs[0])]

for _name in ["add", "sub", "mul", "div"]:
    SAMPLES[_name] = [*_pair(real, positive), Sample((complex_(2, 1), complex_(2)))]
for _name in ["maximum", "minimum", "fmax", "fmin"]:
    SAMPLES[_name] = [Sample((real(2, 2), real(2) + 0.07))]
for _name in ["atan2", "hypot", "copysign"]:
    SAMPLES[_name] = [Sample((real(2, 2), positive(2)))]
for _name in ["remainder", "fmod", "floor_divide"]:
    SAMPLES[_name] = [Sample((real(2, 2), np.array([0.73, 0.91])))]
SAMPLES["pow"] = [*_pair(positive, real), Sample((complex_(2), complex_(2)))]
SAMPLES["where"] = [Sample((np.array([[True], [False]]), real(2, 2), real(2)))]
SAMPLES["make_complex"] = [Sample((real(2, 2), real(2)))]
for _name in ["zeta", "igamma", "igammac"]:
    SAMPLES[_name] = [Sample((above_one(2), positive(2)), fixed=(0,))]

# --- movement and views
_SLICE = {"index": (1, None, (0, 3, 2))}
SAMPLES |= {
    "copy": _both(order="K"),
    "cat": [Sample((real(1, 2), real(2, 2), real(1, 2)), {"dim": 0})],
    "pad": [Sample((real(2, 2),), {"widths": ((1, 0), (0, 2)), "value": 3.0})],
    "flip": [Sample((real(2, 3),), {"dims": (0, 1)})],
    "unslice": [Sample((real(1, 2),), {"shape": (2, 3), **_SLICE})],
    "alias": _both(),
    "view": [Sample((real(2, 3),), {"shape": (3, 2)})],
    "permute": [Sample((real(2, 1, 3),), {"dims": (2, 0, 1)})],
    "expand": [Sample((real(2, 1),), {"shape": (2, 2, 3)})],
    "slice": [Sample((real(2, 3),), _SLICE)],
    "split": [
        Sample((real(3, 2),), {"sizes": (1, 2), "dim": 0, "squeeze": False}, finish=list),
        Sample((real(2, 2),), {"sizes": (1, 1), "dim": 1, "squeeze": True}, finish=list),
    ],
    "diagonal": [Sample((real(2, 3, 2),), {"offset": 1, "dim1": 0, "dim2": 1})],
    "unfold": [Sample((real(2, 4),), {"dim": 1, "size": 2, "step": 1})],
    "as_strided": [
        Sample(
            (real(2, 3),),
            {"shape": (2, 2), "strides": (1, 2), "offset": 1, "layout": ((2, 3), (3, 1), 0)},
        )
    ],
    "view_dtype": [Sample((real(2, 2),), {"dtype": np.dtype(np.float64)})],
    "view_as_real": [Sample((complex_(2, 2),))],
    "view_as_complex": [Sample((real(2, 2),))],
}

# --- indexing
_INDEX = integers([0, 2], [1, 1])
SAMPLES |= {
    "gather": [Sample((real(2, 3), _INDEX), {"dim": 1})],
    "scatter": [Sample((real(2, 3), integers([0, 2], [1, 0]), real(2, 2)), {"dim": 1})],
    "scatter_add": [Sample((real(2, 3), _INDEX, real(2, 2)), {"dim": 1})],
    "scatter_reduce": [
        Sample((positive(2, 3), _INDEX, positive(2, 2) + 0.04), {"dim": 1, "reduce": how},
               second=how != "prod")
        for how in ("prod", "amax", "amin")
    ],
    "index": [Sample((real(3, 2), integers(0, 2, 0)), {"pattern": (True, False)})],
    "index_put": [
        Sample((real(3, 2), real(2, 2), integers(2, 0)),
               {"pattern": (True, False), "accumulate": accumulate})
        for accumulate in (False, True)
    ],
    "sort": [
        Sample((real(2, 3),), {"dim": 1, "descending": True, "stable": True},
               finish=lambda outs: outs[0])
    ],
}  # fmt: skip

# --- reductions and scans
for _name in ["sum", "prod", "amax", "amin"]:
    SAMPLES[_name] = [Sample((real(2, 3),), {"dims": (1,), "keepdim": False})]
SAMPLES["sum"] += [Sample((complex_(2, 2),), {"dims": (0, 1), "keepdim": True})]
SAMPLES["prod"] += [
    Sample((np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 1.5]]),), {"dims": (1,), "keepdim": True}),
    Sample((complex_(2, 2),), {"dims": (0, 1), "keepdim": False}),
]
for _name in ["cumsum", "cumprod", "logcumsumexp", "softmax", "safe_softmax", "log_softmax"]:
    SAMPLES[_name] = [Sample((real(2, 3),), {"dim": 1})]
SAMPLES["cumprod"] += [Sample((np.array([2.0, 0.0, 3.0, 1.5]),), {"dim": 0})]
for _name in ["cummax", "cummin"]:
    SAMPLES[_name] = [Sample((real(2, 3),), {"dim": 1}, finish=lambda outs: outs[0])]

# --- products and decompositions
for _dtype in (float, complex):
    _spd, _square = spd(_dtype), matrix(_dtype)
    _low, _right = np.linalg.cholesky(_spd), tall(3, 2, _dtype)
    for _name, _samples in {
        "matmul": [Sample((_right.T[None], np.stack([_square, _spd])))],
        "cholesky": [
            Sample((_spd,), start=lambda a: (a + a.mH) * 0.5)
        ],
        "solve": [Sample((_square, _right))],
        "triangular_solve": [
            Sample((np.triu(_square), _right), {"upper": True, "unit": False}),
            Sample((_low, _right), {"upper": False, "unit": True}),
        ],
        "cholesky_solve": [Sample((_right, _low), start=lambda a: a.tril())],
        "pinv": [Sample((_right,), {"atol": 0.0, "rtol": 1e-10, "hermitian": False})],
        "det": [Sample((_square,))],
        "slogdet": [Sample((_square,), finish=lambda outs: outs[1])],
        "lu_factor": [
            Sample((a,), finish=lambda outs: outs[0]) for a in (_square, _right, _right.T)
        ],
        "eigh": [
            Sample((_spd,), {"upper": False}, start=lambda a: (a + a.mH) * 0.5,
                   finish=lambda outs: [outs[0], _size(outs[1])])
        ],
        "eig": [Sample((_square,), finish=lambda outs: [outs[0], _size(outs[1])])],
        "svd": [
            Sample((a,), {"full": False},
                   finish=lambda outs: [_size(outs[0]), outs[1], _size(outs[2])])
            for a in (_right, _right.T, _square)
        ],
        "qr": [Sample((a,), {"mode": "reduced"}, finish=list) for a in (_right, _right.T)],
    }.items():  # fmt: skip
        SAMPLES.setdefault(_name, []).extend(_samples)


def _size(vectors: Any) -> Any:
    """|v|^2 elementwise: the same for every choice of signs or phases."""
    if vectors._array.dtype.kind != "c":
        return P.square(vectors)
    return P.real_part(P.mul(vectors, P.conj(vectors)))


# --- layers
_WINDOW = {"stride": (2,), "padding": ((1, 0),), "dilation": (1,), "groups": 2}
_TAPS = Taps.rows(
    3, [(integers(0, 1), np.array([0.25, 0.75])), (integers(2, 0), np.array([1.0, 2.0]))]
)
_TARGET = {"reduction": "mean", "ignore_index": -100}
SAMPLES |= {
    "linear": [
        Sample((real(2, 3), real(2, 3), real(2))),
        Sample((real(3), real(2, 3), None)),
    ],
    "embedding": [
        Sample((real(3, 2), integers(0, 2, 0, 1)), {"padding_idx": -1, "scale_grad_by_freq": False})
    ],
    "standardize": [Sample((real(2, 3),), {"dims": (1,), "eps": 0.1}, finish=list)],
    "nll_loss": [
        Sample((real(2, 3), integers(0, 2), positive(3)), _TARGET, fixed=(2,),
               finish=lambda outs: outs[0]),
        Sample((real(2, 3), integers(0, 2), None), {**_TARGET, "reduction": "none"},
               finish=lambda outs: outs[0]),
    ],
    "nll_loss_grad": [
        Sample((np.array(0.7), integers(0, 2), None, np.array(2.0)),
               {"shape": (2, 3), **_TARGET}, fixed=(3,))
    ],
    "binary_cross_entropy": [
        Sample((real(3, low=0.1, high=0.9), real(3, low=0.2, high=0.8)))
    ],
    "convolution": [Sample((real(1, 4, 4), real(2, 2, 2)), _WINDOW)],
    "convolution_input_grad": [Sample((real(1, 2, 2), real(2, 2, 2)), {"size": (4,), **_WINDOW})],
    "convolution_weight_grad": [
        Sample((real(1, 4, 4), real(1, 2, 2)), {"kernel": (2,), **_WINDOW})
    ],
    "windows": [Sample((real(1, 4),), {"kernel": (2,), "stride": (1,), "dilation": (2,)})],
    "fold_windows": [
        Sample((real(2, 1, 2),), {"size": (4,), "stride": (1,), "dilation": (2,)})
    ],
    "window_sum": [Sample((real(1, 4),), {"kernel": (2,), "stride": (2,)})],
    "max_pool": [
        Sample((real(1, 5),), {"kernel": (2,), "stride": (2,), "padding": (1,), "dilation": (1,),
                               "places": (3,)}, finish=lambda outs: outs[0])
    ],
    "resample": [Sample((real(2, 3),), {"taps": _TAPS, "dim": 1})],
    "lstm_gates": [Sample((real(1, 8), real(1, 8), real(1, 2)), finish=list)],
    "gru_gates": [Sample((real(1, 6), real(1, 6), real(1, 2)))],
    "fft": [Sample((complex_(2, 3),), {"dims": (0, 1), "scale": 0.5, "forward": True})],
    "fft_real": [Sample((real(4),), {"dims": (0,), "scale": 1.0, "forward": True})],
    "fft_to_real": [
        Sample((complex_(3),), {"dims": (0,), "size": 4, "scale": 1.0, "forward": False}),
        Sample((complex_(3),), {"dims": (0,), "size": 5, "scale": 1.0, "forward": False}),
    ],
}  # fmt: skip

# What has a rule but no slope that differences could find, and where it is tested instead.
ELSEWHERE = {
    "sample_normal": "random: zeros",
    "sample_bernoulli": "random: zeros",
    "sample_poisson": "random: zeros",
    "sample_binomial": "random: zeros",
    "sample_gamma": "random: tests/random/test_gradients.py",
    "sample_dirichlet": "raises",
    "gamma_slope": "raises",
    "nextafter": "raises, or passes the gradient on",
}
