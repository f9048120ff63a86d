"""Where a loop comes round: a segment ends there, and the next one begins."""

from __future__ import annotations

from typing import Any

from ..autograd.callbacks import PROCEED
from ..autograd.mode import mode
from ..autograd.tensor import Tensor
from .deciding import beginning, goes_on, owned, updates_data

HOT = {"auto": 3, "force": 0}  # sights of a beginning before it is recorded
LOOP = 64  # events after which a segment ends where it repeats itself
ROUNDS = {"auto": 8, "force": 2}  # with a read in each, and no step: then one of them is enough
BACKWARDS = frozenset({"backward", "autograd.grad"})
# not events everywhere: no part of a period
UNSEEN = frozenset({"grad=", "data", "data=", "detach_", "step", PROCEED.name})


def note(tracer: Any, descriptor: Any, args: tuple) -> tuple | None:
    """Note an event in the stream, if it is always one; returns its `beginning`."""
    if descriptor.name in UNSEEN:
        return None
    key = beginning(descriptor, args)
    sign = hash((*key[:3], *owned(descriptor, args)))
    tracer.stream.note(sign, not mode.grad or descriptor.name in BACKWARDS)
    return key


def follow(tracer: Any, descriptor: Any, args: tuple) -> None:
    """Note an event; where a loop without reads comes round, the segment is over."""
    key = note(tracer, descriptor, args)
    if key is None or not tracer.stream.comes_round(tracer.hub.mode):
        return
    recording = tracer.recording
    if recording is None:
        if any(isinstance(x, Tensor) and x.__dict__.get("_grad_fn") for x in args):
            tracer.stream.later()
            return
        heat = tracer.heat.get(key, 0)
        if heat >= 0:  # it has been seen often enough
            tracer.heat[key] = HOT[tracer.hub.mode]
    elif not recording.may_end():
        tracer.stream.later()
        return
    elif sum(e.descriptor.name not in UNSEEN for e in recording.events) > tracer.stream.period:
        tracer.stop(recording)  # several rounds of the loop: one is enough, the next
    else:
        recording.root.returns = owned(descriptor, args)
        tracer.conclude()
    tracer.fresh_start, tracer.resting = True, False


def returns(root: Any, descriptor: Any, args: tuple) -> bool:
    """Whether an event begins the next round of a loop that is known by its period.

    `root` is that of its `beginning`; another way through the loop begins and ends there too.
    """
    if root is None or root.returns is None or goes_on(args):
        return False
    return root.returns == owned(descriptor, args)


def repeats(tracer: Any, descriptor: Any, args: tuple) -> bool:
    """Whether a recording ends here, because it comes back to where it began.

    One that is long or has stepped does. A read in its middle does not say that a loop has no
    step, which is what a segment should end with: several rounds do, and then the next one is
    recorded by itself.
    """
    recording = tracer.recording
    key = beginning(descriptor, args)
    sign = key[:3]  # a gradient that was there in the first round is pending in the next
    own, reads = sign == recording.key[:3], len(recording.endings)
    round_over = returns(tracer.roots.get((*sign, False)), descriptor, args)
    again = key == recording.key and (len(recording.events) > LOOP or recording.stepped)
    read = reads > (recording.reads_before if own else recording.reads)
    if not (read or again or round_over) or not recording.may_end():
        return False
    recording.reads = reads
    if own:
        recording.reads_before = reads
    rounds = recording.rounds[sign] = recording.rounds.get(sign, 0) + 1
    one = rounds == 1 and (sign in tracer.stepless or recording.stepped)
    if round_over or own and (one or not reads):
        tracer.conclude()
    elif again or rounds >= ROUNDS[tracer.hub.mode] and _begins(recording, own, descriptor, args):
        tracer.stop(recording)
        tracer.stepless.add(sign)
        tracer.heat[(*sign, False)] = HOT[tracer.hub.mode]
    else:
        return False
    tracer.boundary()
    return True


def _begins(recording: Any, own: bool, descriptor: Any, args: tuple) -> bool:
    """Whether the next segment should begin here: where this one does, if that comes again."""
    return (
        own
        or recording.key[:3] not in recording.rounds
        and not (goes_on(args) or updates_data(descriptor, args))
    )
