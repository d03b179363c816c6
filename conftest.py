"""The code blocks of README.md and docs/ are tests: those marked `python` run, from top to bottom of a page."""

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
    excludes=["contrib/*", "plugins/*"],
).pytest()
