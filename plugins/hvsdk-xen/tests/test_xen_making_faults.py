"""What breaks while something is being made, changed or removed: never a second execution, and nothing that nobody shows."""

from __future__ import annotations

import contextlib
import threading

import pytest
from hvsdk.driver import DiskSpec, DomainSpec, NicSpec, errors
from xen_making import GOLDEN, everything, nothing_new
from xen_support import NULL, connect, finish, soon

from hvsdk_xen._making import Making

DISK = DiskSpec(size="16MiB")
SPEC = DomainSpec(name="xen-made", memory="128MiB", disks=[DISK, DISK], nics=[NicSpec()])

CHANGES = {
    "attach_disk": ("running", "Async.VBD.plug", lambda domain: domain.attach_disk(DISK)),
    "detach_disk": ("running", "Async.VBD.unplug", lambda domain: domain.detach_disk(domain.info.disks[1])),
    "detach_disk off": ("shutoff", "VBD.destroy", lambda domain: domain.detach_disk(domain.info.disks[1])),
    "resize_disk": ("shutoff", "Async.VDI.resize", lambda domain: domain.resize_disk("0", "64MiB")),
    "attach_nic": ("running", "Async.VIF.plug", lambda domain: domain.attach_nic(NicSpec())),
    "attach_nic off": ("shutoff", "VIF.create", lambda domain: domain.attach_nic(NicSpec())),
    "detach_nic": ("running", "Async.VIF.unplug", lambda domain: domain.detach_nic("0")),
    "detach_nic off": ("shutoff", "VIF.destroy", lambda domain: domain.detach_nic("0")),
    "set_nic_link": ("running", "VIF.set_locking_mode", lambda domain: domain.set_nic_link("0", False)),
    "insert_media": ("shutoff", "VBD.insert", lambda domain: domain.insert_media("debian-12.iso")),
    "reconfigure": ("shutoff", "VM.set_memory_limits", lambda domain: domain.reconfigure(memory="256MiB")),
    "delete": ("shutoff", "Async.VDI.destroy", lambda domain: domain.delete(disks="delete")),
    "delete last": ("shutoff", "VM.destroy", lambda domain: domain.delete(disks="delete")),
}


def orphans(raw):
    """Disks that no drive and no saved memory shows."""
    saved = {vm["suspend_VDI"] for vm in raw("VM.get_all_records").values()} - {NULL}
    vdis = raw("VDI.get_all_records").items()
    return {ref for ref, vdi in vdis if not vdi["VBDs"] and ref not in saved and vdi["type"] in ("user", "suspend")}


@pytest.fixture
def with_hardware(domain):
    """The domain with a second disk and a drive, so that each verb has something to do."""
    domain.attach_disk(DiskSpec(device="cdrom"))
    domain.attach_disk(DISK)
    return domain


@pytest.mark.parametrize("fault", ["drop-before", "drop-after", "half-answer", "task-vanish"])
@pytest.mark.parametrize("verb", CHANGES)
def test_no_change_is_carried_out_twice(pool, raw, with_hardware, reach, verb, fault):
    state, method, call = CHANGES[verb]
    if fault == "task-vanish" and not method.startswith("Async."):
        pytest.skip("it is no task")
    reach(state)
    before = orphans(raw)
    kept = {raw("VDI.get_by_uuid", disk.volume) for disk in with_hardware.info.disks if disk.volume}
    pool.fault(f"{method}:{fault}:1")
    pool.reset_counts()
    with contextlib.suppress(errors.OutcomeUnknownError, errors.OperationFailedError):
        call(with_hardware)
    carried_out = pool.counts()[method]
    assert carried_out == (2 if verb == "delete" else 1) or (carried_out == 1 and fault != "drop-after")
    assert orphans(raw) - kept <= before
    for ref in orphans(raw) - before:
        raw("VDI.destroy", ref)


@pytest.mark.parametrize("fault", ["half-answer", "drop-after"])
@pytest.mark.parametrize("method", ["Async.VM.clone", "Async.VM.provision", "VM.set_name_label", "VIF.create"])
def test_a_domain_from_a_template_is_whole_or_not_there(pool, raw, method, fault):
    spec = DomainSpec(name="xen-made", memory="256MiB", template=GOLDEN, nics=[NicSpec()])
    with nothing_new(raw), connect(pool) as host:
        pool.fault(f"{method}:{fault}:1")
        pool.reset_counts()
        with contextlib.suppress(errors.OperationFailedError, errors.OutcomeUnknownError):
            made = host.create_domain(spec)
            assert [disk.device for disk in made.info.disks] == ["disk", "cdrom"]
            made.delete(disks="delete")
        assert pool.counts()[method] == 1


