"""How dtypes look in memory and in vector registers."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir
import ml_dtypes
import numpy as np

POINTER = ir.PointerType()
I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
FLOAT, DOUBLE = ir.FloatType(), ir.DoubleType()


@dataclass(frozen=True, slots=True)
class Kind:
    """What code generation knows of a dtype.

    Attributes:
        family: "b" bool, "i" signed, "u" unsigned, "f" float32 and float64, "h" the two halves.
        itemsize: bytes an element in memory.
        lane: the LLVM type of an element in a register: i1 for bool; the bits, as i16, for
            float16 and bfloat16, which are only moved and converted.
        memory: the LLVM type of an element in memory: i8 for bool, as `lane` for the others.
    """

    name: str
    family: str
    itemsize: int
    lane: ir.Type
    memory: ir.Type

    @property
    def bits(self) -> int:
        """Bits of an element in memory."""
        return 8 * self.itemsize

    @property
    def mangled(self) -> str:
        """The lane's type as intrinsics' names have it: "f32", "i64"."""
        return f"{'f' if self.family == 'f' else 'i'}{1 if self.family == 'b' else self.bits}"


KINDS: dict[str, Kind] = {"bool": Kind("bool", "b", 1, I1, I8)}
for _bits, _type in ((8, I8), (16, I16), (32, I32), (64, I64)):
    for _family, _name in (("i", f"int{_bits}"), ("u", f"uint{_bits}")):
        KINDS[_name] = Kind(_name, _family, _bits // 8, _type, _type)
for _name in ("float16", "bfloat16"):
    KINDS[_name] = Kind(_name, "h", 2, I16, I16)
KINDS["float32"] = Kind("float32", "f", 4, FLOAT, FLOAT)
KINDS["float64"] = Kind("float64", "f", 8, DOUBLE, DOUBLE)

INTEGER_OF = {"float32": "int32", "float64": "int64"}

_HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}


class Literal(ir.FormattedConstant):
    """A constant as LLVM writes it: llvmlite's own takes vectors element by element."""

    def __init__(self, type_: ir.Type, text: str):
        self.type = type_
        self.constant = text


def splat(dtype: str, number: Any, lanes: int) -> ir.Constant:
    """A vector constant with `number` in every lane."""
    kind = KINDS[dtype]
    text = f"splat ({kind.lane} {_text(dtype, kind, number)})"
    return Literal(ir.VectorType(kind.lane, lanes), text)


def _text(dtype: str, kind: Kind, number: Any) -> str:
    if kind.family == "f":
        if dtype == "float32":
            with np.errstate(over="ignore"):
                number = np.float32(number)
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(number)))[0]:016x}"
    if kind.family == "b":
        return "true" if number else "false"
    if kind.family == "h":
        return str(int(np.asarray(number, _HALVES[dtype]).view(np.int16)))
    wrapped = int(number) & ((1 << kind.bits) - 1)
    return str(wrapped - (1 << kind.bits) if wrapped >> (kind.bits - 1) else wrapped)
