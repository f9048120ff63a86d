"""Primitives without operands have no gradients."""

from __future__ import annotations

from ..table import no_gradient

no_gradient("constant", "full", "arange")
