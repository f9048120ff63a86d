"""Generators: seeding, states, forking, copying."""

from __future__ import annotations

import copy
import pickle

import pytest

import flambeau as torch


def test_seeds_wrap_and_are_remembered() -> None:
    assert torch.manual_seed(-1).initial_seed() == 2**64 - 1
    assert torch.manual_seed(3.7).initial_seed() == 3
    assert torch.initial_seed() == 3
    assert torch.Generator().initial_seed() == 67280421310721
    assert torch.seed() == torch.initial_seed()
    for bad in (2**64, -(2**63) - 1):
        with pytest.raises(ValueError, match="Overflow"):
            torch.manual_seed(bad)
    with pytest.raises(RuntimeError, match="expected a long, but got float"):
        torch.Generator().manual_seed(1.5)


def test_only_the_low_32_bits_choose_the_words() -> None:
    a = torch.rand(4, generator=torch.Generator().manual_seed(7))
    b = torch.rand(4, generator=torch.Generator().manual_seed(7 + 2**32))
    assert a.tolist() == b.tolist()


def test_state_round_trip_at_every_block_position() -> None:
    generator = torch.Generator().manual_seed(1)
    for words in (0, 1, 622, 1, 624, 1247):
        torch.rand(words, generator=generator)
        state = generator.get_state()
        other = torch.Generator()
        other.set_state(state)
        assert other.get_state().tolist() == state.tolist()
        assert (
            torch.rand(3, generator=other).tolist()
            == torch.rand(3, generator=generator.clone_state()).tolist()
        )


def test_state_holds_the_spare_normal() -> None:
    torch.manual_seed(0)
    wanted = torch.randn(4).tolist()
    torch.manual_seed(0)
    first = torch.randn(1).tolist()
    state = torch.get_rng_state()
    torch.rand(10)
    torch.set_rng_state(state)
    assert first + torch.randn(3).tolist() == wanted


def test_bad_states() -> None:
    with pytest.raises(TypeError, match=r"expected a torch\.ByteTensor, but got list"):
        torch.set_rng_state([1])
    with pytest.raises(TypeError, match=r"must be a torch\.ByteTensor"):
        torch.set_rng_state(torch.zeros(5056))
    with pytest.raises(RuntimeError, match="size to be 10"):
        torch.set_rng_state(torch.zeros(10, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        torch.set_rng_state(torch.zeros(5056, dtype=torch.uint8))
    with pytest.raises(TypeError, match="generator"):
        torch.rand(2, generator=3)


def test_fork_rng_restores() -> None:
    torch.manual_seed(4)
    with torch.random.fork_rng():
        torch.manual_seed(9)
        torch.rand(5)
    after = torch.rand(3).tolist()
    torch.manual_seed(4)
    assert torch.rand(3).tolist() == after
    torch.manual_seed(4)
    with torch.random.fork_rng(enabled=False):
        torch.rand(3)
    assert torch.rand(3).tolist() != after


def test_generators_are_independent_and_copy_with_their_state() -> None:
    generator = torch.Generator().manual_seed(2)
    torch.rand(5, generator=generator)
    copies = [copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))]
    wanted = torch.rand(3, generator=generator).tolist()
    assert all(torch.rand(3, generator=c).tolist() == wanted for c in copies)
    assert generator.device == torch.device("cpu")
    with pytest.raises(RuntimeError):
        torch.Generator("meta")
