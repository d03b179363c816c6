"""Disks and adapters: there and gone when the verb returns, and nothing left when it fails."""

from __future__ import annotations

import pytest
from hvsdk.driver import DiskSpec, NicSpec, errors
from xen_making import MIB, calls, drives_of, nothing_new, record_of
from xen_support import connect

from hvsdk_xen import _hardware

STATES = pytest.mark.parametrize("state", ["shutoff", "running"])
DISK = DiskSpec(size="16MiB")


def disks(domain):
    return [disk.id for disk in domain.refresh().info.disks]


@STATES
def test_a_disk_comes_and_goes(domain, reach, raw, state):
    reach(state)
    before = disks(domain)
    disk = domain.attach_disk(DISK)
    assert disk.capacity_bytes == 16 * MIB
    assert disks(domain) == [*before, disk.id]
    assert drives_of(raw, domain)[disk.id]["currently_attached"] is (state == "running")
    domain.detach_disk(disk)
    assert disks(domain) == before
    raw("VDI.destroy", raw("VDI.get_by_uuid", disk.volume))


@STATES
@pytest.mark.parametrize("method", ["VDI.create", "VBD.create", "VM.get_allowed_VBD_devices"])
def test_a_disk_that_is_refused_leaves_nothing(domain, reach, pool, raw, state, method):
    reach(state)
    with nothing_new(raw):
        pool.fault(f"{method}:error=INTERNAL_ERROR,broken:1")
        with pytest.raises(errors.OperationFailedError):
            domain.attach_disk(DISK)


def test_a_disk_that_the_guest_does_not_take_leaves_nothing(domain, reach, pool, raw):
    reach("running")
    with nothing_new(raw):
        pool.fault("Async.VBD.plug:error=DEVICE_ATTACH_TIMEOUT,VBD,OpaqueRef:x:1")
        with pytest.raises(errors.OperationTimeoutError):
            domain.attach_disk(DISK)


@pytest.mark.parametrize("verb", ["attach_disk", "attach_nic"])
def test_a_guest_without_drivers_takes_nothing(domain, reach, pool, raw, monkeypatch, verb):
    monkeypatch.setattr(_hardware, "DRIVERS_SECONDS", 0.0)
    pool.act("guest", vm=domain.native_id, tools=False)
    reach("running")
    with nothing_new(raw), pytest.raises(errors.GuestAgentError) as refused:
        getattr(domain, verb)(DISK if verb == "attach_disk" else NicSpec())
    assert refused.value.not_yet, "it has just been started"


@pytest.mark.parametrize("kind", ["VBD", "VIF"])
def test_a_device_that_the_guest_uses_stays(domain, reach, pool, raw, kind):
    reach("running")
    extra = domain.attach_disk(DISK)
    with nothing_new(raw):
        pool.fault(f"Async.{kind}.unplug:error=DEVICE_DETACH_REJECTED,{kind},OpaqueRef:x,busy:1")
        with pytest.raises(errors.BusyError, match="unmount") as refused:
            domain.detach_disk(extra) if kind == "VBD" else domain.detach_nic(domain.info.nics[0])
    assert refused.value.lasting


def test_a_guest_that_boots_is_given_a_moment(domain, reach, pool):
    pool.act("guest", vm=domain.native_id, boot_seconds=0.6)
    reach("running")
    assert domain.attach_disk(DISK).capacity_bytes == 16 * MIB


def test_a_paused_domain_takes_no_disk(domain, reach, raw):
    reach("paused")
    with nothing_new(raw), pytest.raises(errors.PowerStateError):
        domain.attach_disk(DISK)


@pytest.mark.parametrize("method", ["VDI.create", "VBD.create"])
def test_a_lost_answer_makes_no_second_disk(domain, pool, method):
    with connect(pool) as host:
        other = host.domain(domain.native_id)
        before = len(other.info.disks)
        pool.reset_counts()
        pool.fault(f"{method}:drop-after:1")
        other.attach_disk(DISK)
        assert pool.counts()[method] == 1
        assert len(other.refresh().info.disks) == before + 1


def test_a_volume_of_another_domain_is_not_attached(make_domain, raw):
    one, two = make_domain(), make_domain()
    with nothing_new(raw), pytest.raises(errors.BusyError, match=one.name) as refused:
        two.attach_disk(DiskSpec(source=one.info.disks[0].volume))
    assert refused.value.lasting


def test_a_drive_comes_and_goes_only_while_the_domain_is_off(domain, reach):
    drive = domain.attach_disk(DiskSpec(device="cdrom"))
    assert (drive.device, drive.source) == ("cdrom", None)
    reach("running")
    with pytest.raises(errors.PowerStateError):
        domain.attach_disk(DiskSpec(device="cdrom"))
    with pytest.raises(errors.PowerStateError):
        domain.detach_disk(drive)
    reach("shutoff")
    domain.detach_disk(drive)
    assert drive.id not in disks(domain)


