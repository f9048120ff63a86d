"""The thread pool: the same results with any number of threads, in any process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from flambeau._engine.runtime import objects, threads
from flambeau._engine.runtime.program import Program

from .kernels import chain, scale

SHAPE = (100, 640)
ROOT = Path(__file__).parents[3]
# a step that is divided however short it is
DIVIDED = {"work": 10**6}
HASTY = {"work": 30_000}  # and in a program that keeps Python's lock


@pytest.fixture
def x():
    return np.random.RandomState(0).randn(*SHAPE).astype(np.float32)


def running() -> int:
    """How many threads this process has."""
    return len(os.listdir("/proc/self/task"))


@pytest.mark.parametrize("work", [DIVIDED, HASTY])
@pytest.mark.parametrize("scratch", [0, 1])
def test_the_number_of_threads_changes_nothing(x, with_threads, work, scratch):
    program = Program(chain(SHAPE, *[scale(SHAPE, factor=1.1, scratch=scratch, **work)] * 3))
    expected = None
    for count in (1, 2, 4, 3, 1, 7):
        with_threads(count)
        for _ in range(40):
            (out,) = program.run([x])
            expected = out if expected is None else expected
            assert out.tobytes() == expected.tobytes()


def test_threads_start_when_needed_and_stop(x, with_threads):
    with_threads(1)
    alone = running()
    program = Program(chain(SHAPE, scale(SHAPE, factor=2.0, **DIVIDED)))
    with_threads(3)
    assert running() == alone
    for _ in range(3):
        program.run([x])
    assert running() == alone + 2
    with_threads(1)
    assert running() == alone


def test_short_steps_are_not_divided(x, with_threads):
    with_threads(1)
    alone = running()
    with_threads(4)
    program = Program(chain(SHAPE, scale(SHAPE, factor=2.0, work=100)))
    for _ in range(3):
        program.run([x])
    assert running() == alone


def test_workers_that_sleep_are_woken(x, with_threads):
    with_threads(2)
    program = Program(chain(SHAPE, scale(SHAPE, factor=2.0, **DIVIDED)))
    for _ in range(20):
        np.testing.assert_array_equal(program.run([x])[0], x * 2)
        threading.Event().wait(0.003)


def asleep(thread: int) -> set[int]:
    """Where a thread may run, once it sleeps."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        state = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "S":
            return os.sched_getaffinity(thread)
        time.sleep(0.002)
    raise AssertionError("it does not sleep")


