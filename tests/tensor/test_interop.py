"""Memory shared with NumPy, buffers and DLPack."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau


def test_dlpack_shares_memory_with_numpy_both_ways():
    array = np.arange(3)
    t = flambeau.from_dlpack(array)
    t[0] = 9
    assert array[0] == 9
    assert np.shares_memory(np.from_dlpack(t), array)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "bool", "complex64", "uint8", "int64"])
def test_dlpack_keeps_the_dtype(name):
    t = flambeau.ones(2, 3, dtype=getattr(flambeau, name)).t()
    back = flambeau.utils.dlpack.from_dlpack(flambeau.utils.dlpack.to_dlpack(t))
    assert back.dtype is t.dtype
    assert back.stride() == t.stride()
    back[0, 0] = 0
    assert not t[0, 0]


def test_dlpack_refuses_what_it_cannot_say():
    with pytest.raises(BufferError, match="require gradient"):
        flambeau.ones(2, requires_grad=True).__dlpack__()
    with pytest.raises(BufferError, match="meta"):
        flambeau.ones(2, device="meta").__dlpack_device__()


def test_a_buffer_is_shared():
    memory = bytearray(8)
    t = flambeau.frombuffer(memory, dtype=flambeau.int16, offset=2, count=2)
    t[0] = 258
    assert memory[2:4] == b"\x02\x01"
    with pytest.raises(ValueError, match="multiple of element size"):
        flambeau.frombuffer(memory, dtype=flambeau.int32, offset=1)
    with pytest.raises(ValueError, match="must not be greater"):
        flambeau.frombuffer(memory, dtype=flambeau.int32, count=3)
    with pytest.raises(ValueError, match="must not be 0"):
        flambeau.frombuffer(b"", dtype=flambeau.uint8)


def test_asarray_shares_where_it_can():
    array = np.ones(2)
    assert np.shares_memory(flambeau.asarray(array).numpy(), array)
    assert not np.shares_memory(flambeau.asarray(array, copy=True).numpy(), array)
    assert flambeau.asarray([1, 2]).dtype is flambeau.int64
    with pytest.raises(ValueError, match="can't alias"):
        flambeau.asarray([1, 2], copy=False)


def test_numpy_functions_on_tensors():
    t = flambeau.tensor([0.0, 1.0])
    assert isinstance(np.exp(t), flambeau.Tensor)
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    assert (t * np.ones(2)).tolist() == [0, 1]


def test_resizing_keeps_what_memory_holds():
    t = flambeau.arange(4)
    assert t.resize_(2).resize_(2, 2).tolist() == [[0, 1], [2, 3]]
    assert t.resize_(6)[:4].tolist() == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match="require grad"):
        flambeau.ones(2, requires_grad=True).resize_(3)


def test_set_looks_at_another_memory():
    source, t = flambeau.arange(6), flambeau.zeros(0, dtype=flambeau.int64)
    t.set_(source.untyped_storage(), 1, (2, 2), (1, 2))
    assert t.tolist() == [[1, 3], [2, 4]]
    source[1] = 9
    assert t[0, 0] == 9
    with pytest.raises(RuntimeError, match="out of bounds"):
        t.set_(source.untyped_storage(), 5, (2,), (1,))
