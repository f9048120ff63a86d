"""What is saved is what is loaded: values, views, aliases, dtypes, devices, arguments."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict

import pytest

import flambeau as ft
from flambeau import nn

from .contents import GOLDEN, assert_same, others, values


class Recipe:
    """An object of the user's own."""

    def __init__(self, tensor):
        self.tensor = tensor


def through_file(value, save=None, **load):
    stream = io.BytesIO()
    ft.save(value, stream, **(save or {}))
    stream.seek(0)
    return ft.load(stream, **load)


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_values(weights_only, protocol):
    for make in (values, others):
        saving = {"pickle_protocol": protocol}
        assert_same(through_file(make(ft), saving, weights_only=weights_only), make(ft))


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("mmap", [True, False])
def test_files_that_pytorch_wrote(weights_only, mmap):
    for name, make in (("values", values), ("others", others)):
        loaded = ft.load(GOLDEN / f"{name}.pt", weights_only=weights_only, mmap=mmap)
        assert_same(loaded, make(ft))


@pytest.mark.parametrize("weights_only", [True, False])
def test_the_format_before_1_6(weights_only):
    expected = {name: value for name, value in values(ft).items() if name != "uint16"}
    loaded = ft.load(GOLDEN / "before_1_6.pt", weights_only=weights_only)
    assert_same(loaded, expected)
    loaded["base"][1, 0] = 100
    assert loaded["row"][0] == 100


def test_the_format_before_1_6_truncated():
    whole = (GOLDEN / "before_1_6.pt").read_bytes()
    for length in range(0, len(whole), 7):
        with pytest.raises((RuntimeError, pickle.UnpicklingError, EOFError)):
            ft.load(io.BytesIO(whole[:length]))


def test_files_without_checksums():
    assert ft.load(GOLDEN / "without_checksums.pt")["ones"].tolist() == [1, 1, 1]


def test_conjugation_that_pytorch_left_for_later():
    loaded = ft.load(GOLDEN / "lazy.pt")
    assert loaded["conjugated"].tolist() == [1 - 2j, 3 + 4j]
    assert loaded["negated"].tolist() == [-2, 4]


@pytest.mark.parametrize("name, make", [("values", values), ("others", others)])
def test_the_bytes_are_those_that_pytorch_writes(tmp_path, name, make):
    ft.save(make(ft), tmp_path / f"{name}.pt")
    ours = (tmp_path / f"{name}.pt").read_bytes()
    theirs = (GOLDEN / f"{name}.pt").read_bytes()
    # all but the checksum-like id of the contents, which is each library's own
    end = theirs.index(b".data/serialization_id")
    assert ours[:end] == theirs[:end]
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("mmap", [True, False])
def test_aliases_stay_aliases(tmp_path, mmap):
    base = ft.arange(6.0)
    ft.save([base, base[2:4], nn.Parameter(base), base.view(2, 3).t()], tmp_path / "a.pt")
    whole, part, parameter, turned = ft.load(tmp_path / "a.pt", mmap=mmap)
    whole[2] = 100
    assert part[0] == 100 and parameter[2] == 100 and turned[2, 0] == 100
    assert whole.data_ptr() == parameter.data_ptr()


def test_aliases_are_written_once():
    base = ft.zeros(10_000)
    one, many = io.BytesIO(), io.BytesIO()
    ft.save([base], one)
    ft.save([base[i:] for i in range(20)], many)
    assert len(many.getvalue()) < len(one.getvalue()) + 5000


def test_one_memory_as_two_dtypes_is_refused():
    base = ft.zeros(4)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        ft.save([base, base.view(ft.int32)], io.BytesIO())


