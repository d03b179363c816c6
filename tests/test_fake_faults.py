"""Faults and latency on demand, and what the core makes of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

import hvsdk
from hvsdk import errors
from hvsdk.driver import Deadline, Operation
from hvsdk.testing.fake import control
from hvsdk.testing.fake._control import FakeControl
from hvsdk.testing.fake._driver import FakeDriver
from hvsdk.testing.fake._errors import CODES, FakeError


@pytest.fixture
def host() -> Iterator[hvsdk.Host]:
    with hvsdk.connect("fake://demo", timeout=5.0) as host:
        yield host


@pytest.fixture
def fake(host) -> FakeControl:
    return control(host)


@pytest.fixture
def web(host) -> hvsdk.Domain:
    return host.domain("web-1")


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_one_of_our_errors(code):
    error = FakeDriver.translate(FakeError(code, "message"), Operation(id="1", verb="start"))
    assert type(error) is CODES[code]
    assert error.native_code == code


def test_an_unknown_code_is_a_failed_operation(fake, web):
    fake.fail("pause", "SOMETHING_NEW")
    with pytest.raises(errors.OperationFailedError) as caught:
        web.pause()
    assert caught.value.native_code == "SOMETHING_NEW"


def test_a_bug_is_not_translated():
    assert FakeDriver.translate(ValueError("bug"), Operation(id="1", verb="start")) is None


def test_a_read_is_repeated_once_after_a_lost_connection(host, fake):
    fake.fail("list_domains", "drop-before")
    assert len(host.domains()) == 10
    fake.fail("list_domains", "drop-before", times=2)
    with pytest.raises(errors.ConnectionLostError):
        host.domains()


def test_the_world_survives_its_connection(fake, web):
    web.power_off()
    fake.drop_connections()
    assert web.refresh().power_state == "shutoff"
    assert fake.logins == 2


def test_a_world_that_is_not_durable_ends_with_its_connection():
    with hvsdk.connect("fake://demo?durable=0") as host:
        control(host).fail("list_domains", "drop-before")
        with pytest.raises(errors.ConnectionLostError):
            host.domains()
        with pytest.raises(errors.ConnectionLostError, match="ended with its connection"):
            host.domains()


def test_a_change_that_was_carried_out_is_found_done_after_the_connection_broke(fake, web):
    fake.fail("pause", "drop-after")
    web.pause()
    assert web.power_state == "paused"
    assert fake.calls["pause"] == 1


def test_a_change_whose_call_was_lost_is_not_repeated(fake, web):
    fake.fail("pause", "drop-before")
    with pytest.raises(errors.OutcomeUnknownError) as caught:
        web.pause()
    assert caught.value.last_seen == "running"
    assert fake.calls["pause"] == 1


def test_an_expired_session_is_renewed_and_the_call_repeated(host, fake, web):
    fake.expire_sessions()
    web.pause()
    fake.fail("unpause", "expired-session")
    web.unpause()
    assert fake.calls["unpause"] == 2
    assert fake.logins == 3
    assert fake.open_sessions == 1


def test_a_refused_login_is_an_authentication_error():
    with pytest.raises(errors.AuthenticationError):
        hvsdk.connect("fake://demo?fault=open:refused-login")


def test_a_password_can_be_demanded():
    with hvsdk.connect("fake://root@demo", password="right", login_password="right") as host:
        assert len(host.domains()) == 10
        assert "right" not in repr(host) + host.url
    with pytest.raises(errors.AuthenticationError) as caught:
        hvsdk.connect("fake://root@demo", password="wrong", login_password="right")
    assert "right" not in str(caught.value)
    assert "wrong" not in str(caught.value)


def test_a_trickling_answer_ends_at_the_time_limit():
    with hvsdk.connect("fake://demo", timeout=0.3) as host:
        control(host).fail("list_domains", "trickle")
        with pytest.raises(errors.OperationTimeoutError):
            host.domains()
        assert len(host.domains()) == 10


@pytest.mark.parametrize("kind", ["hang", "hang-after"])
def test_a_hanging_change_has_an_unknown_outcome_unless_the_goal_is_seen(kind):
    with hvsdk.connect("fake://demo", timeout=0.3) as host:
        fake, web = control(host), host.domain("web-1")
        fake.fail("pause", kind)
        try:
            if kind == "hang":
                with pytest.raises(errors.OutcomeUnknownError):
                    web.pause()
            else:
                web.pause()
        finally:
            fake.release()
        assert (web.refresh().power_state == "paused") is (kind == "hang-after")


def test_a_hanging_call_does_not_keep_the_interpreter_from_ending():
    program = """
