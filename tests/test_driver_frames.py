"""Errors of a login show nothing of what it was given."""

from __future__ import annotations

import traceback

import pytest

from hvsdk.driver import without_frames

PASSWORD = "s3cret-w0rd"


def shown(exc: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(exc, capture_locals=True).format())


def test_an_error_without_frames_shows_no_variables_of_what_led_to_it() -> None:
    def fail(password: str) -> None:
        try:
            raise ValueError("first")
        except ValueError as exc:
            raise ConnectionResetError("second") from exc

    with pytest.raises(ConnectionResetError) as caught:
        fail(PASSWORD)
    assert PASSWORD in shown(caught.value)
    bare = without_frames(caught.value)
    assert bare is caught.value
    assert PASSWORD not in shown(bare)
    assert "first" in shown(bare)