@pytest.mark.parametrize("weights_only", [True, False])
def test_training_state_of_pytorch(weights_only):
    state = ft.load(GOLDEN / "training.pt", weights_only=weights_only)
    assert type(state["model"]) is OrderedDict
    assert state["model"]._metadata["1"] == {"version": 2}
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model.load_state_dict(state["model"])
    optimizer = ft.optim.AdamW(model.parameters())
    optimizer.load_state_dict(state["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.01
    again = through_file({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    for name, tensor in state["model"].items():
        assert again["model"][name].tolist() == tensor.tolist()
    assert again["model"]._metadata == state["model"]._metadata
    step = again["optimizer"]["state"][0]["exp_avg"]
    assert step.tolist() == state["optimizer"]["state"][0]["exp_avg"].tolist()


def test_a_module_of_pytorchs():
    with pytest.raises(pickle.UnpicklingError, match=r"torch\.nn\.modules\.linear\.Linear"):
        ft.load(GOLDEN / "module.pt")
    layer = ft.load(GOLDEN / "module.pt", weights_only=False)
    assert type(layer) is nn.Linear
    assert layer(ft.ones(1, 2)).shape == (1, 1)


def test_a_module_of_ours():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Dropout(0.5))
    loaded = through_file(model, weights_only=False)
    assert loaded[0].weight.tolist() == model[0].weight.tolist()
    stream = io.BytesIO()
    ft.save(nn.Linear(1, 1), stream)
    assert b"torch.nn.modules.linear\nLinear" in stream.getvalue()
    assert b"flambeau" not in stream.getvalue()


def test_objects_of_the_users():
    loaded = through_file(Recipe(ft.ones(2)), weights_only=False)
    assert type(loaded) is Recipe and loaded.tensor.tolist() == [1, 1]


def test_attributes_of_tensors():
    tensor, parameter = ft.ones(1), nn.Parameter(ft.ones(1))
    tensor.note, parameter.note = "one", [2]
    loaded = through_file([tensor, parameter])
    assert loaded[0].note == "one" and loaded[1].note == [2]
    assert type(loaded[1]) is nn.Parameter


def test_a_result_becomes_a_leaf():
    loaded = through_file(ft.ones(2, requires_grad=True) * 2)
    assert loaded.is_leaf and loaded.requires_grad and loaded.tolist() == [2, 2]


def test_storages():
    typed = ft.tensor([1, 2], dtype=ft.int16).storage()
    loaded = through_file([typed, typed.clone().untyped()])
    assert loaded[0].tolist() == [1, 2] and loaded[1].tolist() == [1, 0, 2, 0]
    assert isinstance(loaded[0], ft.ShortStorage)


def test_meta_tensors():
    loaded = through_file(ft.empty(2, 3, device="meta"))
    assert loaded.device.type == "meta" and loaded.shape == (2, 3)


class TestMapLocation:
    @pytest.mark.parametrize("where", ["cpu", ft.device("cpu"), {"cpu": "cpu"}, b"cpu", None])
    def test_cpu(self, where):
        assert through_file(ft.ones(2), map_location=where).tolist() == [1, 1]

    @pytest.mark.parametrize("where", ["meta", ft.device("meta"), {"cpu": "meta"}])
    def test_meta(self, where):
        loaded = through_file({"a": ft.ones(2, 3).t()}, map_location=where)["a"]
        assert loaded.device.type == "meta" and loaded.stride() == (1, 3)

    def test_a_function(self):
        seen = []
        loaded = through_file(ft.ones(2), map_location=lambda s, where: seen.append((s, where)))
        assert loaded.tolist() == [1, 1]
        assert seen[0][0].nbytes() == 8 and seen[0][1] == "cpu"
        changed = through_file(ft.ones(2), map_location=lambda s, where: s.fill_(0))
        assert changed.tolist() == [0, 0]

    @pytest.mark.parametrize("where", ["cuda", "cuda:1", {"cpu": "cuda:0"}, ft.device("cuda")])
    def test_cuda(self, where):
        with pytest.raises(RuntimeError, match=r"Attempting to deserialize object on a CUDA"):
            through_file(ft.ones(2), map_location=where)

    def test_nonsense(self):
        with pytest.raises(TypeError, match="map_location"):
            through_file(ft.ones(2), map_location=3)
        with pytest.raises(RuntimeError, match="tagged with moon"):
            through_file(ft.ones(2), map_location="moon")


class TestMemoryMap:
    def test_writing_does_not_reach_the_file(self, tmp_path):
        path = tmp_path / "a.pt"
        ft.save(ft.ones(100), path)
        before = path.read_bytes()
        loaded = ft.load(path, mmap=True)
        loaded += 1
        assert loaded.tolist() == [2] * 100
        assert path.read_bytes() == before

    def test_the_file_may_be_replaced_meanwhile(self, tmp_path):
        path = tmp_path / "a.pt"
        ft.save(ft.ones(1000), path)
        loaded = ft.load(path, mmap=True)
        ft.save(ft.zeros(1000), path)
        assert loaded.sum() == 1000 and ft.load(path).sum() == 0

    def test_records_start_at_multiples_of_64(self, tmp_path):
        path = tmp_path / "a.pt"
        ft.save([ft.ones(n) for n in (1, 17, 33)], path)
        for tensor in ft.load(path, mmap=True):
            assert tensor.data_ptr() % 64 == 0


class TestFiles:
    def test_paths(self, tmp_path):
        for path in (tmp_path / "a.b.pt", str(tmp_path / "é x"), tmp_path / ".hidden"):
            ft.save({"a": 1}, path)
            assert ft.load(path) == {"a": 1}

    def test_the_folder_inside_is_called_like_the_file(self, tmp_path):
        ft.save(1, tmp_path / "model.best.pt")
        assert b"model.best/data.pkl" in (tmp_path / "model.best.pt").read_bytes()

    def test_open_files(self, tmp_path):
        with open(tmp_path / "a", "wb") as stream:
            ft.save([1], stream)
        with open(tmp_path / "a", "rb") as stream:
            assert ft.load(stream) == [1]

    def test_an_archive_behind_other_bytes(self, tmp_path):
        with open(tmp_path / "a", "wb") as stream:
            stream.write(b"header")
            ft.save(ft.ones(3), stream)
        with open(tmp_path / "a", "rb") as stream:
            stream.seek(6)
            assert ft.load(stream).tolist() == [1, 1, 1]

    def test_a_writer_that_takes_a_little_at_a_time(self):
        class Slow:
            taken = b""

            def write(self, data):
                self.taken += bytes(data[:100])
                return min(len(data), 100)

        slow = Slow()
        ft.save(ft.ones(1000), slow)
        assert ft.load(io.BytesIO(slow.taken)).sum() == 1000

    def test_equal_contents_give_equal_files(self):
        first, second = io.BytesIO(), io.BytesIO()
        ft.save(values(ft), first)
        ft.save(values(ft), second)
        assert first.getvalue() == second.getvalue()

    def test_wrong_targets(self, tmp_path):
        with pytest.raises(RuntimeError, match="Parent directory .* does not exist"):
            ft.save(1, tmp_path / "nowhere" / "a.pt")
        with pytest.raises(RuntimeError, match="is a directory"):
            ft.save(1, tmp_path)
        with pytest.raises(AttributeError, match="'write' attribute"):
            ft.save(1, 3)
        ft.save(1, os.devnull)

    def test_other_pickle_modules(self):
        import types

        other = types.ModuleType("other")
        with pytest.raises(NotImplementedError, match="pickle module"):
            ft.save(1, io.BytesIO(), pickle_module=other)
        assert through_file(ft.ones(1), pickle_module=pickle).tolist() == [1]