@pytest.mark.skipif(threads.processors() < 2, reason="there is one processor")
def test_a_worker_sleeps_away_from_the_callers_processor(x, with_threads):
    allowed = os.sched_getaffinity(0)
    here, there = sorted(allowed)[:2]
    with_threads(1)
    before = set(os.listdir("/proc/self/task"))
    program = Program(chain(SHAPE, scale(SHAPE, factor=2.0, **DIVIDED)))

    def run() -> None:
        np.testing.assert_array_equal(program.run([x])[0], x * 2)

    try:
        os.sched_setaffinity(0, {here})  # the worker's too, which is made now
        with_threads(2)
        run()
        (worker,) = map(int, set(os.listdir("/proc/self/task")) - before)
        for _ in range(3):  # it wakes up here, and may not go anywhere else
            assert asleep(worker) == {here}
            run()
        assert asleep(worker) == {here}
        os.sched_setaffinity(worker, allowed)
        run()
        assert asleep(worker) == allowed - {here}
        os.sched_setaffinity(0, {there})
        run()
        assert asleep(worker) == allowed - {there}
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_fault_in_a_divided_step(x, with_threads):
    with_threads(3)
    program = Program(chain(SHAPE, scale(SHAPE, factor=2.0, faults=True, **DIVIDED)))
    for sign in (1, -1) * 10:
        x[0, 0] = sign
        if sign < 0:
            with pytest.raises(Exception, match="step 0"):
                program.run([x])
        else:
            np.testing.assert_array_equal(program.run([x])[0], x * 2)


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("work", [{}, DIVIDED, HASTY])
@pytest.mark.parametrize("known", [True, False])
def test_two_python_threads_at_once(x, with_threads, monkeypatch, static, work, known):
    with_threads(2)
    if not known:
        monkeypatch.setattr(objects, "known", lambda: False)
    kernels = [scale(SHAPE, factor=2.0, **work), scale(SHAPE, factor=0.5, **work)]
    program = Program(chain(SHAPE, *kernels, static=static))
    wrong = []

    def train(array: np.ndarray) -> None:
        for _ in range(60):
            (out,) = program.run([array])
            if not static and not np.array_equal(out, array):
                wrong.append(out)

    both = [threading.Thread(target=train, args=(x * k,)) for k in (1, 2, 3)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert not wrong
    np.testing.assert_array_equal(program.run([x])[0], x)


def test_two_python_threads_compile_at_once(x):
    made = {}

    def compile_some(first: int) -> None:
        for i in range(first, first + 6):
            made[i] = Program(chain(SHAPE, scale(SHAPE, factor=float(i % 8))))

    both = [threading.Thread(target=compile_some, args=(first,)) for first in (0, 4)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    for i, program in made.items():
        np.testing.assert_array_equal(program.run([x])[0], x * (i % 8))


# --- processes -------------------------------------------------------------------------------


def in_child(check) -> int:
    """Run `check` in a forked process; its exit code is 0 if that returned."""
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(20)
            check()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_runs_and_compiles(x, with_threads):
    with_threads(2)
    program = Program(chain(SHAPE, *[scale(SHAPE, factor=2.0, scratch=1, **DIVIDED)] * 2))
    for _ in range(3):
        program.run([x])

    def check() -> None:
        assert running() == 1
        for _ in range(3):
            np.testing.assert_array_equal(program.run([x])[0], x * 4)
        assert running() == 2
        other = Program(chain(SHAPE, scale(SHAPE, factor=5.0)))
        np.testing.assert_array_equal(other.run([x])[0], x * 5)
        threads.set_num_threads(1)
        assert running() == 1

    assert in_child(check) == 0
    np.testing.assert_array_equal(program.run([x])[0], x * 4)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_while_another_thread_runs_and_compiles(x, with_threads):
    with_threads(2)
    static = Program(chain(SHAPE, scale(SHAPE, factor=3.0, **DIVIDED), static=True))
    stop = threading.Event()

    def work() -> None:
        factor = 0.0
        while not stop.is_set():
            static.run([x])
            factor += 1.0
            Program(chain(SHAPE, scale(SHAPE, factor=factor, other=1)))

    def check() -> None:
        np.testing.assert_array_equal(static.run([x])[0], x * 3)
        other = Program(chain(SHAPE, scale(SHAPE, factor=5.0)))
        np.testing.assert_array_equal(other.run([x])[0], x * 5)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        codes = [in_child(check) for _ in range(8)]
    finally:
        stop.set()
        thread.join()
    assert codes == [0] * 8


SCRIPT = """
import sys, threading
import numpy as np
from flambeau._engine.runtime import kernels, threads
from flambeau._engine.runtime.program import Program
from tests.engine.runtime.kernels import Emitter, chain, scale
kernels.emitter_of = lambda kernel: Emitter()
threads.set_num_threads(3)
program = Program(chain((100, 640), scale((100, 640), factor=2.0, work=10**6)))
x = np.ones((100, 640), np.float32)
for _ in range(3):
    assert program.run([x])[0].sum() == 2 * x.size
def forever():
    while True:
        program.run([x])
if sys.argv[1] == "busy":
    threading.Thread(target=forever, daemon=True).start()
print("done")
"""


@pytest.mark.parametrize("how", ["idle", "busy"])
def test_the_interpreter_exits_cleanly(how, folder):
    environment = {**os.environ, "FLAMBEAU_CACHE": str(folder)}
    ended = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", SCRIPT, how],
        capture_output=True, text=True, timeout=60, env=environment, cwd=ROOT,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


# --- how many --------------------------------------------------------------------------------


def group(tmp_path, lines: str, **files: str) -> float | None:
    """The share of processors that these control groups grant."""
    for name, text in files.items():
        path = tmp_path / "root" / name.replace("__", "/").replace("_max", ".max")
        path = path.with_name(path.name.replace("cpu_cfs", "cpu.cfs"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "groups").write_text(lines)
    return threads._share(tmp_path / "groups", tmp_path / "root")


def test_control_groups_limit_the_default(tmp_path):
    assert threads._share(tmp_path / "missing", tmp_path) is None
    assert group(tmp_path, "0::/a/b\n") is None
    assert group(tmp_path, "0::/a/b\n", a__b__cpu_max="max 100000\n") is None
    assert group(tmp_path, "0::/a/b\n", a__cpu_max="150000 100000\n") == 1.5
    assert group(tmp_path, "0::/a/b\n", a__b__cpu_max="400000 100000\n") == 1.5
    assert group(tmp_path, "0::/a/b\n", cpu_max="50000 100000\n") == 0.5


def test_control_groups_of_the_first_version(tmp_path):
    lines = "3:memory:/x\n2:cpu,cpuacct:/x\n"
    files = {"cpu__x__cpu_cfs_quota_us": "-1\n", "cpu__x__cpu_cfs_period_us": "100000\n"}
    assert group(tmp_path, lines, **files) is None
    files["cpu__x__cpu_cfs_quota_us"] = "300000\n"
    assert group(tmp_path, lines, **files) == 3.0


def test_processors_are_counted():
    assert 1 <= threads.processors() <= (os.cpu_count() or 1)
