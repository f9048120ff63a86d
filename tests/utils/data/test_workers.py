"""Worker processes: what they compute, how they fail, and that none of them outlives its use."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

import flambeau
from flambeau.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


class Script(Dataset):
    """Sample 1 does what it is told; the others are their index."""

    def __init__(self, act=lambda: None, rows=4):
        self.act = act
        self.rows = rows

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        if index == 1:
            acted = self.act()
            if acted is not None:
                return acted
        return index


class TwoArguments(Exception):
    def __init__(self, first, second):
        super().__init__(first, second)


def fail(error):
    raise error


def fail_locally():
    class Local(Exception):
        pass

    raise Local("of no importable class")


def alive():
    """The worker processes that still run."""
    gc.collect()
    return [process for process in multiprocessing.active_children() if "worker" in process.name]


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (lambda: fail(ValueError("bad sample")), ValueError, "ValueError: bad sample"),
        (lambda: fail(KeyError("name")), KeyError, "KeyError: 'name'"),
        (lambda: fail(TwoArguments(1, 2)), RuntimeError, r"TwoArguments: \(1, 2\)"),
        (fail_locally, RuntimeError, "of no importable class"),
        (lambda: lambda: 1, Exception, "pickle"),
        (lambda: flambeau.ones(1, requires_grad=True) * 2, RuntimeError, "Cowardly refusing"),
    ],
)
def test_exceptions_come_back_and_iteration_goes_on(act, kind, text):
    loader = iter(DataLoader(Script(act), batch_size=None, num_workers=1))
    assert next(loader) == 0
    with pytest.raises(kind, match="(?s)in DataLoader worker process 0.*" + text) as caught:
        next(loader)
    assert str(caught.value).startswith("Caught ")
    assert list(loader) == [2, 3]


@pytest.mark.parametrize(
    ("act", "fate"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "worker 1 was killed by signal SIGKILL"),
        (lambda: os._exit(3), "worker 1 ended with exit code 3"),
    ],
)
def test_a_dead_worker_is_named(act, fate):
    loader = iter(DataLoader(Script(act), num_workers=2))
    pid = loader._workers[1].pid
    text = rf"DataLoader worker \(pid\(s\) {pid}\) exited unexpectedly: {fate}"
    with pytest.raises(RuntimeError, match=text):
        list(loader)
    with pytest.raises(RuntimeError, match="shut down after an error"):
        next(loader)
    assert not alive()


def test_timeout():
    loader = iter(DataLoader(Script(lambda: time.sleep(60)), num_workers=1, timeout=0.2))
    next(loader)
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.2 seconds"):
        next(loader)
    for process in loader._workers:
        process.kill()


def test_failing_init_is_reported_for_every_batch():
    loader = iter(DataLoader(Script(), num_workers=1, worker_init_fn=lambda worker: 1 / 0))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="in DataLoader worker process 0"):
            next(loader)


def test_workers_end_when_the_loop_is_left():
    for _ in DataLoader(Script(), num_workers=2):
        assert len(alive()) == 2
        break
    assert not alive()


def test_failed_iterators_are_not_kept_by_their_exceptions():
    gc.collect()
    gc.disable()
    try:
        loader = iter(DataLoader(Script(lambda: 1 / 0), num_workers=1))
        pool = weakref.ref(loader._pool)
        with pytest.raises(ZeroDivisionError):
            list(loader)
        del loader
        assert pool() is None
    finally:
        gc.enable()


def test_persistent_workers_are_the_same_processes():
    loader = DataLoader(Script(rows=9), 2, num_workers=2, persistent_workers=True)
    epochs, pids = [], set()
    for stop in (9, 0, 2, 9):  # leaving an epoch early must not leak into the next one
        epoch = []
        for step, batch in enumerate(loader):
            epoch.append(batch.tolist())
            if step == stop:
                break
        epochs.append(epoch)
        pids.add(tuple(process.pid for process in loader._iterator._workers))
    whole = [[0, 1], [2, 3], [4, 5], [6, 7], [8]]
    assert epochs == [whole, whole[:1], whole[:3], whole] and len(pids) == 1
    del loader
    assert not alive()


def test_persistent_workers_start_anew_after_a_death():
    loader = DataLoader(Script(), num_workers=1, persistent_workers=True)
    list(loader)
    os.kill(loader._iterator._workers[0].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(loader)
    assert [batch.item() for batch in loader] == [0, 1, 2, 3]


class Shared(IterableDataset):
    def __init__(self):
        self.numbers = range(10)

    def __iter__(self):
        return iter(self.numbers)


def share_out(worker_id):
    info = get_worker_info()
    assert worker_id == info.id and info.seed > 0
    info.dataset.numbers = info.dataset.numbers[worker_id :: info.num_workers]


def test_worker_init_can_share_out_a_stream():
    loader = DataLoader(Shared(), None, num_workers=3, worker_init_fn=share_out)
    assert list(loader) == list(range(10))
    assert sorted(DataLoader(Shared(), None, num_workers=2)) == sorted([*range(10)] * 2)
    assert get_worker_info() is None


def test_out_of_order():
    act = lambda: time.sleep(0.5)
    loader = DataLoader(Script(act, rows=6), None, num_workers=2, in_order=False)
    assert list(loader) == [0, 2, 4, 5, 1, 3]  # 3 waits behind 1 in the second worker


@pytest.mark.parametrize("context", ["spawn", "forkserver", multiprocessing.get_context("fork")])
def test_start_methods(context):
    dataset = TensorDataset(flambeau.arange(5))
    loader = DataLoader(dataset, 2, num_workers=1, multiprocessing_context=context)
    assert [batch.tolist() for (batch,) in loader] == [[0, 1], [2, 3], [4]]


def through_a_worker(value):
    (received,) = DataLoader([value], None, num_workers=1, collate_fn=lambda sample: sample)
    return received


@pytest.mark.parametrize("rows", [0, 1, 10, 50_000])
def test_memory_layouts_and_dtypes(rows):
    for dtype in (flambeau.float32, flambeau.bfloat16, flambeau.bool, flambeau.complex64):
        tensor = flambeau.ones(rows, 3).to(dtype)
        for view in (tensor, tensor.t(), tensor[:, 1], tensor[:, :1].expand(rows, 4)):
            received = through_a_worker(view)
            assert received.dtype is dtype and received.tolist() == view.tolist()
            received.zero_()  # writable


def test_dense_layouts_are_kept():
    image = flambeau.ones(2, 5, 4, 3).permute(0, 3, 1, 2)  # channels last
    assert through_a_worker(image).stride() == image.stride()


def test_other_values():
    leaf = flambeau.ones(2, requires_grad=True)
    assert through_a_worker(leaf).requires_grad
    assert through_a_worker(flambeau.tensor(3)).shape == ()
    array = through_a_worker({"array": np.ones((300, 300)), "text": "a"})["array"]
    assert array.sum() == 90_000
    array[:] = 0
    twice = through_a_worker([leaf, leaf])
    assert twice[0] is twice[1]


def test_big_batches_are_shared_not_copied():
    gc.collect()  # batches of the tests before, in cycles
    received = through_a_worker(flambeau.ones(500, 500))
    maps = Path("/proc/self/maps")
    assert maps.read_text().count("flambeau-batch") == 1
    del received
    gc.collect()
    assert "flambeau-batch" not in maps.read_text()


def run(script, **options):
    """A Python process of its own that runs the script."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


