"""Data types: one `dtype` object each, tied to the NumPy (or ml_dtypes) type that stores it."""

from __future__ import annotations

import ml_dtypes
import numpy as np

BOOL, INTEGER, FLOATING, COMPLEX = range(4)


class dtype:
    """The type of a tensor's elements, e.g. `flambeau.float32`.

    Attributes:
        name: the bare name, "float32".
        numpy: the NumPy dtype that stores the elements.
        itemsize: bytes an element.
        category: 0 bool, 1 integer, 2 floating, 3 complex; promotion compares these first.
    """

    __slots__ = (
        "category",
        "is_complex",
        "is_floating_point",
        "is_signed",
        "itemsize",
        "name",
        "numpy",
        "word",
    )

    def __init__(self, name: str, numpy: np.dtype, category: int, signed: bool, word: str):
        self.name = name
        self.numpy = numpy
        self.itemsize = numpy.itemsize
        self.category = category
        self.is_floating_point = category == FLOATING
        self.is_complex = category == COMPLEX
        self.is_signed = signed
        self.word = word  # as in "FloatTensor" and in error messages

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple:
        return (by_name, (self.name,))

    def to_real(self) -> dtype:
        """The floating dtype of a complex dtype's parts; a real dtype is its own."""
        return _TO_REAL.get(self, self)

    def to_complex(self) -> dtype:
        """The complex dtype whose parts have this precision."""
        if self.is_complex:
            return self
        return _TO_COMPLEX.get(self, complex64)


_ROWS = (
    # name, NumPy type, category, signed, word
    ("bool", np.bool_, BOOL, False, "Bool"),
    ("uint8", np.uint8, INTEGER, False, "Byte"),
    ("int8", np.int8, INTEGER, True, "Char"),
    ("int16", np.int16, INTEGER, True, "Short"),
    ("int32", np.int32, INTEGER, True, "Int"),
    ("int64", np.int64, INTEGER, True, "Long"),
    ("uint16", np.uint16, INTEGER, False, "UInt16"),
    ("uint32", np.uint32, INTEGER, False, "UInt32"),
    ("uint64", np.uint64, INTEGER, False, "UInt64"),
    ("float16", np.float16, FLOATING, True, "Half"),
    ("bfloat16", ml_dtypes.bfloat16, FLOATING, True, "BFloat16"),
    ("float32", np.float32, FLOATING, True, "Float"),
    ("float64", np.float64, FLOATING, True, "Double"),
    ("complex64", np.complex64, COMPLEX, True, "ComplexFloat"),
    ("complex128", np.complex128, COMPLEX, True, "ComplexDouble"),
)

ALL: tuple[dtype, ...] = tuple(
    dtype(name, np.dtype(numpy), category, signed, word)
    for name, numpy, category, signed, word in _ROWS
)
(
    bool_,
    uint8,
    int8,
    int16,
    int32,
    int64,
    uint16,
    uint32,
    uint64,
    float16,
    bfloat16,
    float32,
    float64,
    complex64,
    complex128,
) = ALL

ALIASES = {
    "half": float16,
    "float": float32,
    "double": float64,
    "short": int16,
    "int": int32,
    "long": int64,
    "cfloat": complex64,
    "cdouble": complex128,
}

_TO_REAL = {complex64: float32, complex128: float64}
_TO_COMPLEX = {float64: complex128, float32: complex64, float16: complex64, bfloat16: complex64}
_BY_NAME = {d.name: d for d in ALL} | ALIASES
_FROM_NUMPY = {d.numpy: d for d in ALL}


def by_name(name: str) -> dtype:
    """The dtype called `name` ("float32", "long" ...); KeyError if there is none."""
    return _BY_NAME[name]


def from_numpy(numpy: np.dtype) -> dtype:
    """The dtype stored by a NumPy dtype.

    Raises:
        TypeError: NumPy has the type, flambeau has not (strings, objects, datetimes ...).
    """
    try:
        return _FROM_NUMPY[numpy]
    except KeyError:
        pass
    found = _FROM_NUMPY.get(np.dtype(numpy).newbyteorder("="))
    if found is None:
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{np.dtype(numpy)}. The only supported types "
            "are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, "
            "uint64, uint32, uint16, uint8, and bool."
        )
    return found


def of_scalar(value: object) -> dtype | None:
    """The dtype whose category a Python number has (float64 for a float), None otherwise."""
    return _OF_SCALAR.get(type(value)) or _of_scalar_slowly(value)


_OF_SCALAR = {bool: bool_, int: int64, float: float64, complex: complex128}


def _of_scalar_slowly(value: object) -> dtype | None:
    if isinstance(value, np.generic):
        return _FROM_NUMPY.get(value.dtype)
    for kind, found in _OF_SCALAR.items():
        if isinstance(value, kind):
            return found
    return None
