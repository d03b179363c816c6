"""What breaks while something is being changed: the right error or none, and never a second execution."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import hvsdk
import pytest
from hvsdk.driver import PowerState, errors
from xen_support import NULL, Raw, connect, eventually, sessions

VERBS: dict[str, tuple[str, str, Callable[[hvsdk.Domain], Any]]] = {
    "start": ("shutoff", "Async.VM.start", lambda domain: domain.start()),
    "resume": ("suspended", "Async.VM.resume", lambda domain: domain.resume()),
    "suspend": ("running", "Async.VM.suspend", lambda domain: domain.suspend()),
    "reboot": ("running", "Async.VM.clean_reboot", lambda domain: domain.reboot()),
    "reset": ("running", "VM.hard_reboot", lambda domain: domain.reset()),
    "power_off": ("running", "VM.hard_shutdown", lambda domain: domain.power_off()),
    "pause": ("running", "VM.pause", lambda domain: domain.pause()),
    "unpause": ("paused", "VM.unpause", lambda domain: domain.unpause()),
    "rename": ("shutoff", "VM.set_name_label", lambda domain: domain.rename("xen-test-renamed")),
    "set_notes": ("shutoff", "VM.set_name_description", lambda domain: domain.set_notes("n")),
    "set_tags": ("shutoff", "VM.set_tags", lambda domain: domain.set_tags({"t"})),
    "set_metadata": ("shutoff", "VM.add_to_other_config", lambda domain: domain.set_metadata({"team.owner": "me"})),
    "set_autostart": ("shutoff", "VM.add_to_other_config", lambda domain: domain.set_autostart(True)),
    "fence": ("shutoff", "VM.set_blocked_operations", lambda domain: domain.fence("moved")),
    "snapshot": ("shutoff", "Async.VM.snapshot", lambda domain: domain.create_snapshot("one")),
    "checkpoint": ("running", "Async.VM.checkpoint", lambda domain: domain.create_snapshot("one", memory=True)),
    "clone": ("shutoff", "Async.VM.copy", lambda domain: domain.clone("xen-test-copy")),
    "clone_linked": ("shutoff", "Async.VM.clone", lambda domain: domain.clone("xen-test-copy", linked=True)),
    "migrate": ("running", "Async.VM.pool_migrate", lambda domain: domain.migrate(node=_elsewhere(domain))),
}


def _elsewhere(domain: hvsdk.Domain) -> str:
    return next(node.name for node in domain.host.nodes() if node.name != domain.node and node.state == "up")


def orphans(raw: Raw) -> set[str]:
    """Return the disks that no record shows: of no drive, and no domain's saved memory."""
    saved = {vm["suspend_VDI"] for vm in raw("VM.get_all_records").values()} - {NULL}
    vdis = raw("VDI.get_all_records")
    shown = {ref for ref, vdi in vdis.items() if vdi["VBDs"] or not vdi["managed"]} | saved
    return {ref for ref, vdi in vdis.items() if ref not in shown and vdi["type"] in ("user", "suspend")}


@pytest.fixture
def tidy(pool, raw, domain):
    """Removes the copies that a test made, and checks that nothing is left that nobody shows."""
    before = orphans(raw)
    yield
    for ref in raw("VM.get_by_name_label", "xen-test-copy"):
        raw.remove_vm(raw("VM.get_uuid", ref))
    assert eventually(lambda: orphans(raw) <= before, 10)
    assert eventually(lambda: not [task for task in pool.tasks() if "VM." in task["name"]], 10)


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("fault", ["drop-before", "drop-after", "half-answer"])
@pytest.mark.parametrize("verb", sorted(VERBS))
def test_no_verb_is_carried_out_twice_when_its_connection_breaks(pool, domain, reach, verb, fault):
    state, method, call = VERBS[verb]
    reach(state)
    pool.fault(f"{method}:{fault}:1")
    pool.reset_counts()
    try:
        call(domain)
    except errors.OutcomeUnknownError:
        assert fault == "drop-before" or not method.startswith("Async."), "the task tells that it was carried out"
    except errors.OperationFailedError:
        assert (verb.partition("_")[0], fault) == ("clone", "drop-before"), "nothing was made, which was looked for"
    assert pool.counts()[method] == 1


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_verb_whose_session_had_expired_is_carried_out_then(pool, domain, reach, verb):
    state, method, call = VERBS[verb]
    reach(state)
    pool.fault(f"{method}:session-expired:1")
    pool.reset_counts()
    call(domain)
    assert pool.counts()[method] == 2, "once in vain, as the server says"


