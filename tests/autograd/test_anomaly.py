"""Anomaly mode names the user's line of the forward pass, and only while it is on."""

from __future__ import annotations

import warnings

import pytest

import flambeau


def _line_of(marker: str) -> str:
    with open(__file__, encoding="utf-8") as source:
        number = next(i for i, line in enumerate(source, 1) if marker in line and "def" not in line)
    return f"line {number},"


def test_nan_is_traced_to_the_line_that_made_it():
    x = flambeau.zeros(2, requires_grad=True)
    with flambeau.autograd.detect_anomaly():
        y = x * 1
        z = flambeau.sqrt(y)  # the guilty call
        loss = (z * 0).sum()
        with (
            pytest.warns(UserWarning, match="Error detected in SqrtBackward0") as caught,
            pytest.raises(RuntimeError, match="'SqrtBackward0' returned nan values in its 0th"),
        ):
            loss.backward()
    text = str(caught[0].message)
    assert _line_of("# the guilty call") in text
    assert "flambeau/_engine" not in text


def test_an_error_in_backward_is_traced_too():
    class Broken(flambeau.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ValueError("broken")

    x = flambeau.ones(2, requires_grad=True)
    with flambeau.autograd.set_detect_anomaly(True):
        y = Broken.apply(x).sum()  # the broken call
        with (
            pytest.warns(UserWarning, match="BrokenBackward") as caught,
            pytest.raises(ValueError, match="broken"),
        ):
            y.backward()
    assert _line_of("# the broken call") in str(caught[0].message)
    assert not flambeau.is_anomaly_enabled()


def test_nothing_is_said_of_graphs_made_before_or_without_check_nan():
    x = flambeau.zeros(2, requires_grad=True)
    loss = (flambeau.sqrt(x) * 0).sum()
    with (
        flambeau.autograd.detect_anomaly(),
        pytest.warns(UserWarning, match="No forward pass information available"),
        pytest.raises(RuntimeError, match="nan"),
    ):
        loss.backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with flambeau.autograd.detect_anomaly(check_nan=False):
            (flambeau.sqrt(x) * 0).sum().backward()
