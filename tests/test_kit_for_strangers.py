"""The kit in somebody else's package: strict markers, warnings as errors, random order, known failures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """
[pytest]
addopts = --strict-markers --strict-config
filterwarnings = error
xfail_strict = true
"""
MODULE = """
import hvsdk
import pytest
from hvsdk.testing import BackendConformance


@pytest.fixture(scope="module")
def shared():
    with hvsdk.connect("fake://acme") as host:
        yield host


class TestAcme(BackendConformance):
    known_failures = {known!r}
    {attributes}

    @pytest.fixture
    def host(self{needs}):
        {host}
"""


@pytest.fixture
def stranger(tmp_path: Path):
    (tmp_path / "pytest.ini").write_text(SETTINGS)

    def run(*arguments: str, known=(), attributes: str = "", needs: str = "", host: str = "") -> tuple[int, str]:
        host = host or 'return hvsdk.connect("fake://acme")'
        text = MODULE.format(known=dict(known), attributes=attributes, needs=needs, host=host)
        (tmp_path / "test_acme.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
        return done.returncode, done.stdout + done.stderr

    return run


def test_one_class_and_one_fixture_are_enough(stranger) -> None:
    code, shown = stranger("-k", "not nothing_happens and not told_twice")
    assert code == 0, shown
    assert "failed" not in shown
    assert "NOT CHECKED: no fixture round_trips" in shown


def test_a_known_failure_that_is_fixed_asks_to_be_removed(stranger) -> None:
    code, shown = stranger("-k", "reboot_keeps or disk_grows", known={"test_a_disk_grows": "fixed in 4.2"})
    assert code == 1
    assert "XPASS(strict)" in shown
    assert "fixed in 4.2" in shown


def test_a_known_failure_is_no_failure(stranger) -> None:
    host = 'h = hvsdk.connect("fake://acme?fault=resize_disk:INTERNAL_ERROR*9"); return h'
    known = {"test_a_disk_grows[SHUTOFF]": "acme 4.1", "test_a_disk_grows[RUNNING]": "acme 4.1"}
    code, shown = stranger("-k", "disk_grows", known=known, host=host)
    assert code == 0, shown
    assert "2 xfailed" in shown


def test_a_known_failure_must_name_a_test(stranger) -> None:
    code, shown = stranger("-k", "known_failures", known={"test_nothing_like_it": "typing error"})
    assert code == 1
    assert "test_nothing_like_it" in shown


def test_a_shared_host_is_left_open(stranger) -> None:
    select = "why_not_agrees_with_supports or closing or gets_another_name"
    code, shown = stranger("-k", select, attributes="shared_host = True", needs=", shared", host="return shared")
    assert code == 0, shown
    assert "no fixture spare_host" in shown


def test_a_shared_host_that_is_not_said_to_be_one_is_an_error(stranger) -> None:
    code, shown = stranger("-k", "why_not_agrees_with_supports", needs=", shared", host="return shared")
    assert code == 1
    assert "shared_host = True" in shown


def test_a_failure_shows_what_was_compared(stranger) -> None:
    attributes = (
        "\n    @pytest.fixture\n    def spec(self): return hvsdk.DomainSpec(name='kit', memory='1GiB', vcpus=3)"
    )
    host = 'return hvsdk.connect("fake://acme?fault=create_domain:INVALID_PARAMETER")'
    code, shown = stranger("-k", "sizes_are_bytes", attributes=attributes, host=host)
    assert code == 1
    assert "INVALID_PARAMETER" in shown
