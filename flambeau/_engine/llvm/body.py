"""A kernel's body as vector code: each instruction on all lanes at once.

Loops, and the epilogues of matrix products, build their bodies here:

    vectors = Vectors(builder, lanes, host)
    values = build_body(vectors, kernel.epilogue, leaf)
    for access, position in kernel.stores:
        vectors.store(values[position], pointer_of(access), access.dtype, stride, mask)

where `leaf(instruction)` gives the vector of a "load", "number", "index", "row" or "product":
what depends on where the loop stands. `load_number` does a "number" for any caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import llvmlite.ir as ir

from ..loops.kernel import Instruction
from . import arithmetic
from .conversion import convert
from .maths import RULES as MATHS
from .maths.logarithm import is_no_probability
from .maths.power import constant_power
from .types import KINDS
from .vector import Vectors, scalar_number

# Operations that refuse some operands: what gives the lanes refused.
REFUSALS = {"binary_cross_entropy": is_no_probability}

LEAVES = ("load", "number", "index", "row", "product")
Leaf = Callable[[Instruction], ir.Value]
Refuse = Callable[[ir.Value], None]

# name: (families of dtypes with code, rule(v, dtype, *values)); `dtype` is the last operand's
RULES = arithmetic.RULES | MATHS


def supports(name: str, operands: Sequence[str], result: str) -> bool:
    """Whether there is code for an elementwise primitive on operands of these dtypes.

    Args:
        name: the primitive.
        operands: their dtypes; a Python number counts with the dtype it takes.
        result: the result's dtype.
    """
    if any(dtype not in KINDS for dtype in (*operands, result)):
        return False
    if name == "convert":
        return True
    if name not in RULES:
        return False
    if name == "where" and operands[0] != "bool":
        return False
    alike = operands[1:] if name == "where" else operands
    return len(set(alike)) == 1 and KINDS[alike[0]].family in RULES[name][0]


def build_body(
    v: Vectors, body: Sequence[Instruction], leaf: Leaf, refuse: Refuse | None = None
) -> list[ir.Value]:
    """The vectors of a body's values, one for each instruction.

    Args:
        v: where code is put, and how many lanes it has.
        leaf: gives the values that are not computed from others (see `LEAVES`).
        refuse: told the lanes whose operands an operation refuses (see `REFUSALS`): the kernel
            is to return a fault's code then.

    Raises:
        NotImplementedError: an instruction that `supports` says no to, or one that refuses
            operands where nobody listens.
    """
    values: list[ir.Value] = []
    for instruction in body:
        if instruction.name in LEAVES:
            values.append(leaf(instruction))
        elif instruction.name == "constant":
            values.append(v.constant(instruction.dtype, instruction.detail))
        else:
            values.append(_compute(v, body, values, instruction))
            if instruction.name in REFUSALS:
                if refuse is None:
                    raise NotImplementedError(f"{instruction.name} may fault")
                first = instruction.operands[0]
                refuse(REFUSALS[instruction.name](v, body[first].dtype, values[first]))
    return values


def _compute(
    v: Vectors, body: Sequence[Instruction], values: list[ir.Value], instruction: Instruction
) -> ir.Value:
    operands = [body[place].dtype for place in instruction.operands]
    arguments = [values[place] for place in instruction.operands]
    if not supports(instruction.name, operands, instruction.dtype):
        raise NotImplementedError(f"{instruction.name} of {', '.join(operands)} has no code")
    if instruction.name == "convert":
        return convert(v, arguments[0], operands[0], instruction.dtype)
    if instruction.name == "pow" and body[instruction.operands[1]].name == "constant":
        exponent = body[instruction.operands[1]].detail
        found = constant_power(v, operands[0], arguments[0], exponent)
        if found is not None:
            return found
    if instruction.detail is not None:
        arguments.append(instruction.detail)
    return RULES[instruction.name][1](v, operands[-1], *arguments)


def load_number(v: Vectors, numbers: ir.Value, instruction: Instruction) -> ir.Value:
    """A "number" instruction's vector; `numbers` points to the numbers' vector."""
    scalar = scalar_number(numbers, instruction.detail, v.builder)
    one = Vectors(v.builder, 1, v.host)
    value = convert(one, one.splat(scalar), "float64", instruction.dtype)
    return v.splat(one.lane(value, 0))
