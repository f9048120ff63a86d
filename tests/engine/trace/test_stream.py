"""Periods in the stream of events."""

from __future__ import annotations

import pytest

from flambeau._engine.trace.stream import Stream


def begins(events: str, mode: str = "auto", closing: str = "c") -> list[int]:
    """Where a period begins that is believed; events are letters."""
    stream, found = Stream(), []
    for at, event in enumerate(events):
        stream.note(ord(event), event in closing)
        if stream.comes_round(mode):
            found.append(at)
    return found


def test_a_period_begins_where_the_repetition_began():
    assert begins("xyz" + 10 * "abbbcd") == [45, 51, 57]


def test_what_came_before_may_be_alike():
    assert begins("bba" + 10 * "abbbcd") == [45, 51, 57]


def test_force_believes_sooner():
    assert begins(6 * "abbbcd", "force") == [18 + 6, 30]


def test_alike_layers_are_no_loop_while_a_history_is_open():
    assert begins(40 * "ab") == []
    assert begins("x" + 40 * "ab" + "c") == []


def test_another_way_ends_the_period():
    assert begins(10 * "abcd" + "abxd" + 3 * "abcd") == [36, 40]


def test_a_start_that_does_not_serve_is_moved():
    stream, found = Stream(), []
    for at, event in enumerate(12 * "abcd"):
        stream.note(ord(event), event == "c")
        if stream.comes_round("auto"):
            if event == "a":
                stream.later()
            else:
                found.append((at, event))
    assert found == [(37, "b"), (41, "b"), (45, "b")]


def test_a_stream_without_any_start_is_given_up():
    stream = Stream()
    for event in 40 * "abcd":
        stream.note(ord(event), event == "c")
        if stream.comes_round("auto"):
            stream.later()
    assert len(stream.signs) < 160


@pytest.mark.parametrize("events", [3000 * "c", "".join(map(chr, range(3000, 9000)))])
def test_memory_is_bounded(events):
    stream = Stream()
    for event in events:
        stream.note(ord(event), True)
    assert len(stream.signs) <= 4096
    assert len(stream.latest) <= 4096