@pytest.mark.parametrize("verb", ["start", "pause", "reset", "rename", "snapshot", "clone", "migrate"])
def test_a_master_that_moves_during_a_verb_is_no_reason_to_begin_again(make_pool, verb):
    """The former master cuts its connections: no client can know what it did last."""
    state, method, call = VERBS[verb]
    pool = make_pool(hosts=3)
    with Raw(pool) as raw:
        uuid = raw.make_vm("xen-test")
        raw.reach(uuid, state)
    with connect(pool) as host:
        domain = host.domain(uuid)
        pool.fault(f"{method}:master-change:1")
        pool.reset_counts()
        with contextlib.suppress(errors.OutcomeUnknownError, errors.OperationFailedError):
            call(domain)
        assert pool.counts()[method] <= 2
        assert domain.refresh().uuid == uuid, "the new master is followed"
    assert pool.sessions() == []


@pytest.mark.parametrize("method", ["VM.get_all_records", "VBD.get_all_records", "host.get_all_records"])
@pytest.mark.parametrize("rpc", ["json", "xml"])
def test_a_master_that_moves_during_a_listing_is_followed(make_pool, rpc, method):
    pool = make_pool(hosts=3)
    with connect(pool, rpc=rpc) as host:
        names = {domain.name for domain in host.domains(include=["config"])}
        pool.fault(f"{method}:master-change:1")
        assert {domain.name for domain in host.domains(include=["config"])} == names
        assert len({node.name for node in host.nodes()}) == 3
    assert pool.sessions() == []


@pytest.mark.parametrize("verb", ["start", "suspend", "snapshot", "migrate"])
@pytest.mark.usefixtures("tidy")
def test_a_task_that_vanishes_is_no_reason_to_begin_again(pool, domain, reach, verb):
    state, method, call = VERBS[verb]
    reach(state)
    pool.fault(f"{method}:task-vanish:1")
    pool.reset_counts()
    with contextlib.suppress(errors.OutcomeUnknownError):
        call(domain)
    assert pool.counts()[method] == 1


def test_a_verb_whose_answer_is_late_is_not_repeated(pool, domain, raw):
    pool.fault("VM.hard_shutdown:slow=3:1")
    raw.reach(domain.native_id, "running")
    with connect(pool, timeout=1.0) as host:
        pool.reset_counts()
        other = host.domain(domain.native_id)
        with pytest.raises(errors.OutcomeUnknownError):
            other.power_off(timeout=1.5)
        assert pool.counts()["VM.hard_shutdown"] == 1


@pytest.mark.usefixtures("tidy")
def test_a_slow_server_is_waited_for(pool, domain):
    pool.fault("*:slow=0.2:20")
    domain.start()
    assert domain.power_state is PowerState.RUNNING


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("method", ["Async.VM.revert", "Async.VDI.destroy", "VM.destroy"])
@pytest.mark.parametrize("fault", ["drop-before", "drop-after"])
def test_snapshots_lose_no_disk_when_a_connection_breaks(pool, domain, method, fault):
    snapshot = domain.create_snapshot("one")
    pool.fault(f"{method}:{fault}:1")
    pool.reset_counts()
    try:
        snapshot.revert() if method == "Async.VM.revert" else snapshot.delete()
    except errors.OutcomeUnknownError:
        assert fault == "drop-before" or not method.startswith("Async.")
    assert pool.counts()[method] == 1
    for left in domain.snapshots():
        left.delete()


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize(
    "code", ["INTERNAL_ERROR,no", "SR_BACKEND_FAILURE_44,,full,", "HANDLE_INVALID,host,OpaqueRef:x"]
)
@pytest.mark.parametrize("verb", ["start", "snapshot", "clone", "migrate"])
def test_what_a_task_ends_with_is_what_the_verb_raises(pool, domain, reach, verb, code):
    state, method, call = VERBS[verb]
    reach(state)
    pool.fault(f"{method}:error={code}:1")
    with pytest.raises(errors.HvsdkError) as failed:
        call(domain)
    assert failed.value.native_code == code.partition(",")[0]


def test_sessions_end_whatever_broke(pool, domain):
    before = sessions(pool)
    with connect(pool) as host:
        for fault in ("drop-before", "drop-after", "half-answer", "http-500"):
            pool.fault(f"VM.get_all_records:{fault}:1")
            host.domains()
            pool.clear_faults()
    assert sessions(pool) <= before


@pytest.mark.parametrize("fault", ["drop-before", "http-500", "half-answer", "error=INTERNAL_ERROR,no"])
def test_a_task_whose_record_cannot_be_taken_away_has_been_carried_out_all_the_same(pool, domain, fault):
    pool.fault(f"task.destroy:{fault}:1")
    domain.start()
    assert domain.power_state is PowerState.RUNNING
    domain.host.close()
    assert not [task for task in pool.tasks() if "VM.start" in task["name"]], "it is tried again"
