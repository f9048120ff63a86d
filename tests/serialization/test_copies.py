"""Plain pickles, copies and storages of tensors."""

from __future__ import annotations

import copy
import pickle

import pytest

import flambeau as ft
from flambeau import nn


@pytest.mark.parametrize("protocol", range(6))
def test_pickle(protocol):
    tensor = ft.arange(6.0).reshape(2, 3).t()
    tensor.requires_grad_()
    loaded = pickle.loads(pickle.dumps(tensor, protocol))
    assert loaded.tolist() == tensor.tolist()
    assert loaded.stride() == (1, 3) and loaded.requires_grad
    for dtype in (ft.bfloat16, ft.float16, ft.bool, ft.complex64, ft.uint16):
        assert pickle.loads(pickle.dumps(ft.ones(2, dtype=dtype), protocol)).dtype is dtype


def test_pickle_keeps_aliases():
    base = ft.zeros(3)
    first, second = pickle.loads(pickle.dumps([base, base[1:]]))
    first[1] = 5
    assert second[0] == 5


def test_pickle_parameter_and_small_objects():
    parameter = pickle.loads(pickle.dumps(nn.Parameter(ft.ones(2), requires_grad=False)))
    assert type(parameter) is nn.Parameter and not parameter.requires_grad
    for value in (ft.float32, ft.Size([1]), ft.device("cuda:1")):
        assert pickle.loads(pickle.dumps(value)) == value
    assert pickle.loads(pickle.dumps(ft.float32)) is ft.float32


def test_deepcopy_has_memory_of_its_own():
    tensor = ft.arange(4.0)
    copied = copy.deepcopy(tensor)
    copied[0] = 9
    assert tensor[0] == 0 and copied.data_ptr() != tensor.data_ptr()


def test_deepcopy_keeps_strides_aliases_and_identity():
    base = ft.arange(6.0)
    turned = base.view(2, 3).t()
    first, second, third = copy.deepcopy([base, turned, base])
    assert first is third
    assert second.stride() == (1, 3) and second.tolist() == turned.tolist()
    first[1] = 100
    assert second[1, 0] == 100 and base[1] == 1
    part = copy.deepcopy(base[2:4])
    assert part.storage_offset() == 2 and part.tolist() == [2, 3]


def test_deepcopy_of_leaves():
    leaf = ft.ones(2, requires_grad=True)
    (leaf * 3).sum().backward()
    leaf.note = [1]
    copied = copy.deepcopy(leaf)
    assert copied.requires_grad and copied.is_leaf
    assert copied.grad.tolist() == [3, 3] and copied.grad is not leaf.grad
    assert copied.note == [1] and copied.note is not leaf.note
    (copied * 2).sum().backward()
    assert copied.grad.tolist() == [5, 5] and leaf.grad.tolist() == [3, 3]


def test_deepcopy_of_a_result_is_an_error():
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(ft.ones(2, requires_grad=True) * 2)


def test_deepcopy_of_odd_tensors():
    for tensor in (ft.tensor(3), ft.empty(0, 2), ft.ones(1).expand(3), ft.ones(2).to(ft.bfloat16)):
        copied = copy.deepcopy(tensor)
        assert copied.tolist() == tensor.tolist() and copied.shape == tensor.shape
        assert copied.dtype is tensor.dtype
    meta = copy.deepcopy(ft.empty(10**9, device="meta"))
    assert meta.device.type == "meta" and meta.shape == (10**9,)


def test_deepcopy_of_modules():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.append(model[0])
    copied = copy.deepcopy(model)
    assert copied[0] is copied[2] and copied[0] is not model[0]
    assert copied[0].weight.tolist() == model[0].weight.tolist()


class TestStorages:
    def test_aliases_show_one_storage(self):
        base = ft.arange(3.0)
        assert base[1:].untyped_storage() is base.untyped_storage()
        assert base.clone().untyped_storage() is not base.untyped_storage()
        assert base.untyped_storage().data_ptr() == base.data_ptr()

    def test_bytes_and_elements(self):
        storage = ft.tensor([1.0, 2.0]).storage()
        assert storage.tolist() == [1, 2] and len(storage) == 2 and storage[1] == 2
        assert storage.nbytes() == 8 and storage.type() == "torch.FloatStorage"
        assert isinstance(storage, ft.FloatStorage) and not isinstance(storage, ft.IntStorage)
        untyped = storage.untyped()
        assert untyped.tolist() == [0, 0, 128, 63, 0, 0, 0, 64] and untyped[3] == 63
        assert repr(untyped) == "[torch.storage.UntypedStorage(device=cpu) of size 8]"

    def test_the_whole_memory_of_a_view(self):
        view = ft.arange(6.0).reshape(2, 3)[:, 1:]
        assert view.storage().tolist() == [0, 1, 2, 3, 4, 5]
        assert ft.arange(6.0).reshape(2, 3).t().clone().storage().size() == 6

    def test_writing(self):
        tensor = ft.zeros(2)
        tensor.storage()[1] = 5
        assert tensor.tolist() == [0, 5]
        tensor.untyped_storage().fill_(0)
        assert tensor.tolist() == [0, 0]
        copied = tensor.storage().clone()
        copied.fill_(1)
        assert tensor.tolist() == [0, 0] and copied.tolist() == [1, 1]

    def test_making_them(self):
        assert ft.FloatStorage(2).tolist() == [0, 0]
        assert ft.LongStorage([1, 2]).tolist() == [1, 2]
        assert ft.UntypedStorage(3).tolist() == [0, 0, 0]
        assert ft.TypedStorage([1], dtype=ft.int8).dtype is ft.int8

    def test_as_arrays_and_tensors(self):
        import numpy as np

        storage = ft.zeros(2).untyped_storage()
        ft.asarray(storage)[3] = 63
        np.asarray(storage)[2] = 128
        assert storage.tolist() == [0, 0, 128, 63, 0, 0, 0, 0]

    def test_of_a_file(self, tmp_path):
        path = tmp_path / "bytes"
        path.write_bytes(bytes(range(8)))
        private = ft.UntypedStorage.from_file(path, nbytes=4)
        private[0] = 9
        assert private.tolist() == [9, 1, 2, 3] and path.read_bytes()[0] == 0
        shared = ft.UntypedStorage.from_file(str(path), shared=True, nbytes=10)
        shared[0] = 9
        assert path.read_bytes()[0] == 9 and path.stat().st_size == 10

    def test_meta(self):
        storage = ft.empty(3, device="meta").untyped_storage()
        assert storage.nbytes() == 12 and storage.data_ptr() == 0
        with pytest.raises(NotImplementedError, match="no data"):
            storage.tolist()

    def test_numpy_views(self):
        import numpy as np

        array = np.arange(12.0).reshape(3, 4)[:, ::2]
        tensor = ft.from_numpy(array)
        loaded = pickle.loads(pickle.dumps(tensor))
        assert loaded.tolist() == array.tolist()
        assert copy.deepcopy(tensor).tolist() == array.tolist()
