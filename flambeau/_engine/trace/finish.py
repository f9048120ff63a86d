"""The end of a replay, written out as one Python function, as guards are (see `play`).

    finish(run) -> whether all has been computed, and handed to the tensors that are alive

It does what is the same each time: the tensors seen by identity are those of the last time, and
nobody is alive whom the program does not serve. False says that this is not so, or that a number's
guard fails, or the program: nothing has happened then.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from sys import getrefcount
from types import CodeType
from typing import TYPE_CHECKING, Any

from ..autograd.tensor import Tensor
from ..graph.ir import ProgramFault
from .histories import FreedNode
from .log import mistaken
from .memory import HELD_BY_PLACE, root_of, storage_in_frame
from .pattern import Result
from .pending import masked_class, set_class
from .snapshots import put

if TYPE_CHECKING:
    from .ending import Ending


class _Writer:
    """Writes the function of an ending; `run` is one that comes to its end there."""

    def __init__(self, ending: Ending, run: Any):
        self.ending = ending
        self.run = run
        self.given = [
            slot for slot in ending.candidates if slot in ending.given and ending.settles(run, slot)
        ]
        self.lines = ["def finish(run):", "    tracer, slots = run.tracer, run.slots"]

    def fail_if(self, condition: str) -> None:
        """A line that gives up."""
        self.lines.append(f"    if {condition}: return False")

    def failed(self, error: Exception) -> bool:
        """What the function returns where the program fails by a mistake: it has done nothing."""
        mistaken(self.ending.name, error)
        return False

    def add(self, *lines: str) -> None:
        """Lines of the function's body."""
        self.lines += [f"    {line}" for line in lines]

    # --- before the program -----------------------------------------------------------------------

    def _guard(self) -> None:
        self.fail_if("ending.seen_at != tracer.admissions")
        others = [slot for slot in self.ending.candidates if slot not in self.given]
        others += self.ending.unplaced
        if others:
            self.fail_if(" or ".join(map(_alive, others)))

    def _arrays(self) -> None:
        """Lines that make the list of the inputs' arrays; passing ones are looked at each time."""
        ending = self.ending
        self.add("inputs, arrays = run.inputs, ending.arrays.copy()")
        for number in sorted(ending.passing):
            if number >= len(self.run.inputs):
                continue
            self.add(f"x = inputs[{number}].__dict__['_array']")
            if ending.written:
                self.add(f"r{number} = id(x if x.base is None else root_of(x))")
                roots = "roots" if number in ending.written else "written_roots"
                self.fail_if(f"r{number} in ending.{roots}")
            if number in ending.place_of_input:
                self.add(f"arrays[{ending.place_of_input[number]}] = x")
        self.add("if run.snapshots: put(run, ending, arrays)")
        written = [f"r{number}, " for number, _ in ending.passing_updates]
        if written:
            read = [f"r{n}, " for n in sorted(ending.passing - ending.written)]
            self.add(f"written = {{{''.join(written)}}}")
            self.fail_if(f"len(written) != {len(written)}")
            self.fail_if(f"not written.isdisjoint(({''.join(read)}))")
        if ending.carried:
            self.add(
                "for (part, node, output), _ in ending.carried:",
                "    kept = run.parts[part].kept_at[node, output]",
                "    arrays.append(run.outputs[part][kept])",
            )

    def _numbers(self) -> str:
        """Lines that compute the program's numbers; the expression for them."""
        if self.ending.vector is None:
            return "()"
        self.add("numbers = vector(run.numbers)")
        self.fail_if("numbers is None")
        return "numbers"

    # --- the program, and after -------------------------------------------------------------------

    def _run(self, numbers: str) -> None:
        ending = self.ending
        if ending.late:
            self.add("ending.hand_over()")
        self.add("ending.runs += 1", "tracer.busy = True", "try:")
        if ending.generators and not ending.final:
            self.add("    run.generators += tuple((g, g.to_bytes()) for g in ending.generators)")
        self.add(
            f"    outputs = program.run(arrays, {numbers})",
            "except ProgramFault: return False",
            "except Exception as error: return failed(error)",
            "finally: tracer.busy = False",
            "run.outputs += (outputs,)",
        )
        if any(number not in ending.passing for number in ending.written):
            self.add("ending.writes.runs += 1")
        for number, writes in ending.passing_updates:
            self.add(f"storage_in_frame(inputs[{number}]).version += {writes}")

    def _settle(self) -> None:
        """Lines that hand the arrays to the tensors that are alive."""
        ending = self.ending
        if not ending.final or self.run.parts:
            self._settle_at_length()
            return
        seen = Counter(place.memory for place in ending.places.values())
        simple = [slot for slot in self.given if self._is_simple(slot, seen)]
        others = [slot for slot in self.given if slot not in simple]
        self.add(f"if {' or '.join(['run.masked', *map(_alive, others)])}:")
        self._settle_at_length("    ")
        for slot in simple:
            self._hand_out(slot)
        self.add("run.close(ending)", "return True")

    def _settle_at_length(self, indentation: str = "") -> None:
        for line in (
            f"alive = [slot for slot in {tuple(self.given)} if {_alive('slot')}]",
            "run.settle_part(ending, outputs, alive)",
            "run.parts += (ending,)",
            "return True",
        ):
            self.add(indentation + line)

    def _is_simple(self, slot: int, seen: Counter[int]) -> bool:
        """Whether a result has memory of its own, which is just what the program makes."""
        place = self.ending.places[slot]
        return (
            place.source is None and place.view is None and place.strides is None
            and seen[place.memory] == 1 and not self.ending.generations.get(place.memory)
            and slot not in self.ending.views and slot not in self.ending.apart
            and "_meta" in self.run.slots[slot].__dict__
            and not any(isinstance(each, Result) for each in self.ending.needs.get(slot, ()))
        )  # fmt: skip

    def _hand_out(self, slot: int) -> None:
        """What `Run.settle_part` does for one result."""
        ending = self.ending
        meta = self.run.slots[slot].__dict__["_meta"]
        output = ending.output_memories.index(ending.places[slot].memory)
        self.add(
            f"t = slots[{slot}] if {_alive(slot)} else None",
            "if type(t) is Masked:",
            "    frame = t.__dict__",
            f"    frame['_array'] = outputs[{output}]",
            "    set_class(t, Tensor)",
            "    del frame['_run'], frame['_meta']",
        )
        if meta.inference:
            self.add("    frame['_inference'], frame['_plain'] = True, False")
        if meta.requires_grad:
            self.add("    frame['_requires_grad'], frame['_plain'] = True, False")
            if not meta.leaf:
                label = ending.tapes[slot].label
                self.add(
                    f"    edges = ending.leaves.get({slot}, ())",
                    f"    frame['_grad_fn'] = FreedNode({label!r}, edges)",
                )

    def write(self) -> Callable[[Any], bool]:
        """The function."""
        self._guard()
        self._arrays()
        self._run(self._numbers())
        self._settle()
        scope = {
            "ending": self.ending, "program": self.ending.program, "vector": self.ending.vector,
            "count": getrefcount, "root_of": root_of, "storage_in_frame": storage_in_frame,
            "ProgramFault": ProgramFault, "Masked": masked_class(Tensor), "Tensor": Tensor,
            "failed": self.failed,
            "set_class": set_class, "FreedNode": FreedNode, "put": put,
        }  # fmt: skip
        exec(_code("\n".join(self.lines)), scope)  # of this module's own making
        return scope["finish"]


def _alive(slot: int | str) -> str:
    """The expression that says whether somebody beside the run holds a result."""
    return f"count(slots[{slot}]) > {HELD_BY_PLACE}"


@functools.lru_cache(1024)
def _code(source: str) -> CodeType:
    return compile(source, "<finish>", "exec")


def finish_of(ending: Ending, run: Any) -> Callable[[Any], bool]:
    """The function of an ending that has a program."""
    return _Writer(ending, run).write()
