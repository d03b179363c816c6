"""Removing domains: what goes, what stays to the last byte, and what is refused before anything happens."""

from __future__ import annotations

import base64
import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_files import files_below, read_file, write_file
from vmware_support import Raw, connect

CONTENT = b"kept to the last byte " * 100
_numbers = itertools.count(1)
Spec = vim.vm.device.VirtualDeviceSpec


@pytest.fixture
def either_raw(either: Running) -> Iterator[Raw]:
    """Another client of the vCenter, then of the ESXi host."""
    client = Raw(either)
    yield client
    client.close()


@pytest.fixture
def named() -> str:
    """A name that no other test has: of a domain, and of its directory."""
    return f"doomed-{next(_numbers)}"


@pytest.fixture
def make(either: Running, either_raw: Raw, named: str) -> Iterator[Callable[..., hvsdk.Domain]]:
    """Makes a domain whose first disk has content; what a test leaves is removed."""
    made: list[str] = []
    with connect(either) as host:

        def make(suffix: str = "", **more: Any) -> hvsdk.Domain:
            made.append(either_raw.make_vm(named + suffix, **more))
            if more.get("disks", 1):
                either.act("disk", vm=made[-1], disk=0, write=base64.b64encode(CONTENT).decode(), offset=4096)
            return host.domain(made[-1])

        yield make
        either.clear_faults()
        for native_id in made:
            either_raw.remove_vm(native_id)


def _content(center: Running, raw: Raw, path: str) -> bytes:
    return read_file(center, raw, path.removesuffix(".vmdk") + "-flat.vmdk")[4096 : 4096 + len(CONTENT)]


def _gone(host: hvsdk.Host, native_id: str) -> bool:
    return all(one.native_id != native_id for one in host.domains(templates=True))


def test_disks_that_are_kept_keep_every_byte(make: Any, either: Running, either_raw: Raw, named: str) -> None:
    domain = make(disks=2)
    paths = [disk.source for disk in domain.disks]
    domain.delete()
    assert _gone(domain.host, domain.native_id)
    left = files_below(either_raw, named)
    assert set(paths) <= set(left), left
    assert not [path for path in left if path.endswith(".vmx")]
    assert _content(either, either_raw, paths[0]) == CONTENT


def test_disks_go_when_that_is_said(make: Any, either_raw: Raw, named: str) -> None:
    domain = make(disks=2)
    domain.delete(disks="delete")
    assert _gone(domain.host, domain.native_id)
    assert not files_below(either_raw, named)


@pytest.mark.parametrize("disks", ["keep", "delete"])
def test_images_stay(make: Any, either: Running, either_raw: Raw, disks: Any) -> None:
    domain = make()
    image = domain.disks[0].source.rpartition("/")[0] + "/debian.iso"
    write_file(either, either_raw, image, b"an image")
    backing = vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName=image)
    devices = either_raw.vm(domain.native_id).config.hardware.device
    bus = next(one for one in devices if isinstance(one, vim.vm.device.VirtualIDEController))
    drive = vim.vm.device.VirtualCdrom(key=-1, controllerKey=bus.key, unitNumber=0, backing=backing)
    change = vim.vm.ConfigSpec(deviceChange=[Spec(operation="add", device=drive)])
    either_raw.done(either_raw.vm(domain.native_id).ReconfigVM_Task(change))
    domain.delete(disks=disks)
    assert read_file(either, either_raw, image) == b"an image"


def test_snapshots_are_merged_into_disks_that_stay(make: Any, either: Running, either_raw: Raw, named: str) -> None:
    domain = make()
    base = domain.disks[0].source
    either_raw.done(either_raw.vm(domain.native_id).CreateSnapshot_Task("one", "", False, False))
    either_raw.done(either_raw.vm(domain.native_id).CreateSnapshot_Task("two", "", False, False))
    either.reset_counts()
    domain.refresh().delete()
    calls = either.counts()
    assert calls["RemoveAllSnapshots_Task"] == 1
    assert [path for path in files_below(either_raw, named) if path.endswith(".vmdk") and "flat" not in path] == [base]
    assert _content(either, either_raw, base) == CONTENT


def test_a_domain_that_is_not_off_is_refused(make: Any, either_raw: Raw) -> None:
    domain = make()
    for state in ("running", "suspended"):
        either_raw.reach(domain.native_id, state)
        with pytest.raises(errors.PowerStateError, match=state):
            domain.delete(disks="delete")
    assert domain.refresh().disks


def test_a_domain_that_cannot_be_reached_is_refused(make: Any, either: Running) -> None:
    domain = make()
    either.act("inaccessible", vm=domain.native_id, state="orphaned")
    with pytest.raises(errors.PowerStateError, match="cannot see the domain"):
        domain.delete()
    assert not _gone(domain.host, domain.native_id)


@pytest.mark.parametrize("fault", ["error=NoPermission,no", "task-error=FileLocked,held"])
def test_a_domain_that_cannot_be_removed_gets_its_disks_again(
    make: Any, either: Running, either_raw: Raw, fault: str, named: str
) -> None:
    domain = make(disks=3)
    before = {disk.source: (disk.bus, disk.details["vmware.unit"]) for disk in domain.disks}
    either.fault(f"Destroy_Task:{fault}:1")
    with pytest.raises((errors.PermissionDeniedError, errors.BusyError)):
        domain.delete(timeout=10)
    now = {disk.source: (disk.bus, disk.details["vmware.unit"]) for disk in domain.refresh().disks}
    assert now == before
    assert _content(either, either_raw, min(before)) == CONTENT
    domain.delete()
    assert set(before) <= files_below(either_raw, named)


