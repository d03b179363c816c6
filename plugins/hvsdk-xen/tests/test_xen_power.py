"""Power verbs and labels, and what they cost."""

from __future__ import annotations

import threading

import pytest
from hvsdk.driver import PowerState, errors


def left(raw):
    """Names of the tasks that the pool still shows."""
    return [task["name_label"] for task in raw("task.get_all_records").values() if "VM." in task["name_label"]]


@pytest.mark.parametrize(
    ("verb", "state"),
    [("start", "shutoff"), ("resume", "suspended"), ("suspend", "running"), ("power_off", "running")],
)
def test_no_task_is_left_behind(domain, reach, raw, verb, state):
    reach(state)
    getattr(domain, verb)()
    assert left(raw) == []


@pytest.mark.parametrize("verb", ["pause", "power_off", "reset"])
def test_a_short_verb_is_one_call_of_the_product(domain, reach, pool, verb):
    reach("running")
    pool.reset_counts()
    getattr(domain, verb)()
    sent = pool.counts()
    assert [name for name in sent if name.startswith("Async.")] == []
    assert sum(n for name, n in sent.items() if name in ("VM.pause", "VM.hard_shutdown", "VM.hard_reboot")) == 1


def test_starting_a_suspended_domain_restores_its_memory(domain, reach, pool):
    reach("suspended")
    pool.reset_counts()
    domain.start()
    assert domain.power_state is PowerState.RUNNING
    assert pool.counts()["Async.VM.resume"] == 1


def test_shutdown_asks_the_guest_and_never_the_product(domain, reach, pool, raw):
    reach("running")
    pool.reset_counts()
    domain.shutdown(timeout=30)
    assert not {"VM.shutdown", "Async.VM.shutdown", "VM.hard_shutdown"} & set(pool.counts())
    assert left(raw) == []


def test_a_deaf_guest_is_asked_again_and_no_request_is_left(domain, reach, pool, raw):
    reach("running")
    pool.act("guest", vm=domain.native_id, obeys_shutdown=False)
    pool.reset_counts()
    with pytest.raises(errors.OperationTimeoutError):
        domain.shutdown(timeout=4)
    assert pool.counts()["Async.VM.clean_shutdown"] >= 2
    assert left(raw) == []
    ref = raw("VM.get_by_uuid", domain.native_id)
    assert raw("VM.get_current_operations", ref) == {}


def test_a_guest_without_tools_is_told_from_one_that_still_boots(domain, reach, pool):
    pool.act("guest", vm=domain.native_id, tools=False)
    reach("running")
    with pytest.raises(errors.GuestAgentError) as refused:
        domain.reboot(timeout=5)
    assert refused.value.not_yet, "it was started a moment ago"


def test_two_clients_that_write_metadata_lose_nothing(host, domain):
    other = host.domain(domain.native_id)
    writers = [
        threading.Thread(target=lambda d=d, n=n: [d.set_metadata({f"key.{n}.{i}": str(i)}) for i in range(8)])
        for n, d in enumerate((domain, other))
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = domain.refresh().metadata
    assert {f"key.{n}.{i}" for n in range(2) for i in range(8)} <= set(found)


def test_what_others_keep_in_other_config_is_left_alone(domain, raw):
    ref = raw("VM.get_by_uuid", domain.native_id)
    raw("VM.add_to_other_config", ref, "XenCenter.CustomFields.owner", "me")
    before = raw("VM.get_other_config", ref)
    domain.set_metadata({"team.owner": "us"})
    domain.set_metadata({"team.owner": "them"})
    domain.set_metadata({"team.owner": None})
    assert raw("VM.get_other_config", ref) == before


def test_a_new_key_costs_one_call(domain, pool):
    pool.reset_counts()
    domain.set_metadata({"team.owner": "us"})
    sent = pool.counts()
    assert {name: n for name, n in sent.items() if "other_config" in name} == {"VM.add_to_other_config": 1}


def test_autostart_switches_the_pools_own_switch_on(domain, raw):
    domain.set_autostart(True)
    (record,) = raw("pool.get_all_records").values()
    assert record["other_config"]["auto_poweron"] == "true"
    domain.set_autostart(False)
    (record,) = raw("pool.get_all_records").values()
    assert record["other_config"]["auto_poweron"] == "true", "others may rely on it"
