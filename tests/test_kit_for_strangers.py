"""The kit in somebody else's package: strict markers, warnings as errors, random order, known failures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hvsdk.enums import PowerState
from hvsdk.models import DomainInfo
from hvsdk.testing.conformance._helpers import check_loaded

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
    assert "remove its entry from known_failures" in shown


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


@pytest.mark.parametrize(
    ("fixture", "value", "select", "said"),
    [
        ("spec", "{'name': 'kit'}", "sizes_are_bytes", "spec must return an hvsdk.DomainSpec, not dict"),
        ("round_trips", "5", "costs_the_same", "round_trips must return a function () -> int"),
        ("secrets", "'hunter2'", "secret", "secrets must return a tuple of texts, not str"),
    ],
)
def test_a_fixture_that_returns_something_else_is_named(stranger, fixture, value, select, said) -> None:
    attributes = f"\n    @pytest.fixture\n    def {fixture}(self): return {value}"
    code, shown = stranger("-k", select, attributes=attributes)
    assert code == 1
    assert said in shown


def test_a_host_that_is_none_is_named(stranger) -> None:
    code, shown = stranger("-k", "why_not_agrees_with_supports", host='return "fake://acme"')
    assert code == 1
    assert "the fixture host must return an hvsdk.Host, as hvsdk.connect returns it, not str" in shown


def test_a_host_that_cannot_be_opened_is_told_a_few_times_and_not_once_for_each_test(stranger) -> None:
    code, shown = stranger("-k", "Records or clone or delete or why_not", host='return hvsdk.connect("fake://a?b=1")')
    assert code == 1
    assert "3 errors" in shown
    assert "the fixture host failed 3 times in a row: the first errors say why" in shown


def test_a_fixture_with_a_slip_in_its_name_fails_one_test(stranger) -> None:
    attributes = "\n    @pytest.fixture\n    def round_trip(self): return lambda: 0"
    code, shown = stranger("-k", "fixtures_are_spelt or why_not_agrees", attributes=attributes)
    assert code == 1
    assert "round_trip: did you mean round_trips?" in shown
    assert "1 failed" in shown


def test_a_helper_beside_the_fixture_is_no_slip(stranger) -> None:
    attributes = "\n    secret = 'hunter2'\n    @pytest.fixture\n    def secrets(self): return (self.secret,)"
    code, shown = stranger("-k", "fixtures_are_spelt", attributes=attributes)
    assert code == 0, shown


def test_a_record_with_part_of_a_group_says_what_is_missing() -> None:
    whole = DomainInfo(
        **dict.fromkeys(["native_id", "name"], "x"),
        power_state=PowerState.SHUTOFF,
        **dict.fromkeys(["disks", "nics", "tags"], ()),
        notes="",
    )
    with pytest.raises(AssertionError, match="record of 'x' has part of group config; missing: folder, max_vcpus, "):
        check_loaded(whole, "config")
    with pytest.raises(AssertionError, match="has nothing of group guest; missing: addresses"):
        check_loaded(whole, "guest")
