"""Matrix products alone: GFLOP/s and the share of this machine's peak, beside torch.

    python -m benchmarks.gemm [--threads 1,2] [--only 512] [--rounds 15]

The peak is that of a loop of independent fused multiply-adds, measured in the same rounds as the
products, so that a busy machine slows all of them alike. Figures are medians of interleaved rounds.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from flambeau._engine.llvm.host import Host, detect
from flambeau._engine.loops.kernel import Access, Gemm, Instruction
from flambeau._engine.loops.plan import INPUT, STATIC, Buffer, Plan, Step
from flambeau._engine.runtime import threads as pool
from flambeau._engine.runtime.native import Code, compile_text
from flambeau._engine.runtime.program import Program

from .timing import interleaved

# m, n, k, and how A and B lie: N as C order has it, T transposed
SHAPES = (
    *((size, size, size, layout) for size in (512, 2048) for layout in ("NN", "NT", "TN", "TT")),
    # 784-256 at batch 128: forward, gradient of the input, gradient of the weights
    (128, 256, 784, "NT"), (128, 784, 256, "NN"), (256, 784, 128, "TN"),
    # 1024-1024 at batch 256
    (256, 1024, 1024, "NT"), (256, 1024, 1024, "NN"), (1024, 1024, 256, "TN"),
    # inference of one example; a batch of 32 through small layers
    (1, 256, 784, "NT"), (1, 256, 784, "NN"), (64, 128, 64, "NT"), (32, 64, 20, "NT"),
    (32, 3, 64, "NT"), (64, 20, 32, "TN"),
)  # fmt: skip
_STEPS = (
    200_000  # of the peak's loop: over a millisecond, so that threads of Python's run side by side
)
_REST = 0.04  # seconds after which no library's threads look for work any more


def peak_of(host: Host) -> tuple[Callable[[], None], float]:
    """A call that only multiplies and adds, in as many chains as there are registers for; and its
    floating-point operations."""
    lanes, chains = host.lanes(4), host.registers * 3 // 4
    kind = f"<{lanes} x float>"
    half = f"{kind} splat (float 0.5)"
    lines = ["define void @peak(ptr %out) {\nentry:\n  br label %loop\nloop:\n"]
    lines.append("  %i = phi i64 [0, %entry], [%j, %loop]\n")
    for c in range(chains):
        lines.append(f"  %a{c} = phi {kind} [splat (float {c}.0), %entry], [%b{c}, %loop]\n")
    for c in range(chains):
        lines.append(f"  %b{c} = call {kind} @llvm.fma.v{lanes}f32({kind} %a{c}, {half}, {half})\n")
    lines.append(f"  %j = add i64 %i, 1\n  %more = icmp ult i64 %j, {_STEPS}\n")
    lines.append("  br i1 %more, label %loop, label %out.block\nout.block:\n")
    for c in range(chains):
        lines.append(f"  store volatile {kind} %b{c}, ptr %out, align 4\n")
    lines.append(f"  ret void\n}}\ndeclare {kind} @llvm.fma.v{lanes}f32({kind}, {kind}, {kind})\n")
    code = Code(compile_text("".join(lines), host), ("peak",))
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code["peak"])

    def call() -> None:
        room = np.empty(lanes, np.float32)
        function(room.ctypes.data)
        assert code  # keeps the memory it runs in

    return call, 2.0 * lanes * chains * _STEPS


def on_threads(call: Callable[[], None], count: int) -> Callable[[], object]:
    """The call on so many threads at once, each on a processor of its own."""
    if count == 1:
        return call
    free = sorted(os.sched_getaffinity(0))
    executor = ThreadPoolExecutor(count, initializer=lambda: os.sched_setaffinity(0, {free.pop()}))
    return lambda: list(executor.map(lambda _: call(), range(count)))


def operands(m: int, n: int, k: int, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """Random A and B in the given layouts, as views of shape (m, k) and (k, n)."""
    random = np.random.default_rng(0)
    made = []
    for (rows, columns), transposed in zip(((m, k), (k, n)), layout, strict=True):
        shape = (columns, rows) if transposed == "T" else (rows, columns)
        array = random.standard_normal(shape, np.float32)
        made.append(array.T if transposed == "T" else array)
    return made[0], made[1]


def product(a: np.ndarray, b: np.ndarray) -> Callable[[], object]:
    """The product of two matrices as a compiled program."""
    (m, k), n = a.shape, b.shape[1]
    accesses = [
        Access(i, "float32", tuple(s // 4 for s in x.strides)) for i, x in enumerate((a, b))
    ]
    store = Access(2, "float32", (n, 1))
    kernel = Gemm((), m, n, k, "float32", *accesses, (Instruction("product"),), ((store, 0),))
    buffers = [Buffer(INPUT, a.nbytes, 0), Buffer(INPUT, b.nbytes, 1), Buffer(STATIC, 4 * m * n, 0)]
    steps: list = [Step(kernel, ((0, 0), (1, 0), (2, 0)))]
    program = Program(Plan(buffers, steps, 0, 0, 2, [((m, n), np.dtype(np.float32), True)]))
    (found,) = program.run([a, b])
    scale = np.abs(a) @ np.abs(b)
    assert np.all(np.abs(found - a @ b) <= 1e-6 * np.sqrt(k) * scale + 1e-6)
    inputs = [a, b]
    return lambda: program.run(inputs)


def _torch(count: int) -> Any:
    """torch with so many threads; None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(count)
    return torch


def _rival(torch: Any, a: np.ndarray, b: np.ndarray) -> Callable[[], object]:
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    out = torch.empty(a.shape[0], b.shape[1])
    return lambda: torch.mm(left, right, out=out)


def measure(count: int, shapes: list, rounds: int) -> None:
    """Print the table for a number of threads."""
    pool.set_num_threads(count)
    torch = _torch(count)
    call, flops = peak_of(detect())
    peak = on_threads(call, count)
    best = count * flops / interleaved({"peak": peak}, rounds)["peak"] / 1e9
    print(f"\n{count} thread{'s' * (count > 1)}: peak {best:.0f} GFLOP/s")
    print(f"{'m x n x k':>22} {'us':>10} {'GFLOP/s':>8} {'of peak':>8} {'torch':>8} {'ratio':>6}")
    for m, n, k, layout in shapes:
        a, b = operands(m, n, k, layout)
        candidates = {"flambeau": product(a, b), "peak": peak}
        if torch is not None:
            candidates["torch"] = _rival(torch, a, b)
        rest = _REST if count > 1 else 0.0
        seconds = interleaved(candidates, 5 if m * n * k > 1 << 31 else rounds, rest=rest)
        rate = 2e-9 * m * n * k / seconds["flambeau"]
        share = rate / (count * flops / seconds["peak"] / 1e9)
        line = f"{f'{m} x {n} x {k} {layout}':>22} {seconds['flambeau'] * 1e6:10.1f} {rate:8.1f}"
        line += f" {share:8.1%}"
        if torch is not None:
            rival = 2e-9 * m * n * k / seconds["torch"]
            line += f" {rival:8.1f} {rate / rival:6.2f}"
        print(line, flush=True)


def main() -> None:
    """Read the options, and print a table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", default="1" if cores == 1 else f"1,{min(cores, 2)}")
    parser.add_argument("--only", default="", help="shapes with this in their name")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    shapes = [s for s in SHAPES if options.only in f"{s[0]} x {s[1]} x {s[2]} {s[3]}"]
    for count in options.threads.split(","):
        measure(int(count), shapes, options.rounds)


if __name__ == "__main__":
    main()
