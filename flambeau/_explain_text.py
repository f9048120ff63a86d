"""An explanation as text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._explain import Explanation, Kernel, Profile, Program, Segment

_MOST = 24  # lines of each list


def text_of(found: Explanation) -> str:
    """All of it, for people."""
    count = len(found.segments)
    lines = [f"flambeau: JIT {found.mode}; {count} segment{'s' * (count != 1)} compiled"]
    lines += _compiling(found)
    if found.profile is not None:
        lines += _profile(found.profile)
    for number, segment in enumerate(found.segments, 1):
        lines += ["", *_segment(number, segment, found.profile)]
    for title, failures in (("not compiled", found.abandoned), ("left eager", found.left_eager)):
        lines += _list(title, (
            f"{_times(count)} {failure.segment} from {_short(failure.line)}: {failure.reason}"
            for failure, count in failures.items()
        ))  # fmt: skip
    lines += _list("side exits", (
        f"{_times(count)} {_short(exit.line)}: {exit.reason} "
        f"(after {exit.events} event{'s' * (exit.events != 1)} of {exit.segment})"
        for exit, count in found.exits.items()
    ))  # fmt: skip
    return "\n".join(lines)


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
        f"  {costs.programs} programs of {costs.kernels} kernels: {costs.compiled} compiled by "
        f"LLVM, {costs.read} read from the cache, {costs.shared} shared"
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
            f"  this machine, {threads} thread{'s' * (threads != 1)}: {gflops:.0f} GFLOP/s "
            f"(float32), {bandwidth:.0f} GB/s"
        )


def _segment(number: int, segment: Segment, profile: Profile | None) -> Iterator[str]:
    yield f"segment {number}: {len(segment.events)} events, run {_times(segment.runs)}"
    if segment.paused:
        yield f"  left alone for {segment.paused} more beginnings: it was left too often"
    for line, events in islice(groupby(segment.events, key=lambda event: event[1]), _MOST):
        names = [name for name, _ in events]
        shown = ", ".join(names[:6]) + (f", ... ({len(names)} events)" if len(names) > 6 else "")
        yield f"  {_short(line)}: {shown}"
    for program in segment.programs:
        yield from _program(program, profile)


def _program(program: Program, profile: Profile | None) -> Iterator[str]:
    again = program.compilations
    note = f", compiled {_times(again)}" if again > 1 else ""
    yield f"  program {program.name}: {len(program.kernels)} kernels{note}"
    timed = any(kernel.calls for kernel in program.kernels)
    kernels = program.kernels
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


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.2f} {unit}"
    return f"{seconds * 1e6:.0f} us"