def test_attaching_costs_a_constant_number_of_calls(domain, pool):
    domain.attach_disk(DISK)
    few = sum(calls(pool, lambda: domain.attach_disk(DISK)).values())
    for _ in range(3):
        domain.attach_disk(DISK)
    assert sum(calls(pool, lambda: domain.attach_disk(DISK)).values()) == few


def test_a_disk_grows_and_does_not_shrink(domain):
    disk = domain.info.disks[0]
    assert domain.resize_disk(disk, "64MiB").capacity_bytes == 64 * MIB
    with pytest.raises(errors.InvalidSpecError):
        domain.resize_disk(disk.id, "32MiB")


def test_a_disk_of_a_running_domain_does_not_grow(domain, reach):
    reach("running")
    with pytest.raises(errors.PowerStateError):
        domain.resize_disk(domain.info.disks[0], "64MiB")


@pytest.mark.parametrize("state", ["shutoff", "running", "suspended"])
def test_what_is_not_there_is_not_found(domain, reach, state):
    reach(state)
    with pytest.raises(errors.DiskNotFoundError):
        domain.detach_disk("99")
    with pytest.raises(errors.NicNotFoundError):
        domain.detach_nic("99")


@STATES
def test_an_adapter_comes_and_goes(domain, reach, state):
    reach(state)
    before = [nic.id for nic in domain.info.nics]
    nic = domain.attach_nic(NicSpec(mac="52:54:00:0a:0b:0c", mtu=1400))
    assert (nic.mac, nic.mtu, nic.link_up) == ("52:54:00:0a:0b:0c", 1400, True)
    domain.detach_nic(nic.mac)
    assert [one.id for one in domain.refresh().info.nics] == before


def test_an_adapter_that_the_guest_does_not_take_leaves_nothing(domain, reach, pool, raw):
    reach("running")
    with nothing_new(raw):
        pool.fault("Async.VIF.plug:error=INTERNAL_ERROR,broken:1")
        with pytest.raises(errors.OperationFailedError):
            domain.attach_nic(NicSpec())


def test_a_mac_is_not_given_twice(domain, raw):
    with nothing_new(raw), pytest.raises(errors.HvsdkError):
        domain.attach_nic(NicSpec(mac=domain.info.nics[0].mac))


def test_networks_of_one_name_are_told_apart_by_their_uuids(domain, raw):
    for _ in range(2):
        raw("network.create", {"name_label": "xen-twin", "name_description": "", "MTU": 1500, "other_config": {}})
    twins = raw("network.get_by_name_label", "xen-twin")
    try:
        with pytest.raises(errors.AmbiguousNameError) as refused:
            domain.attach_nic(NicSpec(network="xen-twin"))
        uuid = refused.value.candidates[0][0]
        assert uuid in refused.value.message
        assert domain.attach_nic(NicSpec(network=uuid)).network == "xen-twin"
    finally:
        domain.detach_nic(domain.info.nics[-1])
        for twin in twins:
            raw("network.destroy", twin)


@pytest.mark.parametrize("state", ["shutoff", "running", "suspended"])
def test_a_link_goes_down_and_up(domain, reach, state):
    nic = reach(state).info.nics[0]
    for up in (False, False, True, True):
        domain.set_nic_link(nic.id, up)
        assert domain.info.nics[0].link_up is up


def test_a_link_comes_up_as_it_was_locked(domain, raw):
    (vif,) = record_of(raw, domain)["VIFs"]
    raw("VIF.set_locking_mode", vif, "locked")
    domain.set_nic_link(domain.info.nics[0], False)
    assert raw("VIF.get_locking_mode", vif) == "disabled"
    domain.set_nic_link(domain.info.nics[0], True)
    assert raw("VIF.get_locking_mode", vif) == "locked"
    assert raw("VIF.get_other_config", vif) == {}


def test_a_lock_that_was_left_over_does_not_come_back_with_the_link(domain, raw):
    (vif,) = record_of(raw, domain)["VIFs"]
    raw("VIF.add_to_other_config", vif, "hvsdk-locking-mode", "locked")
    domain.set_nic_link(domain.info.nics[0], False)
    domain.set_nic_link(domain.info.nics[0], True)
    assert raw("VIF.get_locking_mode", vif) == "network_default"
    assert raw("VIF.get_other_config", vif) == {}


def test_an_adapter_can_come_unplugged(domain):
    assert domain.attach_nic(NicSpec(link_up=False)).link_up is False


@pytest.mark.parametrize("verb", ["attach_disk", "attach_nic", "detach_disk", "detach_nic", "resize_disk"])
def test_a_suspended_domain_keeps_its_hardware(domain, reach, raw, verb):
    reach("suspended")
    arguments = {
        "attach_disk": (DISK,),
        "attach_nic": (NicSpec(),),
        "detach_disk": (domain.info.disks[0],),
        "detach_nic": (domain.info.nics[0],),
        "resize_disk": (domain.info.disks[0], "1GiB"),
    }[verb]
    with nothing_new(raw), pytest.raises(errors.PowerStateError):
        getattr(domain, verb)(*arguments)
