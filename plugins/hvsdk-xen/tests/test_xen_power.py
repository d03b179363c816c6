"""Power verbs and labels, and what they cost."""

from __future__ import annotations

import threading

import pytest
from hvsdk.driver import PowerState, errors
from xen_support import Raw, connect, eventually


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
    assert repr(domain.name) in refused.value.message
    assert "reset()" in refused.value.hint


def test_a_guest_without_tools_is_not_shut_down_but_may_be_cut(domain, reach, pool):
    pool.act("guest", vm=domain.native_id, tools=False)
    reach("running")
    with pytest.raises(errors.GuestAgentError) as refused:
        domain.shutdown(timeout=3)
    assert "then='power_off'" in refused.value.hint
    domain.shutdown(timeout=3, then="power_off")
    assert domain.power_state is PowerState.SHUTOFF


def test_a_start_without_room_names_the_domain_and_its_size(create, make_vm, host, raw):
    ref = raw("VM.get_by_uuid", uuid := make_vm())
    raw("VM.set_memory_limits", ref, 900 << 30, 900 << 30, 900 << 30, 900 << 30)
    domain = host.domain(uuid)
    with pytest.raises(errors.InsufficientResourcesError) as refused:
        domain.start()
    assert repr(domain.name) in refused.value.message
    assert "921,600 MiB" in refused.value.message


@pytest.fixture
def lost(make_pool):
    """A domain whose node has lost its power, and what waits until the pool has noticed it."""
    pool = make_pool(hosts=2)
    with Raw(pool) as client, connect(pool) as host:
        uuid = client.make_vm("xen-lost")
        there = client("host.get_by_uuid", node := pool.members[1]["uuid"])
        client("VM.start_on", client("VM.get_by_uuid", uuid), there, False, False)
        eventually(
            lambda: client.refused("VM.assert_operation_valid", client("VM.get_by_uuid", uuid), "suspend") is None
        )
        domain = host.domain(uuid)
        pool.act("kill-host", host=node)
        yield domain, lambda: eventually(lambda: not client.is_heard(node))


LOST = {
    "pause": lambda domain: domain.pause(),
    "suspend": lambda domain: domain.suspend(),
    "reboot": lambda domain: domain.reboot(),
    "reset": lambda domain: domain.reset(),
    "power_off": lambda domain: domain.power_off(),
    "shutdown": lambda domain: domain.shutdown(timeout=3),
    "migrate": lambda domain: domain.migrate(node=domain.host.nodes()[0]),
}


def test_no_verb_succeeds_or_is_doubtful_on_a_node_that_is_dead(lost):
    """Right after the end and when the pool has noticed it: the master said no, so nothing was done."""
    domain, noticed = lost
    native = domain.host.native()
    for verb, call in LOST.items():
        with pytest.raises((errors.PowerStateError, errors.OperationFailedError, errors.UnsupportedError)) as refused:
            call(domain)
        assert "OpaqueRef" not in str(refused.value), verb
    assert noticed()
    for verb, call in LOST.items():
        with pytest.raises((errors.PowerStateError, errors.UnsupportedError)) as refused:
            call(domain)
        assert "unknown" in str(refused.value) or verb == "migrate", verb
    assert domain.refresh().power_state is PowerState.UNKNOWN
    assert native.xenapi.pool.get_all(), "the session goes on"


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