def test_what_another_domain_has_too_stays_when_a_copy_is_taken_back(driver, make_vm, raw):
    copy, other = (raw("VM.get_by_uuid", make_vm(disks=disks)) for disks in (2, 0))
    own, shared = (raw("VBD.get_VDI", vbd) for vbd in raw("VM.get_VBDs", copy))
    raw.attach(other, shared, 0)
    making = Making(driver)

    def steps():
        making.note("VM", copy)
        making._copies_disks = True
        yield from ()
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        finish(making.begin(steps))
    assert raw.refused("VM.get_uuid", copy) == "HANDLE_INVALID"
    assert raw.refused("VDI.get_uuid", own) == "HANDLE_INVALID"
    assert raw("VDI.get_VBDs", shared) == raw("VM.get_VBDs", other)


def test_a_template_whose_copying_was_forgotten_leaves_nothing(pool, raw):
    spec = DomainSpec(name="xen-made", memory="256MiB", template=GOLDEN)
    before = everything(raw)
    with connect(pool) as host:
        pool.fault("Async.VM.clone:task-vanish:1")
        with pytest.raises(errors.OutcomeUnknownError):
            host.create_domain(spec)
    assert everything(raw) == before


@pytest.mark.parametrize("method", ["VM.create", "VDI.create", "VBD.create", "VIF.create"])
@pytest.mark.parametrize("fault", ["half-answer", "http-500"])
def test_a_broken_answer_makes_nothing_twice(pool, raw, method, fault):
    with nothing_new(raw), connect(pool) as host:
        pool.fault(f"{method}:{fault}:1")
        pool.reset_counts()
        with contextlib.suppress(errors.OperationFailedError, errors.OutcomeUnknownError):
            host.create_domain(SPEC).delete(disks="delete")
        assert pool.counts()[method] <= {"VDI.create": 2, "VBD.create": 2}.get(method, 1)


def test_an_answer_that_comes_too_late_leaves_nothing(pool, raw):
    before = everything(raw)
    with connect(pool, timeout=1.0) as host:
        pool.fault("VDI.create:slow=3:1")
        with pytest.raises((errors.OutcomeUnknownError, errors.OperationTimeoutError)):
            host.create_domain(SPEC)
    assert everything(raw) == before


@pytest.mark.parametrize("fault", ["drop-before", "drop-after"])
@pytest.mark.parametrize("method", ["VDI.create", "VBD.create", "VIF.create"])
def test_what_was_made_before_is_not_taken_for_what_was_lost(pool, raw, method, fault):
    spec = SPEC.replace(nics=[NicSpec(), NicSpec()])
    with nothing_new(raw), connect(pool) as host:
        pool.fault(f"{method}:slow=0:1")
        pool.fault(f"{method}:{fault}:1")
        pool.reset_counts()
        with contextlib.suppress(errors.OperationFailedError):
            made = host.create_domain(spec)
            assert fault == "drop-after"
            assert (len(made.info.disks), len(made.info.nics)) == (2, 2)
            made.delete(disks="delete")
        assert pool.counts()[method] == 2


@pytest.mark.parametrize("method", ["VDI.create", "VBD.create", "VIF.create", "VM.get_uuid"])
def test_a_session_that_ends_half_way_is_renewed(pool, raw, method):
    with nothing_new(raw), connect(pool) as host:
        pool.fault(f"{method}:session-expired:1")
        host.create_domain(SPEC).delete(disks="delete")


def test_a_domain_is_taken_back_when_the_caller_gives_up(pool, raw):
    stop = threading.Event()
    stop.set()
    with nothing_new(raw), connect(pool) as host:
        pool.fault("VM.create:slow=0.5:1")
        with pytest.raises(errors.CancelledError):
            host.create_domain(SPEC, cancel=stop)


def test_a_domain_is_taken_back_when_the_caller_gives_up_at_the_last_moment(driver, raw):
    with nothing_new(raw):
        task = driver.create_domain(SPEC, deadline=soon())
        task.wait(30.0)  # it is made, and nobody has been told
        task.cancel()
        with pytest.raises(errors.CancelledError):
            finish(task)


@pytest.mark.parametrize("linked", [False, True])
def test_a_clone_is_taken_back_when_the_caller_gives_up_at_the_last_moment(driver, make_vm, raw, linked):
    original = make_vm()
    with nothing_new(raw):
        task = driver.clone(original, "xen-copy", linked=linked, deadline=soon())
        task.wait(30.0)  # it is made, and nobody has been told
        task.cancel()
        with pytest.raises(errors.CancelledError):
            finish(task)


def test_a_copy_is_cancelled_and_taken_back(pool, raw):
    stop = threading.Event()
    stop.set()
    spec = DomainSpec(name="xen-made", memory="256MiB", template=GOLDEN, hints={"xen.template_copy": True})
    with nothing_new(raw), connect(pool) as host, pytest.raises(errors.CancelledError):
        host.create_domain(spec, cancel=stop)
