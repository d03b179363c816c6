"""A host that keeps failing is left alone; a credential that was refused is tried nowhere else."""

from __future__ import annotations

import threading
import time

import pytest

import hvsdk
from hvsdk import errors
from hvsdk._fleet import circuit as circuits
from hvsdk.testing.fake import control


class Logins:
    """Gives out a password, and counts for how many logins: it is asked for at each."""

    def __init__(self) -> None:
        self.password = "wrong"
        self.count = 0
        self._lock = threading.Lock()

    @hvsdk.hookimpl
    def hvsdk_credentials(self, target):
        with self._lock:
            self.count += 1
        return hvsdk.PasswordCredentials(password=self.password)


@pytest.fixture
def logins():
    plugin = Logins()
    hvsdk.register(plugin, "logins")
    yield plugin
    hvsdk.unregister(plugin)


def hosts(count: int, user: str = "root") -> dict[str, str]:
    return {f"h{n}": f"fake://{user}@h{n}?domains=1&login_password=right" for n in range(count)}


def test_after_two_refusals_no_other_host_sees_the_credential(logins):
    with hvsdk.Fleet(hosts(40)) as fleet:
        found = fleet.domains()
        assert logins.count == 2
        assert sorted(failure.kind for failure in found.failures) == ["Authentication"] * 2 + ["NotTried"] * 38
        again = fleet.domains()
        assert logins.count == 2
        assert {failure.kind for failure in again.failures} == {"NotTried"}
        assert not any(failure.tried for failure in again.failures)


def test_a_host_asked_by_itself_does_not_log_in_either(logins):
    with hvsdk.Fleet(hosts(3)) as fleet:
        fleet.domains()
        for name in fleet.names:
            with pytest.raises(errors.ConnectError):
                fleet.host(name).domains()
        assert logins.count == 2


def test_a_host_whose_login_hangs_keeps_no_other_from_its_own():
    hanging = {f"frozen{n}": f"fake://root@frozen{n}?fault=open:hang*99" for n in range(2)}
    well = {f"h{n}": {"url": f"fake://root@h{n}?domains=1", "deadline": 30} for n in range(5)}
    began = time.monotonic()
    with hvsdk.Fleet(hanging | well, deadline=0.5) as fleet:
        found = fleet.domains()
        assert time.monotonic() - began < 15  # not until the logins that hang come to their end, 30 s later
        assert sorted(found.answered) == sorted(well)
        assert {failure.host: failure.kind for failure in found.failures} == dict.fromkeys(hanging, "OperationTimeout")


def test_who_waits_for_others_to_log_in_loses_no_time():
    hanging = {f"frozen{n}": f"fake://root@frozen{n}?fault=open:hang*99" for n in range(2)}
    well = {f"h{n}": f"fake://root@h{n}?domains=1" for n in range(5)}
    began = time.monotonic()
    with hvsdk.Fleet(hanging | well, deadline=1.0) as fleet:
        assert sorted(fleet.domains().answered) == sorted(well)
        assert time.monotonic() - began < 15


def test_a_login_that_is_given_up_leaves_its_turn_to_others():
    with hvsdk.Fleet(
        {f"frozen{n}": {"url": f"fake://root@frozen{n}?fault=open:hang*99", "timeout": 0.3} for n in range(2)}
        | {"h": "fake://root@h?domains=1"}
    ) as fleet:
        for name in ("frozen0", "frozen1"):
            with pytest.raises(errors.OperationTimeoutError):
                fleet.host(name).domains()
        assert len(fleet.host("h").domains()) == 1


def test_who_gave_up_waiting_for_a_turn_does_not_log_in_when_it_comes():
    credential = circuits.CredentialCircuit("the password")
    go_on, logged_in = threading.Event(), []
    hanging = [
        threading.Thread(target=credential.through, args=(name, lambda: go_on.wait(20))) for name in ("first", "second")
    ]
    ended: list[BaseException] = []

    def third() -> None:
        try:
            credential.through("third", lambda: logged_in.append("third"))
        except errors.NotTriedError as error:
            ended.append(error)

    waiting = threading.Thread(target=third)
    for thread in (*hanging, waiting):
        thread.start()
        time.sleep(0.1)
    credential.give_up("third")
    waiting.join(10)
    go_on.set()
    for thread in hanging:
        thread.join(10)
    assert (len(ended), logged_in) == (1, [])
    credential.through("third", lambda: logged_in.append("third"))
    assert logged_in == ["third"]


def test_retry_lets_the_credential_be_tried_again(logins):
    with hvsdk.Fleet(hosts(5)) as fleet:
        fleet.domains()
        fleet.retry()
        fleet.domains()
        assert logins.count == 4


def test_another_credential_is_not_held_up(logins):
    other = {"ok": {"url": "fake://other@ok?domains=1&login_password=right", "password": "right"}}
    with hvsdk.Fleet(hosts(4) | other) as fleet:
        assert fleet.domains().answered == ("ok",)


def test_a_credential_that_one_host_takes_is_given_to_all_of_them(logins):
    logins.password = "right"
    with hvsdk.Fleet(hosts(20)) as fleet:
        assert len(fleet.domains().answered) == 20
        assert logins.count == 20


def test_a_password_that_expires_while_the_fleet_runs_is_tried_twice_at_most_from_then_on(logins):
    logins.password = "right"
    with hvsdk.Fleet(hosts(10), parallel=1) as fleet:
        fleet.domains()
        for name in fleet.names:
            control(fleet.host(name)).expire_sessions()
        logins.password, before = "wrong", logins.count
        found = fleet.domains()
        assert not found.answered
        assert logins.count - before == 2
        fleet.domains()
        assert logins.count - before == 2


def test_a_host_that_failed_three_times_in_a_row_is_left_alone_for_a_while():
    with hvsdk.Fleet({"dead": "fake://dead?fault=open:drop-before*999"}) as fleet:
        kinds = [fleet.domains().failures[0].kind for _ in range(5)]
        assert kinds == ["ConnectionLost"] * 3 + ["NotTried"] * 2
        error = fleet.domains().failures[0].error
        assert isinstance(error, errors.NotTriedError)
        assert error.retry_in is not None
        assert "3 times in a row" in str(error)
        fleet.retry("dead")
        assert fleet.domains().failures[0].tried


def test_a_host_that_answers_again_has_a_clean_slate(monkeypatch):
    monkeypatch.setattr(circuits, "FIRST_PAUSE", 0.0)
    with hvsdk.Fleet({"a": "fake://a?domains=1&fault=open:drop-before*6"}) as fleet:
        while fleet.domains().failures:
            pass
        assert fleet.domains().answered == ("a",)


def test_what_a_verb_refuses_does_not_count_against_the_host():
    def refuse(host):
        raise errors.UnsupportedError("no", capability="start")

    with hvsdk.Fleet({"a": "fake://a?domains=1"}) as fleet:
        for _ in range(5):
            assert [one.kind for one in fleet.run(refuse).failures] == ["Unsupported"]
        assert len(fleet.domains()) == 1
