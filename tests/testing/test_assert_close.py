"""`assert_close`: its verdicts, and torch's messages (copied from torch 2.13)."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau
from flambeau.testing import assert_close, make_tensor

T = flambeau.tensor
FAILURES = [
    (
        T([1.0, 2, 3]), T([1.0, 2, 4]),
        "Tensor-likes are not close!\n\nMismatched elements: 1 / 3 (33.3%)\nGreatest absolute "
        "difference: 1.0 at index (2,) (up to 1e-05 allowed)\nGreatest relative difference: 0.25 "
        "at index (2,) (up to 1.3e-06 allowed)",
    ),
    (
        T([1, 2]), T([1, 3]),
        "Tensor-likes are not equal!\n\nMismatched elements: 1 / 2 (50.0%)\nGreatest absolute "
        "difference: 1 at index (1,)\nGreatest relative difference: 0.3333333432674408 at index "
        "(1,)",
    ),
    (
        1.0, 2.0,
        "Scalars are not close!\n\nExpected 2.0 but got 1.0.\nAbsolute difference: 1.0 (up to "
        "1e-07 allowed)\nRelative difference: 0.5 (up to 1e-07 allowed)",
    ),
    (
        [[1, 2], [3]], [[1, 2], [4]],
        "Scalars are not equal!\n\nExpected 4 but got 3.\nAbsolute difference: 1\nRelative "
        "difference: 0.25\n\nThe failure occurred for item [1][0]",
    ),
    (1, 1.0, "The (d)types do not match: <class 'int'> != <class 'float'>."),
    (
        T([1.0]), T([1.0, 2.0]),
        "The values for attribute 'shape' do not match: torch.Size([1]) != torch.Size([2]).",
    ),
    (
        T([1.0]), T([1]),
        "The values for attribute 'dtype' do not match: torch.float32 != torch.int64.",
    ),
    (
        {"a": 1}, {"b": 1},
        "The keys of the mappings do not match:\nMissing keys in the actual mapping: ['b']\n"
        "Additional keys in the actual mapping: ['a']",
    ),
    ([1, 2], [1], "The length of the sequences mismatch: 2 != 1"),
    (True, False, "Booleans mismatch: True is not False"),
    (None, 1, "None mismatch: None is not 1"),
]  # fmt: skip


@pytest.mark.parametrize(("actual", "expected", "text"), FAILURES)
def test_the_message_is_torchs(actual, expected, text):
    with pytest.raises(AssertionError) as found:
        assert_close(actual, expected)
    assert str(found.value) == text


def test_what_is_close():
    assert_close(T([1.0]), T([1.0 + 1e-6]))
    assert_close(T([1.0]), T([1.1]), rtol=0.2, atol=0)
    assert_close(T([float("nan")]), T([float("nan")]), equal_nan=True)
    assert_close({"a": [T([1]), None]}, {"a": [T([1]), None]})
    assert_close(np.ones(2), np.ones(2))
    assert_close(T([1.0]), T([1]), check_dtype=False)
    assert_close(flambeau.ones(0), flambeau.ones(0))


def test_own_messages():
    with pytest.raises(AssertionError, match="^mine$"):
        assert_close(1, 2, msg="mine")
    with pytest.raises(AssertionError, match="^before: Scalars"):
        assert_close(1, 2, msg=lambda text: "before: " + text)


def test_wrong_calls():
    with pytest.raises(ValueError, match="got no atol"):
        assert_close(1, 1, rtol=1)
    with pytest.raises(TypeError, match="No comparison pair"):
        assert_close(T([1.0]), [1.0])


def test_make_tensor_draws_torchs_numbers():
    flambeau.manual_seed(0)
    found = make_tensor(3, dtype=flambeau.float32, device="cpu")
    assert_close(found, T([-0.06738138, 4.82799244, -7.40740633]))
    flambeau.manual_seed(0)
    assert make_tensor((2, 2), dtype=flambeau.int64, device="cpu").tolist() == [[6, -5], [-9, -9]]
    gaps = make_tensor(3, 4, dtype=flambeau.float32, device="cpu", noncontiguous=True)
    assert not gaps.is_contiguous() and gaps.shape == (3, 4)
    with pytest.raises(ValueError, match="must be less than"):
        make_tensor(3, dtype=flambeau.int8, device="cpu", low=5, high=2)
