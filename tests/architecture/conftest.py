"""What the tests of the source have parsed is let go: it would slow every later collection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import source


@pytest.fixture(scope="package", autouse=True)
def _nothing_is_kept() -> Iterator[None]:
    yield
    source.tree.cache_clear()
    source.imports.cache_clear()
