"""The way in which memory is shared. There is one: descriptors of nameless files."""

from __future__ import annotations

_STRATEGIES = {"file_descriptor"}


def get_all_sharing_strategies() -> set[str]:
    """The names of the strategies: "file_descriptor" only."""
    return set(_STRATEGIES)


def get_sharing_strategy() -> str:
    """The strategy in use."""
    return "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """Choose the strategy.

    Raises:
        AssertionError: not one of `get_all_sharing_strategies()`.
    """
    if new_strategy not in _STRATEGIES:
        raise AssertionError(
            f"invalid sharing strategy {new_strategy!r}, expected one of {_STRATEGIES}"
        )
