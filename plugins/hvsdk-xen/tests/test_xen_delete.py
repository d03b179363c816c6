"""Removing domains: what goes with them, and what never does."""

from __future__ import annotations

import threading

import pytest
from hvsdk.driver import DiskSpec, PowerState, errors
from xen_making import calls, everything, nothing_new, record_of
from xen_support import connect, eventually


@pytest.fixture
def default_pool(host):
    return next(pool for pool in host.storage_pools() if pool.info.details.get("xen.is_default"))


@pytest.mark.parametrize("disks", ["keep", "delete"])
def test_a_domain_goes_and_its_volumes_do_as_told(domain, raw, disks):
    volume = domain.info.disks[0].volume
    domain.delete(disks=disks)
    with pytest.raises(errors.DomainNotFoundError):
        domain.refresh()
    assert (raw.refused("VDI.get_by_uuid", volume) == "UUID_INVALID") is (disks == "delete")
    if disks == "keep":
        assert raw("VDI.get_VBDs", raw("VDI.get_by_uuid", volume)) == []
        raw("VDI.destroy", raw("VDI.get_by_uuid", volume))


def test_nothing_is_left_of_a_domain_with_snapshots_and_checkpoints(host, make_vm, raw):
    before = everything(raw)
    domain = host.domain(make_vm("xen-delete-all", disks=2))
    domain.create_snapshot("one")
    domain.start()
    domain.create_snapshot("two", memory=True)
    domain.power_off()
    domain.delete(disks="delete")
    assert everything(raw) == before


def test_kept_disks_lose_their_snapshots_only(host, make_vm, raw):
    before = everything(raw)
    domain = host.domain(make_vm("xen-delete-kept", disks=2))
    domain.create_snapshot("one")
    kept = {disk.volume for disk in domain.info.disks}
    domain.delete(disks="keep")
    after = everything(raw)
    assert after["VDI"] == before["VDI"] | kept
    assert {kind: after[kind] for kind in ("VM", "VBD", "VIF", "task")} == {
        kind: before[kind] for kind in ("VM", "VBD", "VIF", "task")
    }
    for volume in kept:
        raw("VDI.destroy", raw("VDI.get_by_uuid", volume))


@pytest.mark.parametrize("state", ["running", "paused", "suspended"])
def test_a_domain_that_is_not_off_stays(domain, reach, raw, state):
    reach(state)
    with nothing_new(raw), pytest.raises(errors.PowerStateError) as refused:
        domain.delete(disks="delete")
    assert refused.value.state is PowerState(state)


def test_a_fenced_domain_stays(domain, raw):
    domain.fence("moved")
    with nothing_new(raw), pytest.raises(errors.PermissionDeniedError):
        domain.delete(disks="delete")
    domain.unfence()


def test_images_stay(domain, raw):
    domain.attach_disk(DiskSpec(device="cdrom", source="debian-12.iso"))
    image = next(disk.volume for disk in domain.info.disks if disk.device == "cdrom")
    domain.delete(disks="delete")
    assert raw("VDI.get_by_uuid", image)


def test_a_volume_that_another_domain_has_too_keeps_the_domain(make_domain, default_pool, raw):
    volume = default_pool.create_volume(name="xen-delete-shared", size="16MiB")
    one, two = make_domain(disks=0), make_domain(disks=0)
    for domain in (one, two):
        domain.attach_disk(DiskSpec(source=volume.id, shareable=True))
    with nothing_new(raw), pytest.raises(errors.BusyError, match=two.name):
        one.delete(disks="delete")
    two.delete(disks="keep")
    one.delete(disks="delete")
    volume.delete()  # what may be shared is nobody's own


def test_a_volume_that_another_domain_gets_meanwhile_stays(domain, make_domain, pool, raw):
    other = make_domain(disks=0)
    snapshot = domain.create_snapshot("one")
    (disk,) = (disk for disk in domain.info.disks if disk.device == "disk")
    volume = raw("VDI.get_by_uuid", disk.volume)
    pool.fault("VM.destroy:slow=3:1")
    refused: list[BaseException] = []

    def delete() -> None:
        try:
            domain.delete(disks="delete")
        except errors.BusyError as exc:
            refused.append(exc)

    thread = threading.Thread(target=delete, daemon=True)
    (copy,) = raw("VDI.get_snapshots", volume)
    thread.start()
    assert eventually(lambda: raw.refused("VDI.get_uuid", copy) == "HANDLE_INVALID")
    raw.attach(raw("VM.get_by_uuid", other.native_id), volume, 0)
    thread.join(30)
    assert [other.name in str(exc) for exc in refused] == [True]
    assert raw("VDI.get_uuid", volume) == disk.volume
    assert snapshot.id not in {one.id for one in domain.snapshots()}


@pytest.mark.parametrize("method", ["Async.VDI.destroy", "VM.destroy"])
def test_what_fails_half_way_can_be_done_again(domain, pool, raw, method):
    domain.create_snapshot("one")
    pool.fault(f"{method}:error=INTERNAL_ERROR,broken:1")
    with pytest.raises(errors.OperationFailedError):
        domain.delete(disks="delete")
    volumes = {disk.volume for disk in domain.refresh().info.disks if disk.volume}
    domain.delete(disks="delete")
    assert all(raw.refused("VDI.get_by_uuid", volume) == "UUID_INVALID" for volume in volumes)


def test_a_lost_answer_to_the_last_step_says_that_the_domain_is_gone(make_vm, pool, raw):
    before = everything(raw)
    uuid = make_vm("xen-delete-lost")
    with connect(pool) as host:
        domain = host.domain(uuid)
        pool.fault("VM.destroy:drop-after:1")
        with pytest.raises(errors.OutcomeUnknownError):
            domain.delete(disks="delete")
        with pytest.raises(errors.DomainNotFoundError):
            domain.delete(disks="delete")
    assert everything(raw) == before


def test_a_domain_without_disks_and_snapshots_costs_three_calls(make_domain, pool):
    domain = make_domain(disks=0)
    counts = calls(pool, domain.delete)
    spent = {name: count for name, count in counts.items() if not name.startswith("session.")}
    assert sum(spent.values()) <= 4, spent


def test_a_template_of_the_product_stays(host, raw):
    template = next(one for one in host.domains(templates=True) if one.name == "Other install media")
    with nothing_new(raw), pytest.raises(errors.HvsdkError):
        template.delete()
    assert record_of(raw, template)["is_default_template"]
