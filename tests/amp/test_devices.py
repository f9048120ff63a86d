"""torch.cuda, torch.cpu and torch.backends on a machine without a GPU."""

from __future__ import annotations

import pytest

import flambeau.backends
import flambeau.cpu
import flambeau.cuda


def test_questions_are_answered():
    assert not flambeau.cuda.is_available()
    assert flambeau.cuda.device_count() == 0
    assert flambeau.cuda.memory_allocated() == 0
    assert flambeau.cuda.get_rng_state_all() == []


def test_harmless_requests_are_accepted():
    flambeau.cuda.manual_seed(1)
    flambeau.cuda.manual_seed_all(1)
    flambeau.cuda.empty_cache()
    flambeau.cuda.set_rng_state_all([])
    with flambeau.cuda.stream(None):
        pass


@pytest.mark.parametrize(
    "request_gpu",
    [
        flambeau.cuda.synchronize,
        flambeau.cuda.current_device,
        lambda: flambeau.cuda.get_device_name(0),
        lambda: flambeau.cuda.set_device(0),
        flambeau.cuda.Stream,
        lambda: flambeau.cuda.nvtx.range_push("x"),
    ],
)
def test_what_needs_a_gpu_says_so(request_gpu):
    with pytest.raises(RuntimeError, match="Found no NVIDIA driver"):
        request_gpu()


def test_cpu_is_a_device():
    assert flambeau.cpu.is_available() and flambeau.cpu.device_count() == 1
    flambeau.cpu.synchronize()
    with flambeau.cpu.stream(flambeau.cpu.Stream()):
        pass
    assert flambeau.backends.cpu.get_cpu_capability() in ("AVX512", "AVX2", "DEFAULT")


def test_switches_are_accepted():
    cudnn = flambeau.backends.cudnn
    assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic) == (True, False, False)
    with cudnn.flags(deterministic=True):
        assert (cudnn.enabled, cudnn.deterministic) == (False, True)
    assert (cudnn.enabled, cudnn.deterministic) == (True, False)
    with pytest.raises(TypeError, match="unexpected keyword argument 'fast'"), cudnn.flags(fast=1):
        pass
    assert not flambeau.backends.mps.is_available()
    assert not flambeau.backends.cuda.is_built()
    flambeau.backends.cuda.matmul.allow_tf32 = True
    flambeau.backends.cuda.matmul.allow_tf32 = False
