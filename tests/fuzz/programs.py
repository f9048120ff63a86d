"""Random programs: made line by line, run on any module that claims to be torch."""

from __future__ import annotations

import warnings
from random import Random
from typing import Any

from .fields import Fields
from .grammar import FAMILIES, NEW, SMOOTH

LARGEST = 300  # elements
_WEIGHTS = [weight for weight, _ in FAMILIES]


class Machine:
    """A program being run: its tensors by name, and what each line did."""

    def __init__(self, torch: Any):
        self.torch = torch
        self.names: dict[str, Any] = {"torch": torch}
        self.born: dict[str, int] = {}  # versions when the names were given

    @property
    def tensors(self) -> dict[str, Any]:
        """The tensors by name, in order of creation."""
        return {n: t for n, t in self.names.items() if isinstance(t, self.torch.Tensor)}

    def run(self, line: str) -> str:
        """Execute one line; the exception's type if there was one."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exec(line, self.names)
            except Exception as error:
                self.error = error
                return "RuntimeError" if isinstance(error, RuntimeError) else type(error).__name__
            finally:
                self.names.pop("__builtins__", None)
        self.error = None
        for name, t in self.tensors.items():
            if t.numel() > LARGEST:
                del self.names[name]
            elif name not in self.born:
                self.born[name] = 0 if t.is_inference() else t._version
        return ""


def next_line(random: Random, machine: Machine, number: int) -> str:
    """One more line that suits the program so far."""
    tensors = machine.tensors
    while True:
        family = random.choices(FAMILIES, _WEIGHTS)[0][1] if len(tensors) > 1 else NEW
        try:
            line = Fields(random, tensors, f"v{number}").fill(random.choice(family))
        except LookupError:
            continue
        chance = random.random()
        if chance < 0.05 and " and None" not in line:
            return f"with torch.no_grad(): {line}"
        return line


def program(random: Random, torch: Any, length: int) -> list[str]:
    """A random program, made while it runs on `torch`."""
    machine = Machine(torch)
    lines = []
    for number in range(length):
        lines.append(next_line(random, machine, number))
        machine.run(lines[-1])
    return lines


def smooth_program(random: Random, torch: Any, values: Any, length: int) -> list[str]:
    """A program on `v0`, without errors, whose results can be differentiated by differences."""
    weights = [weight for weight, _ in SMOOTH]
    lines: list[str] = []
    machine = Machine(torch)
    for number in range(1, length + 1):
        machine.names["v0"] = torch.tensor(values, dtype=torch.float64).requires_grad_()
        for line in lines:
            machine.run(line)
        family = random.choices(SMOOTH, weights)[0][1]
        try:
            line = Fields(random, machine.tensors, f"v{number}").fill(random.choice(family))
        except LookupError:
            continue
        if not machine.run(line):
            lines.append(line)
        machine = Machine(torch)
    return lines


ASKED = {
    "dtype": lambda t: str(t.dtype),
    "shape": lambda t: tuple(t.shape),
    "requires_grad": lambda t: t.requires_grad,
    "is_leaf": lambda t: t.is_leaf,
    "is_view": lambda t: t._is_view(),
    "version": lambda t: None if t.is_inference() else t._version,
    "stride": lambda t: [s for s, n in zip(t.stride(), t.shape) if n > 1] if t.numel() else None,
    "offset": lambda t: t.storage_offset() if t.numel() else None,
    "values": lambda t: t.detach().tolist(),
    "grad": lambda t: state(t.grad, False) if t.grad is not None else None,
}


def state(t: Any, whole: bool = True) -> dict[str, Any]:
    """Everything that a user can ask of a tensor; an error is an answer too."""
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key, ask in ASKED.items():
            if whole or key not in ("grad", "stride", "offset"):
                try:
                    found[key] = ask(t)
                except Exception as error:
                    found[key] = type(error).__name__
    return found
