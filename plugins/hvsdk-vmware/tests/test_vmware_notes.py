"""Notes on errors of all kinds."""

from __future__ import annotations

import traceback

import pytest
from hvsdk.driver import errors
from pyVmomi import vim

from hvsdk_vmware._notes import add_note


@pytest.mark.parametrize(
    "exc", [vim.fault.NoPermission(), errors.BusyError("x"), OSError("x")], ids=lambda e: type(e).__name__
)
def test_tracebacks_show_the_notes_of_an_error(exc: Exception) -> None:
    add_note(exc, "first")
    add_note(exc, "second")
    shown = "".join(traceback.format_exception(exc))
    assert "hvsdk: first\nhvsdk: second" in shown
