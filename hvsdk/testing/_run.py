"""One run of pytest with the kit, in this process, away from whatever project the working directory belongs to."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hvsdk.testing._command import Wishes
    from hvsdk.testing._matrix import Matrix

__all__ = ["run"]

KIT = "hvsdk.testing.conformance._against_url"


class _Plugin:
    """Carries the wishes to the kit, and its results to the matrix."""

    def __init__(self, wishes: Wishes, matrix: Matrix) -> None:
        self._wishes = wishes
        self._matrix = matrix

    @pytest.fixture
    def wishes(self) -> Wishes:
        """Return what the command line says."""
        return self._wishes

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one phase of one test."""
        self._matrix.count(report)


def run(wishes: Wishes, matrix: Matrix, only: str | None, *, verbose: bool) -> int:
    """Run the kit, and return pytest's exit code."""
    with tempfile.TemporaryDirectory(prefix="hvsdk-conformance-") as folder:
        settings = Path(folder) / "pytest.ini"
        settings.write_text("[pytest]\n")
        arguments = ["--pyargs", KIT, "-c", str(settings), "--rootdir", folder]
        arguments += ["-p", "no:cacheprovider", "-p", "no:randomly", "-q", "--tb=short", "--no-header"]
        arguments += ["-k", only] if only else []
        addopts = os.environ.pop("PYTEST_ADDOPTS", None)
        try:
            with contextlib.redirect_stdout(sys.stderr if verbose else io.StringIO()):
                return int(pytest.main(arguments, plugins=[_Plugin(wishes, matrix)]))
        finally:
            if addopts is not None:
                os.environ["PYTEST_ADDOPTS"] = addopts
