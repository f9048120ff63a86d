"""Tensors between processes, and functions run in several of them."""

from __future__ import annotations

import os
import pickle
import signal

import numpy as np
import pytest

import flambeau
import flambeau.multiprocessing as mp

FORK = mp.get_context("fork")


def add_one(tensor):
    tensor += 1


def in_a_child(function, *args):
    process = FORK.Process(target=function, args=args)
    process.start()
    process.join(20)
    assert process.exitcode == 0


def test_shared_memory_is_shared():
    private, shared = flambeau.zeros(2, 3), flambeau.zeros(2, 3).share_memory_()
    in_a_child(add_one, private)
    in_a_child(add_one, shared)
    assert private.sum() == 0 and not private.is_shared()
    assert shared.tolist() == [[1] * 3] * 2 and shared.is_shared() and shared[1:].is_shared()


def test_share_memory_keeps_values_and_layout():
    turned = flambeau.arange(6.0).reshape(2, 3).t().clone()
    for tensor in (turned, flambeau.tensor(3), flambeau.ones(2).to(flambeau.bfloat16)):
        values, strides = tensor.tolist(), tensor.stride()
        assert tensor.share_memory_() is tensor
        assert tensor.tolist() == values and tensor.stride() == strides
    assert flambeau.zeros(0).share_memory_().shape == (0,)


def test_views_cannot_be_moved():
    base = flambeau.zeros(4)
    view = base[:2]
    for tensor in (base, view):
        with pytest.raises(RuntimeError, match="views"):
            tensor.share_memory_()


def answer(queue, replies):
    tensor = queue.get()
    tensor += 5
    replies.put((tensor, tensor.is_shared()))
    queue.get()  # the sender of a tensor must live until it has arrived


def test_queues():
    for shared in (False, True):
        queue, replies = FORK.Queue(), FORK.Queue()
        process = FORK.Process(target=answer, args=(queue, replies))
        process.start()
        tensor = flambeau.zeros(3)
        if shared:
            tensor.share_memory_()
        queue.put(tensor)
        reply, was_shared = replies.get(timeout=20)
        queue.put(None)
        process.join(20)
        assert reply.tolist() == [5, 5, 5] and was_shared
        assert tensor.tolist() == ([5, 5, 5] if shared else [0, 0, 0])


def report(index, factor):
    if index == 1:
        raise ValueError(f"no {factor * index}")


def kill_first(index):
    if index == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def leave(index):
    os._exit(4)


def test_start_processes():
    results = mp.get_context("fork").SimpleQueue()
    assert mp.start_processes(lambda i: results.put(i), nprocs=3, start_method="fork") is None
    assert sorted(results.get() for _ in range(3)) == [0, 1, 2]
    context = mp.start_processes(int, nprocs=1, join=False, start_method="fork")
    assert len(context.pids()) == 1
    while not context.join():
        pass


def test_failures_of_started_processes():
    with pytest.raises(mp.ProcessRaisedException, match=r"(?s)-- Process 1 .*ValueError: no 3"):
        mp.start_processes(report, (3,), nprocs=2, start_method="fork")
    with pytest.raises(mp.ProcessExitedException, match="process 0 .* signal SIGKILL") as caught:
        mp.start_processes(kill_first, nprocs=2, start_method="fork")
    assert caught.value.signal_name == "SIGKILL" and caught.value.exit_code == -9
    with pytest.raises(mp.ProcessExitedException, match="with exit code 4") as caught:
        mp.start_processes(leave, nprocs=1, start_method="fork")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.exit_code == 4 and again.error_index == 0


def test_sharing_strategy():
    mp.set_sharing_strategy("file_descriptor")
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    with pytest.raises(AssertionError, match="invalid sharing strategy"):
        mp.set_sharing_strategy("file_system")


def test_numpy_sees_shared_memory():
    tensor = flambeau.zeros(2).share_memory_()
    np.asarray(tensor)[0] = 3
    in_a_child(add_one, tensor)
    assert tensor.tolist() == [4, 1]