FOREVER = """
    import os, signal, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    from flambeau.utils.data import DataLoader, Dataset

    class Slow(Dataset):
        def __len__(self):
            return 1_000_000
        def __getitem__(self, index):
            time.sleep({seconds})
            return index

    loader = iter(DataLoader(Slow(), num_workers=2))
    print(*(process.pid for process in loader._workers), flush=True)
    for batch in loader:
        pass
"""


def wait_for_the_end_of(pids, seconds):
    deadline = time.monotonic() + seconds
    while running := [pid for pid in pids if is_running(pid)]:
        assert time.monotonic() < deadline, f"processes {running} still run"
        time.sleep(0.02)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before the file is opened, or read
        return False


def test_workers_end_with_a_killed_main_process():
    process = run(FOREVER.format(seconds=0.01))
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2
    process.kill()
    process.communicate()
    wait_for_the_end_of(pids, 8)


def test_ctrl_c():
    process = run(FOREVER.format(seconds=0.01))
    pids = [int(pid) for pid in process.stdout.readline().split()]
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT, errors
    assert errors.count("Traceback") == 1 and "KeyboardInterrupt" in errors, errors
    wait_for_the_end_of(pids, 8)


def test_the_program_may_end_in_the_middle_of_an_epoch():
    script = FOREVER.format(seconds=0.01).replace("pass", "break") + "    print('end')"
    process = run(script)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 0 and output.endswith("end\n") and not errors


def test_keeping_all_batches_needs_no_more_descriptors():
    script = """
        import resource, flambeau
        from flambeau.utils.data import DataLoader
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        rows = [flambeau.full((20000,), i) for i in range(100)]
        kept = list(DataLoader(rows, batch_size=None, num_workers=2))
        assert all(bool((row == i).all()) for i, row in enumerate(kept))
    """
    _, errors = run(script).communicate(timeout=30)
    assert not errors
