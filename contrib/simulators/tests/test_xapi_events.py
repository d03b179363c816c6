"""`event.from` tells what has changed since a token, and waits without being in the way; so does the older `event.next`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hvsdk_simulators.xapi import sessions
from hvsdk_simulators.xapi.pool import Pool
from wire_pool import Client, JsonClient, control, listening

_SOON = 30.0


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with listening() as pool:
        yield pool


@pytest.fixture(params=[Client, JsonClient], ids=["xml", "json"])
def client(request: Any, pool: Pool) -> Client:
    client: Client = request.param(pool)
    client.login()
    return client


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def _told(batch: Any) -> list[tuple[str, str, str]]:
    return [(event["class"], event["operation"], event["ref"]) for event in batch["events"]]


def _vm(client: Client) -> str:
    return next(str(ref) for ref, vm in client("VM.get_all_records").items() if vm["power_state"] == "Halted")


def _wait_until_it_waits(pool: Pool, call: Future[Any]) -> None:
    """Give a call time to begin to wait; it must not be over."""
    for _ in range(5):
        with pool.world.lock:
            assert not call.done()
        time.sleep(0.02)


def test_the_first_call_tells_everything_as_new(client: Client) -> None:
    batch = client("event.from", ["*"], "", 0.0)
    vms = {event["ref"] for event in batch["events"] if event["class"] == "vm"}
    assert vms == set(client("VM.get_all"))
    assert {event["operation"] for event in batch["events"]} == {"add"}
    assert int(batch["valid_ref_counts"]["vm"]) == len(vms)


def test_nothing_is_told_twice(client: Client) -> None:
    token = client("event.from", ["*"], "", 0.0)["token"]
    batch = client("event.from", ["*"], token, 0.0)
    assert batch["events"] == []
    assert batch["token"] >= token


def test_a_change_comes_with_the_record_as_it_is_now(client: Client) -> None:
    vm = _vm(client)
    token = client("event.from", ["VM"], "", 0.0)["token"]
    client("VM.set_name_description", vm, "one")
    client("VM.set_name_description", vm, "two")
    batch = client("event.from", ["VM"], token, 0.0)
    assert _told(batch) == [("vm", "mod", vm)]
    assert batch["events"][0]["snapshot"]["name_description"] == "two"
    assert batch["token"] > token


def test_new_and_removed_objects_are_told_and_short_lived_ones_are_not(client: Client) -> None:
    token = client("event.from", ["secret"], "", 0.0)["token"]
    kept = client("secret.create", {"value": "s", "other_config": {}})
    gone = client("secret.create", {"value": "s", "other_config": {}})
    client("secret.destroy", gone)
    batch = client("event.from", ["secret"], token, 0.0)
    assert _told(batch) == [("secret", "add", kept)]
    client("secret.destroy", kept)
    batch = client("event.from", ["secret"], batch["token"], 0.0)
    assert _told(batch) == [("secret", "del", kept)]
    assert "snapshot" not in batch["events"][0]


def test_only_what_was_asked_for_is_told(client: Client) -> None:
    vm = _vm(client)
    other = next(ref for ref in client("VM.get_all") if ref != vm)
    token = client("event.from", ["*"], "", 0.0)["token"]
    client("VM.set_name_description", vm, "x")
    client("VM.set_name_description", other, "x")
    client("VM.set_name_description", vm, "")
    client("VM.set_name_description", other, "")
    assert client("event.from", ["host"], token, 0.0)["events"] == []
    assert _told(client("event.from", [f"VM/{vm}"], token, 0.0)) == [("vm", "mod", vm)]
    assert {ref for _, _, ref in _told(client("event.from", ["host", "vM"], token, 0.0))} == {vm, other}


def test_what_follows_from_a_change_is_told_too(client: Client) -> None:
    vm = _vm(client)
    client("VM.get_record", vm)
    token = client("event.from", ["VM"], "", 0.0)["token"]
    client("VM.add_to_blocked_operations", vm, "start", "no")
    batch = client("event.from", ["VM"], token, 0.0)
    assert "start" not in batch["events"][0]["snapshot"]["allowed_operations"]
    client("VM.remove_from_blocked_operations", vm, "start")


def test_a_call_waits_for_a_change_and_others_are_answered_meanwhile(
    client: Client, pool: Pool, others: ThreadPoolExecutor
) -> None:
    vm = _vm(client)
    token = client("event.from", ["VM"], "", 0.0)["token"]
    waiting = others.submit(client, "event.from", ["VM"], token, 600.0)
    _wait_until_it_waits(pool, waiting)
    client("VM.set_name_description", vm, "now")
    assert _told(waiting.result(_SOON)) == [("vm", "mod", vm)]
    client("VM.set_name_description", vm, "")


def test_a_call_ends_without_events_when_its_time_is_over(client: Client) -> None:
    token = client("event.from", ["*"], "", 0.0)["token"]
    assert client("event.from", ["PVS_site"], token, 0.05)["events"] == []


def test_logging_out_ends_the_calls_that_wait(client: Client, pool: Pool, others: ThreadPoolExecutor) -> None:
    token = client("event.from", ["*"], "", 0.0)["token"]
    waiting = others.submit(client.refusal, "event.from", ["PVS_site"], token, 600.0)
    _wait_until_it_waits(pool, waiting)
    session = client.session
    client("session.logout")
    assert waiting.result(_SOON) == ["SESSION_INVALID", session]


def test_logins_and_what_sessions_do_are_no_events(client: Client, pool: Pool) -> None:
    token = client("event.from", ["*"], "", 0.0)["token"]
    other = Client(pool)
    other.login()
    other("session.logout")
    assert client("event.from", ["*"], token, 0.0)["events"] == []
    assert "session" not in client("event.from", [], "", 0.0)["valid_ref_counts"]


@pytest.mark.parametrize("token", ["no token", "1", "1,2,3", "-1,0", "1,x", "²,0"])
def test_tokens_that_were_not_given_out_are_refused(client: Client, token: str) -> None:
    assert client.refusal("event.from", ["*"], token, 0.0) == ["EVENT_FROM_TOKEN_PARSE_FAILURE", token]


@pytest.mark.parametrize("text", ["", "/", "vm/", "/OpaqueRef:x"])
def test_subscriptions_that_say_nothing_are_refused(client: Client, text: str) -> None:
    assert client.refusal("event.from", [text], "", 0.0) == ["EVENT_SUBSCRIPTION_PARSE_FAILURE", text]
    assert client.refusal("event.register", [text]) == ["EVENT_SUBSCRIPTION_PARSE_FAILURE", text]


def test_so_many_deletions_that_some_are_forgotten_lose_events(client: Client, pool: Pool) -> None:
    token = client("event.from", ["*"], "", 0.0)["token"]
    with pool.world.lock:
        for _ in range(5000):
            pool.world.db.delete(pool.world.db.create("secret"))
    assert client.refusal("event.from", ["*"], token, 0.0) == ["EVENTS_LOST"]
    assert client("event.from", ["*"], "", 0.0)["events"]


def test_losing_events_ends_a_call_that_waits(client: Client, pool: Pool, others: ThreadPoolExecutor) -> None:
    token = client("event.from", ["*"], "", 0.0)["token"]
    waiting = others.submit(client.refusal, "event.from", ["PVS_site"], token, 600.0)
    _wait_until_it_waits(pool, waiting)
    control(pool, "POST", "/actions/lose-events")
    assert waiting.result(_SOON) == ["EVENTS_LOST"]


def test_an_injected_event_has_a_token_older_than_the_call_that_tells_it(client: Client, pool: Pool) -> None:
    before = client("event.from", ["pool"], "", 0.0)["token"]
    injected = client("event.inject", "pool", pool.world.pool.ref)
    batch = client("event.from", ["pool"], before, 0.0)
    assert _told(batch) == [("pool", "mod", pool.world.pool.ref)]
    assert before <= injected < batch["token"]
    assert client.refusal("event.inject", "pool", "OpaqueRef:no") == ["HANDLE_INVALID", "pool", "OpaqueRef:no"]
    assert client.refusal("event.inject", "nothing", "OpaqueRef:no") == ["HANDLE_INVALID", "nothing", "OpaqueRef:no"]


def test_registered_sessions_hear_of_what_comes_after(client: Client, pool: Pool, others: ThreadPoolExecutor) -> None:
    vm = _vm(client)
    client("event.register", ["vm"])
    client("VM.set_name_description", vm, "heard")
    events = client("event.next")
    assert [(event["class"], event["operation"], event["ref"]) for event in events] == [("vm", "mod", vm)]
    assert events[0]["snapshot"]["name_description"] == "heard"
    waiting = others.submit(client, "event.next")
    _wait_until_it_waits(pool, waiting)
    client("VM.set_name_description", vm, "")
    assert [event["ref"] for event in waiting.result(_SOON)] == [vm]
    assert int(client("event.get_current_id")) > int(events[0]["id"])


def test_who_registers_late_hears_of_it_while_waiting(client: Client, pool: Pool, others: ThreadPoolExecutor) -> None:
    client("event.register", ["PVS_site"])
    waiting = others.submit(client, "event.next")
    _wait_until_it_waits(pool, waiting)
    client("event.register", ["secret"])
    made = client("secret.create", {"value": "s", "other_config": {}})
    assert [event["ref"] for event in waiting.result(_SOON)] == [made]
    client("secret.destroy", made)


def test_sessions_that_have_not_registered_are_told_so(client: Client) -> None:
    assert client.refusal("event.next") == ["SESSION_NOT_REGISTERED", client.session]
    client("event.unregister", ["vm"])
    assert client.refusal("event.next") == ["SESSION_NOT_REGISTERED", client.session]


def test_a_registered_session_that_lost_events_goes_on_after_hearing_so(client: Client, pool: Pool) -> None:
    client("event.register", ["secret"])
    control(pool, "POST", "/actions/lose-events")
    assert client.refusal("event.next") == ["EVENTS_LOST"]
    made = client("secret.create", {"value": "s", "other_config": {}})
    assert [event["ref"] for event in client("event.next")] == [made]
    client("secret.destroy", made)


def test_many_calls_may_wait_in_one_session(client: Client, pool: Pool) -> None:
    vm = _vm(client)
    token = client("event.from", ["VM"], "", 0.0)["token"]
    heard: list[Any] = []
    threads = [
        threading.Thread(target=lambda: heard.append(client("event.from", ["VM"], token, 600.0))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    client("VM.set_name_description", vm, "all")
    for thread in threads:
        thread.join(_SOON)
    assert [_told(batch) for batch in heard] == [[("vm", "mod", vm)]] * 8
    client("VM.set_name_description", vm, "")


def test_the_session_of_a_waiting_call_that_expires_is_invalid(
    client: Client, pool: Pool, others: ThreadPoolExecutor
) -> None:
    token = client("event.from", ["*"], "", 0.0)["token"]
    waiting = others.submit(client.refusal, "event.from", ["PVS_site"], token, 600.0)
    _wait_until_it_waits(pool, waiting)
    with pool.world.lock:
        sessions.end(pool.world, pool.world.db.get("session", client.session))
    assert waiting.result(_SOON) == ["SESSION_INVALID", client.session]
