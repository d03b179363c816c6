"""Disks are read, by each way, as they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

import attrs
import hvsdk
import pytest
from hvsdk.driver import Capability, errors
from hvsdk_simulators import Running
from vmware_disks import MIB, PIECES, SIZE, disk_of, expected, put_together, same, whole, write
from vmware_support import Raw, connect, opened, soon

from hvsdk_vmware import _disk_io
from hvsdk_vmware._disk_places import disk_places, place_of
from hvsdk_vmware._lease_url import Slot


@pytest.fixture
def filled(either: Running) -> Iterator[str]:
    """A domain that is off, whose first disk has the pieces."""
    raw = Raw(either)
    made = raw.make_vm("with a disk")
    raw.close()
    write(either, made, PIECES)
    yield made
    either.clear_faults()
    raw = Raw(either)  # a test may have cut all connections
    raw.remove_vm(made)
    raw.close()


@pytest.mark.parametrize("way", ["auto", "lease", "datastore"])
def test_each_way_reads_what_was_written(either: Running, filled: str, way: str) -> None:
    with opened(either, options={"disk_io": way}) as driver:
        reader = driver.open_disk(filled, disk_of(driver, filled), snapshot_id=None, deadline=soon())
        assert reader.size == SIZE
        same(whole(reader), expected())
        reader.close()
        reader.close()


def test_extents_cover_the_disk_before_it_is_read(either: Running, filled: str) -> None:
    for way in ("lease", "datastore"):
        with opened(either, options={"disk_io": way}) as driver:
            reader = driver.open_disk(filled, disk_of(driver, filled), snapshot_id=None, deadline=soon())
            assert [(one.offset, one.length, one.zero) for one in reader.extents()] == [(0, SIZE, False)]
            reader.close()


def test_a_file_is_read_at_any_place_by_many_threads(either: Running, filled: str) -> None:
    content = expected()
    with opened(either, options={"disk_io": "datastore"}) as driver:
        reader = driver.open_disk(filled, disk_of(driver, filled), snapshot_id=None, deadline=soon())
        wrong: list[int] = []

        def work(number: int) -> None:
            for place in range(20):
                at = (number * 7919 + place * 104729) * 37 % (SIZE - 5000)
                if reader.read(at, 5000) != content[at : at + 5000]:
                    wrong.append(at)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert reader.read(SIZE - 3, 3) == b"end"
        assert reader.read(7, 0) == b""
        reader.close()
        with pytest.raises(errors.OperationFailedError, match="closed"):
            reader.read(0, 1)


@pytest.mark.parametrize("way", ["lease", "datastore"])
def test_what_breaks_is_read_on(either: Running, filled: str, way: str) -> None:
    with opened(either, options={"disk_io": way}) as driver:
        reader = driver.open_disk(filled, disk_of(driver, filled), snapshot_id=None, deadline=soon())
        either.fault("/folder:half-answer:2")
        either.act("hang-up")
        same(whole(reader, 5 * MIB), expected())
        reader.close()


def test_a_suspended_domain_is_read_from_its_file(center: Running, raw: Raw) -> None:
    made = raw.make_vm("suspended")
    write(center, made, PIECES)
    raw.reach(made, "suspended")
    with connect(center) as host:
        domain = host.domain(made)
        with domain.open_disk(domain.info.disks[0]) as reader:
            same(put_together(reader), expected())
    raw.remove_vm(made)


def test_what_cannot_be_read_in_any_way_says_why(center: Running, raw: Raw) -> None:
    made = raw.make_vm("in no way")
    raw.reach(made, "suspended")
    center.fault("/folder:http-500")
    with connect(center) as host:
        domain = host.domain(made)
        with pytest.raises(errors.OperationFailedError, match=r"invalid power state.*HTTP 500"):
            domain.open_disk(domain.info.disks[0])
    center.clear_faults()
    raw.remove_vm(made)


def test_a_disk_or_snapshot_that_is_not_there_is_not_opened(either: Running, filled: str) -> None:
    with opened(either) as driver:
        with pytest.raises(errors.DiskNotFoundError):
            driver.open_disk(filled, "no-such'disk<x>", snapshot_id=None, deadline=soon())
        with pytest.raises(errors.SnapshotNotFoundError):
            driver.open_disk(filled, disk_of(driver, filled), snapshot_id="snapshot-77777", deadline=soon())
        with pytest.raises(errors.DomainNotFoundError):
            driver.open_disk("vm-777777", "2000", snapshot_id=None, deadline=soon())


def test_disks_are_read_at_any_place_where_that_is_chosen(center: Running) -> None:
    for way, possible in (("auto", False), ("lease", False), ("datastore", True)):
        with connect(center, disk_io=way) as host:
            assert host.supports(Capability.DISK_RANDOM_READ) is possible


@pytest.fixture
def snapshot_of(center: Running, raw: Raw) -> Iterator[Callable[..., tuple[str, str, str]]]:
    """Makes a domain that runs, with a snapshot that has the pieces, and something that was written since.

    The stand-in keeps what is written since in the same file, where vSphere has another one for it.
    """
    made: list[str] = []

    def make(*, since: bool = True) -> tuple[str, str, str]:
        vm = raw.make_vm(f"snapshot {len(made)}")
        made.append(vm)
        write(center, vm, PIECES)
        raw.reach(vm, "running")
        snapshot = raw.done(raw.vm(vm).CreateSnapshot_Task("s", "", False, False))
        if since:
            write(center, vm, {5 * MIB: b"written since"})
        return vm, snapshot._moId, str(raw.vm(vm).config.hardware.device[-1].key)

    yield make
    center.clear_faults()
    for vm in made:
        raw.remove_vm(vm)


@pytest.mark.parametrize("way", ["auto", "lease", "datastore"])
def test_a_snapshot_of_a_running_domain_is_read_as_it_was(
    center: Running, snapshot_of: Callable[..., tuple[str, str, str]], way: str
) -> None:
    vm, snapshot, _ = snapshot_of(since=way != "datastore")
    with connect(center, disk_io=way) as host:
        domain = host.domain(vm)
        with domain.open_disk(domain.info.disks[0], snapshot=snapshot) as reader:
            same(put_together(reader), expected())


def test_a_snapshot_of_another_domain_is_not_opened(
    center: Running, raw: Raw, snapshot_of: Callable[..., tuple[str, str, str]]
) -> None:
    _, snapshot, _ = snapshot_of()
    other = raw.make_vm("other")
    with opened(center) as driver, pytest.raises(errors.SnapshotNotFoundError):
        driver.open_disk(other, disk_of(driver, other), snapshot_id=snapshot, deadline=soon())
    raw.remove_vm(other)


def test_hvsdk_reads_through_the_public_api(host: hvsdk.Host, raw: Raw, center: Running) -> None:
    made = raw.make_vm("public")
    write(center, made, PIECES)
    domain = host.domain(made)
    with domain.open_disk(domain.info.disks[0]) as reader:
        assert reader.read(0, 12) == b"first sector"
        with pytest.raises(errors.UnsupportedError):
            reader.read(0, 1)
    raw.remove_vm(made)


DEVICES = """<val xmlns="urn:vim25" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<VirtualDevice xsi:type="ParaVirtualSCSIController"><key>1000</key><busNumber>0</busNumber></VirtualDevice>
<VirtualDevice xsi:type="VirtualNVMEController"><key>31000</key><busNumber>1</busNumber></VirtualDevice>
<VirtualDevice xsi:type="VirtualCdrom"><key>3000</key><controllerKey>200</controllerKey></VirtualDevice>
<VirtualDevice xsi:type="VirtualDisk"><key>2000</key><backing xsi:type="VirtualDiskFlatVer2BackingInfo">
<fileName>[a] w/w.vmdk</fileName><datastore type="Datastore">datastore-1</datastore>
<thinProvisioned>true</thinProvisioned></backing><controllerKey>1000</controllerKey><unitNumber>3</unitNumber>
<capacityInKB>2</capacityInKB><capacityInBytes>2049</capacityInBytes></VirtualDevice>
<VirtualDevice xsi:type="VirtualDisk"><key>2001</key><backing xsi:type="VirtualDiskFlatVer2BackingInfo">
<fileName>[a] w/w-000001.vmdk</fileName><parent><fileName>[a] w/w.vmdk</fileName></parent></backing>
<controllerKey>31000</controllerKey><unitNumber>0</unitNumber><capacityInKB>2</capacityInKB></VirtualDevice>
<VirtualDevice xsi:type="VirtualDisk"><key>2002</key><backing xsi:type="VirtualDiskSeSparseBackingInfo">
<fileName>[a] w/s.vmdk</fileName></backing><controllerKey>9</controllerKey></VirtualDevice>
<VirtualDevice xsi:type="VirtualDisk"><key>2003</key><backing xsi:type="VirtualDiskRawDiskMappingVer1BackingInfo">
<fileName>[a] w/r.vmdk</fileName></backing><capacityInKB>-1</capacityInKB></VirtualDevice>
<VirtualDevice xsi:type="VirtualDisk"/></val>"""


def test_disks_are_known_by_what_their_bytes_lie_in() -> None:
    first, child, sparse, raw, empty = disk_places(ElementTree.fromstring(DEVICES))
    assert (first.size, first.path, first.pool, first.plain, first.thin) == (
        2049,
        "[a] w/w.vmdk",
        "datastore-1",
        True,
        True,
    )
    assert (first.slot, first.number, first.disks) == (Slot("scsi", 0, 3), 0, 5)
    assert (child.size, child.plain, child.slot) == (2048, False, Slot("nvme", 1, 0))
    assert not sparse.plain
    assert not raw.plain
    assert not empty.plain
    assert sparse.slot is None
    assert place_of([first, child], "2001") is child
    for disk in (sparse, raw, empty):
        with pytest.raises(errors.OperationFailedError, match="no size"):
            place_of([disk], disk.key)


def test_a_disk_on_another_one_has_no_file_of_its_own(
    center: Running, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = raw.make_vm("child")
    write(center, made, PIECES)
    monkeypatch.setattr(
        _disk_io, "disk_places", lambda found: [attrs.evolve(one, plain=False) for one in disk_places(found)]
    )
    for way in ("auto", "lease", "datastore"):
        with opened(center, options={"disk_io": way}) as driver:
            disk = disk_of(driver, made)
            center.reset_counts()
            if way == "datastore":
                with pytest.raises(errors.UnsupportedError, match="lies on another one"):
                    driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
            else:
                reader = driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
                same(whole(reader), expected())
                reader.close()
            assert "/folder" not in center.counts()
    raw.remove_vm(made)
