"""An explanation as text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._engine.trace.log import Failure
    from ._explain import Explanation, Kernel, Profile, Program, Segment

_MOST = 24  # lines of each list


def text_of(found: Explanation) -> str:
    """All of it, for people."""
    compiled = _count(len(found.segments), "segment")
    lines = [f"flambeau: JIT {found.mode}; {compiled} compiled", *_hint(found)]
    lines += _compiling(found)
    if found.profile is not None:
        lines += _profile(found.profile)
    for number, segment in enumerate(found.segments, 1):
        lines += ["", *_segment(number, segment, found.profile)]
    for title, failures in (("not compiled", found.abandoned), ("left eager", found.left_eager)):
        lines += _list(title, (
            f"{_times(count)} {_where(failure)}: {failure.reason}"
            for failure, count in failures.items()
        ))  # fmt: skip
    lines += _list("side exits", (
        f"{_times(count)} {_short(exit.line)}: {exit.reason} "
        f"(after {_count(exit.events, 'event')}: {exit.segment})"
        for exit, count in found.exits.items()
    ))  # fmt: skip
    return "\n".join(lines)


def _hint(found: Explanation) -> Iterator[str]:
    """What to think of where nothing has happened."""
    if found.segments or found.abandoned or found.left_eager:
        return
    if found.mode == "off":
        yield "  nothing is compiled: FLAMBEAU_JIT or flambeau.jit says so, or there is no llvmlite"
    else:
        yield "  nothing was repeated often enough: what begins with the same operation on the same"
        yield "  shape is recorded the fourth time"


def _where(failure: Failure) -> str:
    """The segment that was not compiled, with the lines from which and up to which it went."""
    name = f"{failure.segment} from " if failure.segment else ""
    given_up = failure.at and failure.at != failure.line
    return f"{name}{_short(failure.line)}{f' to {_short(failure.at)}' if given_up else ''}"


def _list(title: str, entries: Iterable[str]) -> Iterator[str]:
    found = list(entries)
    if found:
        yield ""
        yield f"{title}:"
        yield from (f"  {entry}" for entry in found[:_MOST])
        if len(found) > _MOST:
            yield f"  ... and {len(found) - _MOST} more kinds"


def _compiling(found: Explanation) -> Iterator[str]:
    costs = found.compiling
    if costs is None or not costs.programs:
        return
    yield (
        f"  {_count(costs.programs, 'program')} of {_count(costs.kernels, 'kernel')}: "
        f"{costs.compiled} compiled by LLVM, {costs.read} read from the cache, "
        f"{costs.shared} shared"
    )
    parts = [
        ("recording (with its work)", found.recording), ("lowering", costs.lowering),
        ("writing LLVM IR", costs.emitting), ("LLVM", costs.llvm), ("loading", costs.loading),
    ]  # fmt: skip
    yield "  " + ", ".join(f"{name} {_time(seconds)}" for name, seconds in parts)


def _profile(profile: Profile) -> Iterator[str]:
    whole = profile.seconds or 1.0
    yield ""
    yield f"run took {_time(profile.seconds)}:"
    for name in ("kernels", "data", "python"):
        seconds = getattr(profile, name)
        note = " (and eager ops)" if name == "python" else ""
        yield f"  {name:8} {_time(seconds):>10} {seconds / whole:5.0%}{note}"
    if profile.peaks is not None:
        gflops, bandwidth, threads = profile.peaks
        yield (
            f"  this machine's peaks, {_count(threads, 'thread')}: {gflops:.0f} GFLOP/s (float32), "
            f"{bandwidth:.0f} GB/s (memory; caches are faster)"
        )


def _segment(number: int, segment: Segment, profile: Profile | None) -> Iterator[str]:
    events = _count(len(segment.events), "event")
    yield f"segment {number}: {events}, run {_times(segment.runs)}"
    if segment.paused:
        yield f"  left alone for {segment.paused} more beginnings: side exits were too many"
    for line, group in islice(groupby(segment.events, key=lambda event: event[1]), _MOST):
        names = [name for name, _ in group]
        shown = ", ".join(names[:6]) + (f", ... ({len(names)} events)" if len(names) > 6 else "")
        yield f"  {_short(line)}: {shown}"
    for program in segment.programs:
        yield from _program(program, profile)


def _program(program: Program, profile: Profile | None) -> Iterator[str]:
    again = program.compilations
    note = f", compiled {_times(again)}" if again > 1 else ""
    kernels = program.kernels
    timed = [kernel for kernel in kernels if kernel.calls]
    if timed:
        calls = timed[0].calls
        note += f"; {_count(calls, 'call')} of {_time(sum(k.seconds for k in timed) / calls)}"
    yield f"  program {program.name}: {_count(len(kernels), 'kernel')}{note}"
    if timed:
        kernels = sorted(kernels, key=lambda kernel: -kernel.seconds)
        yield "        us/call   GFLOP/s      GB/s   kernel"
    for kernel in kernels[:_MOST]:
        yield "    " + (_rates(kernel, profile) if timed else "") + _kernel(kernel)
    if len(kernels) > _MOST:
        yield f"    ... and {len(kernels) - _MOST} more kernels"


def _rates(kernel: Kernel, profile: Profile | None) -> str:
    peaks: Any = profile.peaks if profile is not None else None
    each = 1e6 * kernel.seconds / kernel.calls if kernel.calls else 0.0
    rates = []
    for rate, peak in ((kernel.gflops, peaks and peaks[0]), (kernel.bandwidth, peaks and peaks[1])):
        share = f"{rate / peak:4.0%}" if peak else ""
        rates.append(f"{rate:5.1f} {share:>4}" if rate else " " * 10)
    return f"{each:11.1f} {' '.join(rates)}   "


def _kernel(kernel: Kernel) -> str:
    text = kernel.text if len(kernel.text) <= 70 else kernel.text[:67] + "..."
    return f"{kernel.kind} {text}  # {kernel.event}, {_short(kernel.line)}"


def _short(line: str) -> str:
    """`file:line` as seen from the current folder, where that is shorter."""
    path, _, number = line.rpartition(":")
    if not path:
        return line or "?"
    try:
        near = os.path.relpath(path)
    except (OSError, ValueError):  # no current folder, or another drive
        near = path
    return f"{min(near, path, key=len)}:{number}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.2f} {unit}"
    return f"{seconds * 1e6:.0f} us"
