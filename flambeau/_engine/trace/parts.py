"""What the parts of a recorded segment take over from outside and each other, and keep back."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..graph.ir import Value, values_of
from .histories import leaves_before
from .memory import Unrecordable
from .pattern import Input, Result
from .snapshots import admit


def keep_late(recording: Any, ending: Any) -> None:
    """Gradients are seldom looked at after a step: they stay in the program until they are."""
    seen = Counter(place.memory for place in ending.places.values())
    read_before = {slot for _, part in recording.endings for slot in part.places}
    for node in recording.events:
        for change in node.gradients:
            place = ending.places.get(change.slot)
            if (
                place is not None and place.source is None and place.view is None
                and place.strides is None and seen[place.memory] == 1
                and not node.metas[change.slot].requires_grad
                and change.slot not in read_before
            ):  # fmt: skip
                ending.late[change.slot] = -1


def leaves_of(recording: Any, slot: int) -> tuple[Any, ...]:
    """The patterns of the leaves that the history of a result leads to."""
    t = recording.slots[slot]()
    node = None if t is None else t.__dict__.get("_grad_fn")
    if node is None:
        return ()
    known = {id(x): Input(number, False) for number, x in enumerate(recording.inputs)}
    found: list[Any] = []
    for leaf in leaves_before(node):
        made = recording.slot_of.get(id(leaf))
        if id(leaf) in known:
            found.append(known[id(leaf)])
        elif made is not None and recording.slots[made]() is leaf:
            found.append(Result(made))
    return tuple(found)


def link(recording: Any) -> None:
    """All parts are known: find what each needs from outside and from those before.

    Raises:
        Unrecordable: a value that nothing computes.
    """
    admit(recording)
    values = recording.recorder.input_values
    given = set(values)
    made: dict[Value, tuple[int, int, int]] = {}
    passing = frozenset(
        number
        for node in recording.events
        for number, spec in node.specs.items()
        if not spec.remember
    )
    for position, (_, part) in enumerate(recording.endings):
        wanted = dict.fromkeys(value for node in part.nodes for value in values_of(node.inputs))
        wanted |= dict.fromkeys(value for _, value, _ in part.updates)
        wanted |= dict.fromkeys(part.memory_values.values())
        updated = {number for number, _, _ in part.updates}
        for number, value in enumerate(values):
            if value in wanted or number in updated:
                part.inputs.append((number, value))
        own: set[Value] = set()
        part.input_numbers = [number for number, _ in part.inputs]
        part.place_of_input = {number: i for i, number in enumerate(part.input_numbers)}
        part.written = frozenset(updated)
        part.passing = passing
        part.passing_updates = tuple((n, w) for n, _, w in part.updates if n in passing)
        for index, node in enumerate(part.nodes):
            own.update(node.outputs)
            made |= {value: (position, index, i) for i, value in enumerate(node.outputs)}
        for value in wanted:
            if value in own or value in given:
                continue
            if value not in made:
                raise Unrecordable("a value from nowhere")
            part.carried.append((made[value], value))
            earlier, index, output = made[value]
            recording.endings[earlier][1].keep(index, output)