def test_a_detach_that_fails_changes_nothing(make: Any, either: Running) -> None:
    domain = make(disks=2)
    either.fault("ReconfigVM_Task:task-error=FileLocked,held:1")
    with pytest.raises(errors.BusyError):
        domain.delete()
    assert len(domain.refresh().disks) == 2


def test_a_removal_without_an_answer_is_no_reason_to_attach_disks_again(
    make: Any, either: Running, either_raw: Raw, named: str
) -> None:
    domain = make(disks=2)
    paths = {disk.source for disk in domain.disks}
    either.fault("Destroy_Task:drop-after:1")
    with contextlib.suppress(errors.OutcomeUnknownError):
        domain.delete()
    assert paths <= files_below(either_raw, named)
    assert _content(either, either_raw, min(paths)) == CONTENT


def test_a_disk_that_another_domain_has_is_not_removed(make: Any, either_raw: Raw, named: str) -> None:
    domain, other = make(), make("-too", disks=0)
    shared = domain.disks[0].source
    _attach(either_raw, other.native_id, shared)
    with pytest.raises(errors.BusyError, match=f"{named}-too"):
        domain.delete(disks="delete")
    assert domain.refresh().disks[0].source == shared
    domain.delete()
    assert other.refresh().disks[0].source == shared
    assert shared in files_below(either_raw, named)


def test_a_host_by_itself_leaves_what_lies_on_the_disk_of_another(esxi: Running, named: str) -> None:
    raw = Raw(esxi)
    base, on_top = raw.make_vm(named), raw.make_vm(f"{named}-too", disks=0)
    with connect(esxi) as host:
        parent = host.domain(base).disks[0].source or ""
        _attach(raw, on_top, parent, below=parent)
        with pytest.raises(errors.BusyError, match=named):
            host.domain(on_top).delete(disks="delete")
        assert host.domain(on_top).disks[0].details["vmware.backing"] == parent
        snapshot = host.domain(base).create_snapshot("somebody's")
        with pytest.raises(errors.BusyError, match=f"{named}-too"):
            snapshot.delete()
        host.domain(on_top).delete()
        snapshot.delete()
        assert parent in files_below(raw, named)
        raw.remove_vm(base)
    raw.close()


def _attach(raw: Raw, native_id: str, path: str, *, below: str | None = None) -> None:
    """Attach a disk that is there, or a new one that lies on it."""
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode="persistent")
    if below is not None:
        backing.parent = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName=below, diskMode="persistent")
        backing.fileName = f"{path.partition(']')[0]}]"
    disk = vim.vm.device.VirtualDisk(key=-1, controllerKey=1000, unitNumber=3, capacityInKB=16 << 10, backing=backing)
    create = "create" if below is not None else None
    change = vim.vm.ConfigSpec(deviceChange=[Spec(operation="add", fileOperation=create, device=disk)])
    raw.done(raw.vm(native_id).ReconfigVM_Task(change))


def test_what_a_linked_clone_lies_on_is_not_removed(center: Running, raw: Raw, host: hvsdk.Host, named: str) -> None:
    native_id = raw.make_vm(named)
    original = host.domain(native_id)
    linked = original.clone(f"{named}-clone", linked=True)
    try:
        for disks in ("delete", "keep"):
            with pytest.raises(errors.BusyError, match=f"{named}-clone"):
                original.delete(disks=disks)
        below = linked.refresh().disks[0].details["vmware.backing"]
        linked.delete(disks="delete")
        assert below in files_below(raw, named)
        original.delete(disks="delete")
    finally:
        raw.remove_vm(linked.native_id)
        raw.remove_vm(native_id)


@pytest.mark.parametrize("disks", ["keep", "delete"])
def test_templates_are_removed(center: Running, raw: Raw, host: hvsdk.Host, disks: Any, named: str) -> None:
    native_id = raw.make_vm(named)
    raw.vm(native_id).MarkAsTemplate()
    template = host.domain(native_id)
    path = template.disks[0].source
    template.delete(disks=disks)
    assert _gone(host, native_id)
    left = files_below(raw, named)
    assert (path in left) == (disks == "keep")


def test_a_template_that_cannot_be_removed_is_one_again(
    center: Running, raw: Raw, host: hvsdk.Host, named: str
) -> None:
    native_id = raw.make_vm(named)
    raw.vm(native_id).MarkAsTemplate()
    center.fault("Destroy_Task:error=NoPermission,no:1")
    with pytest.raises(errors.PermissionDeniedError):
        host.domain(native_id).delete()
    again = host.domain(native_id)
    assert (again.is_template, len(again.disks)) == (True, 1)
    again.delete(disks="delete")


def test_a_domain_that_is_gone_is_told(make: Any, either_raw: Raw) -> None:
    domain = make()
    either_raw.remove_vm(domain.native_id)
    with pytest.raises(errors.DomainNotFoundError):
        domain.delete()
