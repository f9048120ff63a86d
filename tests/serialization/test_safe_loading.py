"""`weights_only=True` builds data, runs nothing, and says clearly what it refuses."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
from collections import Counter, OrderedDict

import pytest

import flambeau as ft
from flambeau import serialization
from flambeau._serialization.allow_list import allowed_globals
from flambeau._serialization.safe_unpickler import load_safely

ran = []


class Hostile:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


class Point:
    def __init__(self, x):
        self.x = x


def record(*arguments):
    ran.append(arguments)
    return arguments


def unpickle(data: bytes):
    return load_safely(data, allowed_globals(), lambda persistent_id: persistent_id)[0]


def saved(value) -> io.BytesIO:
    stream = io.BytesIO()
    ft.save(value, stream)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_data_in_every_protocol(protocol):
    data = {
        "numbers": [0, 1, -1, 255, 65536, 1 << 40, -(1 << 90), 1.5, float("inf"), 2j],
        "texts": ["", "é\n'", "\ud800", "x" * 300, "y" * 70_000],
        "bytes": [b"", b"\x00\xff", b"z" * 300, bytearray(b"ab")],
        "containers": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}, {1, 2}, {"a": {}}],
        "rest": [None, True, False],
        "ordered": OrderedDict([("b", 1), ("a", 2)]),
        "counter": Counter("hello"),
        "long": list(range(3000)),
    }
    assert unpickle(pickle.dumps(data, protocol)) == data


def test_aliases_and_cycles_stay():
    loop: list = []
    loop.append(loop)
    shared = [1]
    found = unpickle(pickle.dumps([loop, shared, shared]))
    assert found[0] is found[0][0] and found[1] is found[2]


def test_deep_nesting_is_no_recursion():
    found = unpickle(b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".")
    depth = 0
    while found:
        found, depth = found[0], depth + 1
    assert depth == 49_999


@pytest.mark.parametrize(
    "function, arguments",
    [
        (record, ("it ran",)),
        (os.system, ("echo",)),
        (eval, ("1",)),
        (getattr, ("", "join")),
        (subprocess.Popen, (["true"],)),
        (__import__, ("os",)),
        (range, (3,)),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_calls_are_refused(function, arguments, protocol):
    data = pickle.dumps([Hostile(function, *arguments)], protocol)
    with pytest.raises(pickle.UnpicklingError):
        unpickle(data)
    assert not ran


def test_the_message_says_what_and_how():
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed") as caught:
        ft.load(saved(Point(1)))
    assert f"GLOBAL {__name__}.Point was not an allowed global" in str(caught.value)
    assert "add_safe_globals" in str(caught.value) and "weights_only=False" in str(caught.value)


@pytest.mark.parametrize(
    "pickled",
    {
        "unknown class": b"cnothing.here\nThing\n.",
        "our own internals": b"cflambeau._install\ninstall_as_torch\n)R.",
        "attribute of an allowed name": b"ccollections\nOrderedDict.fromkeys\n.",
        "extension registry": b"\x82\x01.",
        "old instance": b"(ios\nsystem\n.",
        "persistent id as text": b"Psomething\n.",
        "out-of-band buffer": b"\x97.",
        "call of a dtype": b"ctorch\nfloat32\n)R.",
        "call of a storage class": b"ctorch\nFloatStorage\nK\x05\x85R.",
        "huge bytearray": b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
        "codec that unpacks": b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.",
        "new object of a builtin": b"c__builtin__\nset\n)\x81.",
        "state for a list": b"]}b.",
        "state that is no dictionary": b"ccollections\nOrderedDict\n)R]b.",
        "append to a tensor class": b"ctorch\nTensor\nK\x01a.",
        "item of a list": b"]K\x01K\x02s.",
        "unhashable key": b"}]K\x01s.",
        "odd items": b"}(K\x01u.",
        "unhashable in a set": b"\x8f(]\x90.",
        "empty stack": b".",
        "no mark": b"K\x01t.",
        "unknown memo": b"h\x09.",
        "short number": b"J\x01",
        "no stop": b"K\x01",
        "no instruction": b"",
        "text longer than the file": b"X\xff\xff\xff\x7fabc.",
        "bytes longer than any file": b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        "text that is not UTF-8": b"X\x01\x00\x00\x00\xff.",
        "line without an end": b"ctorch",
        "protocol of the future": b"\x80\x63N.",
        "rebuild without a tensor": b"ctorch._utils\n_rebuild_parameter\nK\x01\x88}\x87R.",
        "too few arguments": b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        "a foreign rebuilder": (
            b"ctorch._tensor\n_rebuild_from_type_v2\n(c__builtin__\nset\nctorch\nTensor\n)}tR."
        ),
    }.items(),
    ids=lambda item: item[0],
)
def test_malformed_and_hostile_pickles(pickled):
    name, data = pickled
    with pytest.raises((pickle.UnpicklingError, RuntimeError)):
        unpickle(b"\x80\x02" + data)


def test_a_memo_number_costs_no_memory():
    # Python's own machine would make a table of two billion entries
    assert unpickle(b"\x80\x02Nr\xff\xff\xff\x7f.") is None


@pytest.mark.parametrize("name", ["_array", "_grad_fn", "backward", "__class__", "data"])
def test_a_file_cannot_touch_the_engines_attributes(name):
    tensor = ft.ones(2)
    recipe = tensor.__reduce_ex__(2)
    from flambeau._utils import _rebuild_from_type_v2

    stream = saved(Hostile(_rebuild_from_type_v2, recipe[0], ft.Tensor, recipe[1], {name: 1}))
    with pytest.raises(pickle.UnpicklingError, match="cannot set the attribute"):
        ft.load(stream)


class TestAllowing:
    @pytest.fixture(autouse=True)
    def _restore(self):
        yield
        serialization.clear_safe_globals()

    def test_a_class(self):
        stream = saved({"point": Point(ft.ones(2))})
        serialization.add_safe_globals([Point])
        assert serialization.get_safe_globals() == [Point]
        assert ft.load(stream)["point"].x.tolist() == [1, 1]
        serialization.clear_safe_globals()
        stream.seek(0)
        with pytest.raises(pickle.UnpicklingError):
            ft.load(stream)

    def test_only_inside_the_block(self):
        stream = saved(Point(1))
        with serialization.safe_globals([Point]):
            assert ft.load(stream).x == 1
        assert serialization.get_safe_globals() == []
        stream.seek(0)
        with pytest.raises(pickle.UnpicklingError):
            ft.load(stream)

    def test_under_another_name(self):
        data = b"\x80\x02cold_package\nPoint\n)\x81}X\x01\x00\x00\x00xK\x07sb."
        serialization.add_safe_globals([(Point, "old_package.Point")])
        assert unpickle(data).x == 7

    def test_a_function(self):
        serialization.add_safe_globals([record])
        assert ft.load(saved(Hostile(record, 3))) == (3,)
        assert ran.pop() == (3,)

    def test_a_module_of_ours_by_pytorchs_name(self):
        from flambeau import nn

        layer = nn.Linear(2, 1)
        serialization.add_safe_globals([nn.Linear])
        loaded = ft.load(saved(layer))
        assert loaded.weight.tolist() == layer.weight.tolist()

    def test_never_the_operating_system(self):
        serialization.add_safe_globals([os.system, os.getcwd])
        for module in ("os", "posix"):
            with pytest.raises(pickle.UnpicklingError, match="blocked"):
                unpickle(b"\x80\x02c" + module.encode() + b"\ngetcwd\n)R.")

    def test_only_classes_and_functions(self):
        with pytest.raises(TypeError, match="classes and functions"):
            serialization.add_safe_globals([3])
        assert serialization.get_safe_globals() == []

    def test_listing_what_a_file_needs(self):
        stream = saved([Point(1), Hostile(record, 1), ft.ones(1)])
        needed = serialization.get_unsafe_globals_in_checkpoint(stream)
        assert needed == [f"{__name__}.Point", f"{__name__}.record"]
        assert not ran
