"""Whether two runs differ by nothing but rounding that the program itself makes large.

A program may subtract numbers that are nearly equal, or divide by a variance of nearly nothing:
then float32 results that are all as good as each other differ visibly. Such a difference is told
from a mistake by two questions, both of which must be answered yes:

- in float64 do the two modes agree, or differ by a millionth of that?
- is the difference no larger than what rounding does to the eager run: than its distance from
  eager runs whose inputs differ in their last bits, or from the float64 run of the same numbers?

A float32 kernel's mistake of that very size would go unseen in such a program; not in the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .loops import BOOKKEEPING, LOOSE, Loop, difference, near

Run = Callable[[Loop], Any]
LARGER = 4.0  # times what rounding does: still the same magnitude
AGREEMENT = 1e-7  # of float64 runs, relatively: nine digits of sixteen may be lost
CLOSE = 1e-5  # what float32 runs need no excuse for; where rounding does little, they agree
FINER = 1e-6  # float64 differences over float32's; its last bit is 2e-9 of float32's
SHAKES = 4  # eager runs with other last bits

# programs that have no float64 counterpart: other dtypes, and layers made in mid-run
UNTOLD = re.compile(r"float16|\.half\(|complex64|autocast|reset_parameters")
MADE = re.compile(r"nn\.(?:Linear|LSTM|GRU|Embedding|Conv\w+|MultiheadAttention)\(")
# what makes of a float32 program a float64 one; random numbers stay those of float32
DOUBLE = [
    (re.compile(r"\.float\(\)"), ".double()"),
    (re.compile(r"\bfloat32\b"), "float64"),
    (re.compile(r"torch\.(randn?)\(([^()]*)\)"), r"torch.\1(\2, dtype=torch.float32).double()"),
]
EXACTLY = "model.double()"
DOUBLED = f"""{EXACTLY}
for p in model.parameters():
    p.data.copy_((p.data * 4096).round() / 4096)
del p"""
FIRST = "torch.set_default_dtype(torch.float64)"
# a multiple of its last bit for each number of the model and of the data
SHAKE = """for t in [X, *model.parameters()]:
    with torch.no_grad():
        n = torch.arange(t.numel()).reshape(t.shape)
        t.mul_(1 + {size} * torch.cos({turn} + 1.7 * n))
del t, n"""


def in_double(loop: Loop, doubled: str = DOUBLED) -> Loop | None:
    """The same program on float64 numbers, or None where it has no such counterpart."""
    # models are made in float32, for the same random numbers; then coarsely rounded, for normal
    # ones are the same in every mode but for float32's last bit
    made = [n for n, text in enumerate(loop.setup) if "model = " in text]
    start = made[-1] + 1 if made else 0
    later = "\n".join([*loop.setup[start:], *(line.text for line in loop.body)])
    if UNTOLD.search(loop.source()) or MADE.search(later):
        return None

    def converted(text: str) -> str:
        for pattern, replacement in DOUBLE:
            text = pattern.sub(replacement, text)
        return text

    setup = [*loop.setup[:start], *[doubled] * bool(made), FIRST]
    setup += map(converted, loop.setup[start:])
    body = tuple(replace(line, text=converted(line.text)) for line in loop.body)
    return replace(loop, setup=tuple(setup), body=body)


def shaken(loop: Loop, turn: int) -> Loop | None:
    """The same program on numbers with other last bits; None for one without a model."""
    names = "\n".join(loop.setup)
    if "model = " not in names or "X, Y, B = " not in names:
        return None
    return replace(loop, setup=(*loop.setup, SHAKE.format(size=2.0**-23, turn=turn)))


def rounding_only(loop: Loop, eager: Any, other: Any, eagerly: Run, otherwise: Run) -> bool:
    """Whether `other`, that `otherwise` gave, differs from `eager` by what rounding alone can do.

    Args:
        eagerly, otherwise: run a program.
    """
    doubled = in_double(loop)
    if doubled is None:
        return False
    exact = eagerly(doubled)
    for _ in range(2):  # recorded, then replayed
        if not _finer(exact, otherwise(doubled), eager, other):
            return False
    others = [in_double(loop, EXACTLY), *(shaken(loop, n) for n in range(SHAKES))]
    return explained(eager, other, [eagerly(each) for each in others if each is not None])


def _finer(exact: Any, other_exact: Any, eager: Any, other: Any) -> bool:
    """Whether float64 runs agree, or differ by far less than the float32 ones in that place."""
    if not difference(exact, other_exact, AGREEMENT, LOOSE, floor=0.0):
        return True
    found, wanted = dict(numbers(exact)), dict(numbers(other_exact))
    if found.keys() != wanted.keys():
        return False
    coarse, other_coarse = dict(numbers(eager)), dict(numbers(other))
    for place, values in found.items():
        apart = distance(coarse.get(place, []), other_coarse.get(place, []))
        if not _agree(values, wanted[place], AGREEMENT) and not (
            distance(values, wanted[place]) <= FINER * apart < math.inf
        ):
            return False
    return True


def explained(eager: Any, other: Any, samples: list[Any]) -> bool:
    """Whether the samples lie about as far from `eager` as `other` does, wherever it differs."""
    found, wanted = dict(numbers(eager)), dict(numbers(other))
    others = [dict(numbers(sample)) for sample in samples]
    if found.keys() != wanted.keys():
        return False
    for place, values in found.items():
        if _agree(values, wanted[place], CLOSE):
            continue
        apart = [distance(values, sample.get(place, [])) for sample in others]
        reach = max([0.0, *(each for each in apart if each < math.inf)])
        if distance(values, wanted[place]) > LARGER * reach:
            return False
    return True


def _agree(values: list[float], others: list[float], tolerance: float) -> bool:
    return len(values) == len(others) and all(
        near(a, b, tolerance, 0.0) for a, b in zip(values, others)
    )


def distance(values: list[float], others: list[float]) -> float:
    """The largest difference, or infinity where they cannot be compared."""
    if len(values) != len(others):
        return math.inf
    apart = [0.0 if a == b or (a != a and b != b) else abs(a - b) for a, b in zip(values, others)]
    return max([0.0, *(math.inf if d != d else d for d in apart)])


def numbers(seen: Any, place: str = "") -> Iterator[tuple[str, list[float]]]:
    """The numbers of an observation by place; those of one tensor together."""
    if isinstance(seen, dict):
        for key, item in seen.items():
            if key == "values" and not isinstance(item, str):
                yield f"{place}.{key}", list(_flat(item))
            elif key not in BOOKKEEPING:
                yield from numbers(item, f"{place}.{key}")
    elif isinstance(seen, list):
        for n, item in enumerate(seen):
            yield from numbers(item, f"{place}[{n}]")
    elif isinstance(seen, str):  # a part of the place: what differs in text is never near
        yield f"{place}={seen}", []
    else:
        yield place, list(_flat(seen))


def _flat(item: Any) -> Iterator[float]:
    if isinstance(item, (list, tuple)):
        for each in item:
            yield from _flat(each)
    elif isinstance(item, complex):
        yield from (item.real, item.imag)
    elif item is not None:
        yield float(item)
