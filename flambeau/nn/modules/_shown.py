"""Modules whose printed form lists some of their attributes."""

from __future__ import annotations

from typing import Any

from flambeau.nn.modules.module import Module

__all__ = ["ShowsFields"]


class ShowsFields(Module):
    """Prints the attributes named in ``_shown``, then ``inplace=True`` if it is set.

    >>> nn.LeakyReLU(0.2, inplace=True)
    LeakyReLU(negative_slope=0.2, inplace=True)
    """

    _shown: tuple[str, ...] = ()
    inplace: bool = False

    def extra_repr(self) -> str:
        fields: list[tuple[str, Any]] = [(name, getattr(self, name)) for name in self._shown]
        if self.inplace and "inplace" not in self._shown:
            fields.append(("inplace", True))
        return ", ".join(f"{name}={value}" for name, value in fields)
