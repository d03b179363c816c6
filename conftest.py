"""The code blocks of README.md and docs/ are tests: those marked `python` run, from top to bottom of a page."""

import doctest

import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

DOCTEST = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=DOCTEST), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
    excludes=["contrib/*", "plugins/*"],
    fixtures=["terminal"],
).pytest()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables fit the terminal: let it be as wide as the pages are written for."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put a page's blocks in order again, after the others have been shuffled: each goes on from the one before."""
    pages = [item for item in items if isinstance(item, SybilItem)]
    others = [item for item in items if not isinstance(item, SybilItem)]
    items[:] = sorted(pages, key=lambda item: (str(item.path), item.example.line)) + others
