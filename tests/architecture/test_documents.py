"""What the documents name exists."""

from __future__ import annotations

import re

import pytest

from .source import PACKAGE, ROOT

PAGES = ["README.md", "docs/design.md", "docs/repomap.md", "docs/environment.md"]
# A path in backticks that begins at the repository's root.
PATH = re.compile(r"`((?:flambeau|tests|docs|benchmarks|examples|\.ci)/[\w./*-]*)`")


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_the_documents_exist(page):
    named = PATH.findall((ROOT / page).read_text())
    assert [path for path in named if not list(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_between_the_documents_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text())
    folder = (ROOT / page).parent
    assert [link for link in links if not (folder / link).exists()] == []


def test_the_map_names_every_room_of_the_package():
    text = (ROOT / "docs" / "repomap.md").read_text()
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    rooms -= {"_engine", "_stand_in"}  # named by their parts, and by _install.py
    assert [room for room in sorted(rooms) if f"flambeau/{room}" not in text] == []


def test_the_table_of_environment_variables_is_complete():
    text = (ROOT / "docs" / "environment.md").read_text()
    config = (PACKAGE / "_engine" / "base" / "config.py").read_text()
    read = set(re.findall(r'"([A-Z_]{4,})"', config))
    assert read
    assert [name for name in sorted(read) if name not in text] == []
    assert set(re.findall(r"^\| `(FLAMBEAU_\w+)`", text, re.MULTILINE)) <= read