import hvsdk
host = hvsdk.connect("fake://demo?fault=list_domains:hang*9", timeout=0.2)
try:
    host.domains()
except hvsdk.errors.HvsdkError as exc:
    print(type(exc).__name__)
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert answer.stdout.strip() == "OperationTimeoutError"
    assert answer.returncode == 0


def test_a_slow_call_within_the_limit_is_just_slow(fake, web):
    fake.fail("pause", "slow", seconds=0.05)
    web.pause()
    assert web.power_state == "paused"


def test_a_fault_can_concern_one_domain_and_a_later_call(host, fake, web):
    other = host.domain("build-1")
    fake.fail("pause", "INTERNAL_ERROR", after=1, domain=web)
    other.pause()
    web.pause()
    web.unpause()
    with pytest.raises(errors.OperationFailedError):
        web.pause()


def test_faults_can_stand_in_the_url():
    with hvsdk.connect("fake://demo?fault=pause:drop-after,reset:NO_MEMORY*2") as host:
        web = host.domain("web-1")
        web.pause()
        web.unpause()
        for _ in range(2):
            with pytest.raises(errors.InsufficientResourcesError):
                web.reset()
        web.reset()


def test_heal_takes_all_faults_back(host, fake):
    fake.fail("*", "INTERNAL_ERROR", times=100)
    fake.heal()
    assert len(host.domains()) == 10


def test_a_host_that_is_down_comes_back(host, fake, web):
    fake.go_down()
    with pytest.raises(errors.ConnectError):
        host.domains()
    fake.come_back()
    assert web.refresh().power_state == "running"


def test_latency_beyond_the_deadline_loses_the_connection():
    driver = FakeDriver(hvsdk.driver.Target(url="fake://x", scheme="fake", hostname="x", options={"latency": "10s"}))
    with pytest.raises(FakeError) as caught:
        driver.open(deadline=Deadline(0.05))
    assert caught.value.code == "CONNECTION_LOST"


def test_closing_ends_the_session(host, fake):
    assert fake.open_sessions == 1
    host.close()
    assert fake.open_sessions == 0


def test_calls_are_counted_by_method(host, fake):
    fake.reset_counts()
    host.domains()
    host.domains(full=True)
    assert fake.calls == {"list_domains": 2}
    assert fake.round_trips() == 2


def test_a_fault_of_an_unknown_verb_is_refused_with_the_known_ones(fake):
    with pytest.raises(errors.InvalidSpecError, match=r"'puase'.*list_domains, .*pause, .*\* for any"):
        fake.fail("puase", "NO_MEMORY")
    with pytest.raises(errors.InvalidSpecError, match="'puase'"), hvsdk.connect("fake://demo?fault=puase:drop-after"):
        pass


@pytest.mark.parametrize("verb", ["start", "resume", "open", "poll", "zero", "*"])
def test_a_fault_can_hit_whatever_goes_to_the_world(fake, verb):
    fake.fail(verb, "NO_MEMORY")


@pytest.mark.parametrize("limit", ["timeout", "deadline"])
def test_an_opening_that_is_late_names_the_limit_that_ran_out(limit):
    other = "deadline" if limit == "timeout" else "timeout"
    with pytest.raises(errors.OperationTimeoutError) as caught:
        hvsdk.connect("fake://demo?latency=30s", **{limit: 0.05, other: 20.0})
    assert f"{limit}= of connect is what ran out" in str(caught.value)
    assert other not in str(caught.value)


def test_a_verb_that_is_late_names_the_limit_that_ran_out(host, fake, web):
    with pytest.raises(errors.OperationTimeoutError, match=r"no time was left for pause of domain 'web-1'") as caught:
        web.pause(timeout=0)
    assert "timeout= of pause" in str(caught.value)
    fake.fail("pause", "hang")
    with pytest.raises(errors.OutcomeUnknownError) as unknown:
        web.pause(timeout=0.1)
    assert "timeout= of pause" in str(unknown.value.__cause__)
    fake.heal()


def test_the_deadline_of_the_connection_is_named_where_it_comes_first():
    with hvsdk.connect("fake://demo", deadline=0.1) as host:
        control(host).fail("list_domains", "hang")
        with pytest.raises(errors.OperationTimeoutError, match="deadline= of connect"):
            host.domains()
        control(host).heal()
