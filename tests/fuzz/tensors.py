"""Random loops over plain tensors: ops, views, in-place writes, tapes; errors line by line."""

from __future__ import annotations

from random import Random
from typing import Any

from .fields import Fields
from .grammar import FAMILIES, NEW, SMOOTH
from .loops import Line, Loop
from .programs import Machine

SMOOTH_MORE: list[tuple[int, list[str]]] = [
    (2, ["{new} = {a}.exp()", "{new} = {a} * {s}", "{new} = {a} + {s}", "{new} = {a}.relu()"]),
    (2, ["{new} = {a}.mean({d})", "{new} = {a}.amax({d})", "{new} = {a}.sum({d}, keepdim=True)"]),
    (2, ["{new} = torch.cat([{a}, {b}.expand_as({a})], {d})", "{new} = {a}.flip({d})"]),
    (3, ["{leaf}.grad = None", "{r}.sum().backward(retain_graph=True)", "{new} = {a}.detach()"]),
    (1, ["{a}.add_({w}, alpha=0.1)", "{new} = {a} + 0.1 * i", "{a}.mul_(0.5 + 0.01 * i)"]),
]
MODES = ["torch.no_grad()", "torch.enable_grad()"]
CONDITIONS = ["", "", "", "", "i % 2", "i % 3 == 1", "i == 6", "i >= 7", "i < 9"]
STARTS = ["torch.arange(6.).reshape(2, 3) / 4", "torch.arange(3.) / 2 - 0.5", "torch.ones(2, 2)"]


def _line(random: Random, machine: Machine, families: Any, number: int) -> str:
    """A line that suits the tensors there are."""
    weights = [weight for weight, _ in families]
    while True:
        family = random.choices(families, weights)[0][1]
        try:
            return Fields(random, machine.tensors, f"v{number}").fill(random.choice(family))
        except LookupError:
            continue


def _rebound(random: Random, machine: Machine) -> str:
    """A name from before the loop is given what the loop has computed."""
    tensors = machine.tensors
    old = random.choice([n for n in tensors if n.startswith("u")])
    like = [n for n, t in tensors.items() if n != old and t.shape == tensors[old].shape]
    new = random.choice(like or [old])
    return random.choice([f"{old} = {new}", f"{old} = {new}.detach()", f"{old} = {new} * 0.5"])


def _read(random: Random, machine: Machine) -> str:
    name = random.choice(list(machine.tensors))
    return random.choice([
        f"log({name})", f"keep({name})", f"log({name}.sum().item())", f"log({name}.shape)",
        f"keep({name}.detach())", f"log(str({name}.dtype), {name}.requires_grad)",
        f"log({name}.detach().numpy())", f"log({name}.grad)",
        f"log({{'version': {name}._version}})",
    ])  # fmt: skip


def tensors(random: Random, torch: Any, smooth: bool, length: int = 12) -> Loop:
    """A random loop.

    Args:
        torch: what the lines are tried on while the program is made.
        smooth: only lines on which all agree, the real torch too.
    """
    machine = Machine(torch)
    machine.names["i"] = 1
    setup = []
    for number in range(4):
        if smooth:
            grad = ".requires_grad_()" if number == 1 else ""
            setup.append(f"u{number} = ({random.choice(STARTS)}){grad}")
        else:
            setup.append(_line(random, machine, [(1, NEW)], number).replace("v", "u", 1))
        machine.run(setup[-1])
    body: list[Line] = []
    for number in range(length):
        chance = random.random()
        if chance < 0.15:
            text = _read(random, machine)
        elif chance < 0.3:
            text = _rebound(random, machine)
        else:
            text = _line(random, machine, SMOOTH + SMOOTH_MORE if smooth else FAMILIES, number)
            if random.random() < 0.05:
                text = f"with {random.choice(MODES)}: {text}"
        if "log(" not in text and "keep(" not in text:
            machine.run(text)
        if not machine.tensors:
            break
        body.append(Line(text, random.choice(CONDITIONS)))
    return Loop(tuple(setup), tuple(body), each=True, torch=smooth, tolerance=1e-3)
