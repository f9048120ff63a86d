"""Named tuples of ops with several results, `torch.return_types`."""

from __future__ import annotations

import operator
from typing import Any

_ROWS = {
    "max": "values indices",
    "min": "values indices",
    "aminmax": "min max",
    "cummax": "values indices",
    "cummin": "values indices",
    "sort": "values indices",
    "topk": "values indices",
    "kthvalue": "values indices",
    "median": "values indices",
    "nanmedian": "values indices",
    "mode": "values indices",
    "histogram": "hist bin_edges",
    "histogramdd": "hist bin_edges",
    "frexp": "mantissa exponent",
    "qr": "Q R",
    "geqrf": "a tau",
    "svd": "U S V",
    "slogdet": "sign logabsdet",
    "triangular_solve": "solution cloned_coefficient",
    "lu_unpack": "P L U",
    "linalg_eig": "eigenvalues eigenvectors",
    "linalg_eigh": "eigenvalues eigenvectors",
    "linalg_qr": "Q R",
    "linalg_svd": "U S Vh",
    "linalg_slogdet": "sign logabsdet",
    "linalg_lstsq": "solution residuals rank singular_values",
    "linalg_lu": "P L U",
    "linalg_lu_factor": "LU pivots",
    "linalg_lu_factor_ex": "LU pivots info",
    "linalg_ldl_factor": "LD pivots",
    "linalg_ldl_factor_ex": "LD pivots info",
    "linalg_cholesky_ex": "L info",
    "linalg_inv_ex": "inverse info",
    "linalg_solve_ex": "result info",
}


class _Results(tuple):
    """A tuple whose items have names, printed as PyTorch prints it."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __new__(cls, items: Any) -> Any:
        items = tuple(items)
        if len(items) != len(cls._fields):
            raise TypeError(
                f"torch.return_types.{cls.__name__}() takes a {len(cls._fields)}-sequence "
                f"({len(items)}-sequence given)"
            )
        return super().__new__(cls, items)

    @classmethod
    def _make(cls, items: Any) -> Any:
        return cls(items)

    def __repr__(self) -> str:
        lines = ",\n".join(f"{n}={v!r}" for n, v in zip(self._fields, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n{lines})"

    def __reduce__(self) -> tuple:
        return (type(self), (tuple(self),))


def _type(name: str, fields: str) -> type[_Results]:
    names = tuple(fields.split())
    body: dict[str, Any] = {"__slots__": (), "_fields": names, "__module__": __name__}
    for position, field in enumerate(names):
        body[field] = property(operator.itemgetter(position))
    return type(name, (_Results,), body)


for _name, _fields in _ROWS.items():
    globals()[_name] = _type(_name, _fields)


def result_type(name: str) -> type[_Results]:
    """The named tuple of one op's results."""
    return globals()[name]
