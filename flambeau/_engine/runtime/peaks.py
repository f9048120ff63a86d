"""What this machine can do at most: multiply-adds in registers, and copying memory."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ..llvm.host import Host, detect
from .native import Code, compile_text
from .threads import get_num_threads

_STEPS = 200_000  # of the loop: about a millisecond
_ROUNDS = 7
_COPIED = 32 << 20  # bytes: more than the caches hold


class Peaks(NamedTuple):
    """This machine's limits, with as many threads as programs may use.

    Attributes:
        gflops: 10^9 float32 additions and multiplications a second.
        bandwidth: 10^9 bytes read and written a second when memory is copied.
        threads: how many ran at once.
    """

    gflops: float
    bandwidth: float
    threads: int


def peaks() -> Peaks:
    """Measured once a process and number of threads, in about a tenth of a second."""
    return _measured(get_num_threads())


@cache
def _measured(threads: int) -> Peaks:
    text, operations = _multiply_adds(detect())
    code = Code(compile_text(text, detect()), ("peak",))
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code["peak"])
    outs = [np.empty(4096, np.uint8) for _ in range(threads)]
    flops = threads * operations / _best([_bound(function, out) for out in outs])
    size = _COPIED // threads
    pairs = [(np.ones(size, np.uint8), np.ones(size, np.uint8)) for _ in range(threads)]
    copies = [_copy(target, source) for target, source in pairs]
    moved = 2 * size * threads / _best(copies)
    return Peaks(flops / 1e9, moved / 1e9, threads)


def _bound(function: Callable[[int], None], out: np.ndarray) -> Callable[[], None]:
    return lambda: function(out.ctypes.data)


def _copy(target: np.ndarray, source: np.ndarray) -> Callable[[], None]:
    return lambda: np.copyto(target, source)


def _best(calls: list[Callable[[], None]]) -> float:
    """The least seconds of some rounds in which each call runs in a thread of its own."""
    times = [float("inf")] * len(calls)
    least = float("inf")
    start = threading.Barrier(len(calls))

    def work(number: int) -> None:
        start.wait()
        before = perf_counter()
        calls[number]()
        times[number] = perf_counter() - before

    for _ in range(_ROUNDS):
        workers = [threading.Thread(target=work, args=(n,)) for n in range(len(calls))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        least = min(least, max(times))
    return least


def _multiply_adds(host: Host) -> tuple[str, int]:
    """The text of a loop of independent multiply-adds, and how many operations it does."""
    lanes, chains = host.lanes(4), host.registers * 3 // 4
    kind = f"<{lanes} x float>"
    half = f"{kind} splat (float 0.5)"
    function = f"llvm.fmuladd.v{lanes}f32"
    numbers = range(chains)
    lines = [
        "define void @peak(ptr %out) {", "entry:", "  br label %loop", "loop:",
        "  %i = phi i64 [0, %entry], [%j, %loop]",
        *(f"  %a{c} = phi {kind} [splat (float {c}.0), %entry], [%b{c}, %loop]" for c in numbers),
        *(f"  %b{c} = call {kind} @{function}({kind} %a{c}, {half}, {half})" for c in numbers),
        "  %j = add i64 %i, 1", f"  %more = icmp ult i64 %j, {_STEPS}",
        "  br i1 %more, label %loop, label %after", "after:",
        *(f"  store volatile {kind} %b{c}, ptr %out, align 4" for c in numbers),
        "  ret void", "}", f"declare {kind} @{function}({kind}, {kind}, {kind})",
    ]  # fmt: skip
    return "\n".join(lines) + "\n", 2 * lanes * chains * _STEPS
