"""Volumes are written: what goes in comes out, and what fails leaves a volume as it was."""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hvsdk.driver import DiskWriter, VolumeInfo, VolumeSpec, errors
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vmware_support import Raw, finished, opened, soon

from hvsdk_vmware._driver import VmwareDriver
from hvsdk_vmware._transfer import Transfer

MIB = 1 << 20
SIZE = 4 * MIB
PIECES = {0: b"first sector".ljust(512, b"\xa5"), MIB + 7: bytes(range(256)) * 300, SIZE - 3: b"end"}
_numbers = itertools.count()


@pytest.fixture
def each(either: Running) -> Iterator[VmwareDriver]:
    with opened(either) as driver:
        yield driver


@pytest.fixture
def make(each: VmwareDriver, either: Running) -> Iterator[Callable[..., VolumeInfo]]:
    """Makes volumes, which are removed afterwards; nothing else is left then."""
    pool = next(iter(each.list_storage_pools(deadline=soon()))).id
    files, domains = names(each, pool), count_domains(each)
    made: list[VolumeInfo] = []

    def volume(size: int = SIZE) -> VolumeInfo:
        spec = VolumeSpec(name=f"written {next(_numbers)}", size=size)
        made.append(finished(each.create_volume(pool, spec, deadline=soon())))
        return made[-1]

    yield volume
    either.clear_faults()
    for one in made:
        finished(each.delete_volume(one.pool, one.id, deadline=soon()))
    assert names(each, pool) == files
    assert count_domains(each) == domains


def names(driver: VmwareDriver, pool: str) -> set[str]:
    return {one.id for one in driver.list_volumes(pool, deadline=soon())}


def count_domains(driver: VmwareDriver) -> int:
    return len(list(driver.list_domains(frozenset(), deadline=soon())))


def writer_of(driver: VmwareDriver, volume: VolumeInfo) -> DiskWriter:
    return driver.open_volume(volume.pool, volume.id, deadline=soon())


def fill(driver: VmwareDriver, volume: VolumeInfo, pieces: dict[int, bytes] = PIECES) -> None:
    writer = writer_of(driver, volume)
    for offset, data in pieces.items():
        writer.write(offset, data)
    done(writer.close())


def done(task: Any) -> None:
    if task is not None:
        finished(task, 60)


def content(driver: VmwareDriver, volume: VolumeInfo) -> bytes:
    """Read a volume's own file."""
    store = driver.store(volume.pool, soon())
    inside = (store.inside(volume.id) or "").replace(".vmdk", "-flat.vmdk")
    assert volume.capacity_bytes
    return driver.open_file(store, inside, volume.capacity_bytes, soon()).read(0, volume.capacity_bytes)


def expected(pieces: dict[int, bytes] = PIECES, size: int = SIZE) -> bytearray:
    found = bytearray(size)
    for offset, data in pieces.items():
        found[offset : offset + len(data)] = data
    return found


def same(found: bytes, wanted: bytes | bytearray) -> None:
    assert hashlib.sha256(found).hexdigest() == hashlib.sha256(wanted).hexdigest()


def test_what_is_written_is_there(each: VmwareDriver, make: Callable[..., VolumeInfo]) -> None:
    volume = make()
    fill(each, volume)
    same(content(each, volume), expected())


def test_what_is_not_written_over_stays(each: VmwareDriver, make: Callable[..., VolumeInfo]) -> None:
    volume = make()
    fill(each, volume)
    writer = writer_of(each, volume)
    writer.zero(MIB, 2 * MIB)
    writer.write(100, memoryview(b"second"))
    done(writer.flush())
    wanted = expected()
    wanted[MIB : 3 * MIB] = bytes(2 * MIB)
    wanted[100:106] = b"second"
    same(content(each, volume), wanted)
    writer.zero(103, 1)
    done(writer.close())
    wanted[103] = 0
    same(content(each, volume), wanted)


def test_another_connection_keeps_what_is_there(
    either: Running, each: VmwareDriver, make: Callable[..., VolumeInfo]
) -> None:
    volume = make()
    fill(each, volume)
    with opened(either) as other:
        fill(other, volume, {2 * MIB: b"more"})
    same(content(each, volume), expected(PIECES | {2 * MIB: b"more"}))


@pytest.mark.parametrize(
    ("way", "size"),
    [
        ("lease", 256 * MIB),
        pytest.param("lease", 2 << 30, marks=pytest.mark.full),
        pytest.param("datastore", 2 << 30, marks=pytest.mark.full),
    ],
)
def test_a_large_volume_that_is_mostly_empty_takes_few_bytes(
    either: Running, each: VmwareDriver, make: Callable[..., VolumeInfo], way: str, size: int
) -> None:
    volume = make(size)
    noise = hashlib.shake_256(b"seed").digest(3 * MIB)
    pieces = {0: noise, size // 2 + 5: noise, size - len(noise): noise}
    either.reset_counts()
    fill(each, volume, pieces)
    assert either.bytes_received()["/nfc"] < 11 * MIB
    raw = Raw(either)
    made = attached(raw, volume)
    either.reset_counts()
    found = hashlib.sha256()
    with opened(either, options={"disk_io": way}) as driver:
        disk = driver.get_domain(made, frozenset(("config",)), deadline=soon()).disks[0].id
        reader = driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
        for offset in range(0, size, 32 * MIB):
            found.update(reader.read(offset, 32 * MIB))
        reader.close()
    assert either.bytes_sent().get("/nfc", 0) < 11 * MIB
    wanted, position = hashlib.sha256(), 0
    for offset, data in pieces.items():
        for at in range(position, offset, 32 * MIB):
            wanted.update(bytes(min(32 * MIB, offset - at)))
        wanted.update(data)
        position = offset + len(data)
    assert found.hexdigest() == wanted.hexdigest()
    detached(raw, made)


def attached(raw: Raw, volume: VolumeInfo) -> str:
    """Make a domain whose only disk is a volume."""
    made = raw.make_vm(f"reads {next(_numbers)}", disks=0)
    device = vim.vm.device
    disk = device.VirtualDisk(
        key=-1,
        controllerKey=1000,
        unitNumber=0,
        capacityInKB=(volume.capacity_bytes or 0) >> 10,
        backing=device.VirtualDisk.FlatVer2BackingInfo(fileName=volume.id, diskMode="persistent", thinProvisioned=True),
    )
    change = device.VirtualDeviceSpec(operation="add", device=disk)
    raw.done(raw.vm(made).ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))
    return made


def detached(raw: Raw, made: str) -> None:
    vm = raw.vm(made)
    disks = [one for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk)]
    changes = [vim.vm.device.VirtualDeviceSpec(operation="remove", device=one) for one in disks]
    raw.done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=changes)))
    raw.remove_vm(made)
    raw.close()


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("ImportVApp:error=NoPermission:1", vim.fault.NoPermission),
        ("/nfc:http-500:1", errors.OperationFailedError),
        ("/nfc:drop-before:1", ConnectionError),
        ("HttpNfcLeaseComplete:error=NoDiskSpace:1", vim.fault.NoDiskSpace),
        ("ReconfigVM_Task:error=FileLocked:1", vim.fault.FileLocked),
        ("ReconfigVM_Task:task-error=FileLocked:1", vim.fault.FileLocked),
        ("MoveVirtualDisk_Task:task-error=FileLocked:1", vim.fault.FileLocked),
    ],
)
def test_what_fails_leaves_the_volume_as_it_was(
    either: Running,
    each: VmwareDriver,
    make: Callable[..., VolumeInfo],
    fault: str,
    raised: type[BaseException],
) -> None:
    volume = make()
    fill(each, volume)
    writer = writer_of(each, volume)
    writer.write(5, b"never there")
    either.fault(fault)
    with pytest.raises(raised):
        done(writer.close())
    either.clear_faults()
    same(content(each, volume), expected())
    done(writer.close())  # what was gathered is still there
    same(content(each, volume), expected(PIECES | {5: b"never there"}))


@pytest.mark.parametrize("method", ["ReconfigVM_Task", "MoveVirtualDisk_Task"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_step_whose_answer_is_lost_leaves_the_volume_as_it_was(
    either: Running, each: VmwareDriver, make: Callable[..., VolumeInfo], method: str, when: str
) -> None:
    volume = make()
    fill(each, volume)
    writer = writer_of(each, volume)
    writer.write(5, b"never there")
    either.fault(f"{method}:drop-{when}:1")
    with pytest.raises(ConnectionError):
        done(writer.close())
    writer.abort()
    same(content(each, volume), expected())


def test_a_volume_that_got_a_domain_meanwhile_is_not_replaced(
    either: Running, each: VmwareDriver, make: Callable[..., VolumeInfo]
) -> None:
    volume, raw = make(), Raw(either)
    fill(each, volume)
    writer = writer_of(each, volume)
    writer.write(5, b"never there")
    made = attached(raw, volume)
    with pytest.raises(errors.BusyError):
        done(writer.close())
    writer.abort()
    detached(raw, made)
    same(content(each, volume), expected())


def test_a_volume_that_cannot_take_its_place_gives_it_back(
    each: VmwareDriver, make: Callable[..., VolumeInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = make()
    fill(each, volume)
    writer = writer_of(each, volume)
    writer.write(5, b"never there")
    move, moved = type(each)._move, []

    def second_fails(self: VmwareDriver, store: Any, source: str, target: str) -> Any:
        moved.append((source, target))
        return move(self, store, source + (".gone" if len(moved) == 2 else ""), target)

    monkeypatch.setattr(type(each), "_move", second_fails)
    with pytest.raises(vmodl.MethodFault):
        done(writer.close())
    assert len(moved) == 3
    assert moved[2] == (moved[0][1], volume.id)
    same(content(each, volume), expected())
    writer.abort()


def test_what_a_guest_wrote_meanwhile_stays(
    either: Running, each: VmwareDriver, make: Callable[..., VolumeInfo]
) -> None:
    volume, raw = make(), Raw(either)
    made = attached(raw, volume)
    either.act("disk", vm=made, offset=2 * MIB, write=base64.b64encode(b"guest").decode())
    detached(raw, made)
    fill(each, volume)
    same(content(each, volume), expected(PIECES | {2 * MIB: b"guest"}))


def test_what_is_given_up_is_not_sent(either: Running, each: VmwareDriver, make: Callable[..., VolumeInfo]) -> None:
    volume = make()
    writer = writer_of(each, volume)
    writer.write(0, b"x")
    either.reset_counts()
    writer.abort()
    writer.abort()
    assert writer.close() is None
    with pytest.raises(errors.OperationFailedError, match="closed"):
        writer.write(0, b"y")
    untouched = writer_of(each, volume)
    assert untouched.close() is None
    assert untouched.close() is None
    untouched.abort()
    assert "ImportVApp" not in either.counts()


def test_a_task_that_is_cancelled_takes_back_what_it_made(
    either: Running, each: VmwareDriver, make: Callable[..., VolumeInfo]
) -> None:
    volume = make()
    writer = writer_of(each, volume)
    writer.write(0, hashlib.shake_256(b"seed").digest(3 * MIB))
    either.fault("ImportVApp:slow=1:1")
    task = writer.close()
    assert task is not None
    task.cancel()
    with pytest.raises(errors.CancelledError):
        finished(task)
    writer.abort()
    same(content(each, volume), bytes(SIZE))


def test_a_connection_that_is_closed_ends_what_is_written(either: Running, make: Callable[..., VolumeInfo]) -> None:
    volume = make()
    with opened(either) as other:
        writer = writer_of(other, volume)
        writer.write(0, b"x")
    with pytest.raises(errors.OperationFailedError, match="closed"):
        writer.write(0, b"y")


def test_a_connection_that_is_closed_in_the_middle_ends_the_import(
    either: Running, make: Callable[..., VolumeInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, halfway, closed = make(), threading.Event(), threading.Event()
    send = Transfer.send

    def slowly(self: Transfer, data: bytes) -> None:
        halfway.set()
        assert closed.wait(20)
        send(self, data)

    with opened(either) as other:
        writer = writer_of(other, volume)
        writer.write(0, b"x")
        monkeypatch.setattr(Transfer, "send", slowly)
        either.reset_counts()
        task = writer.close()
        assert halfway.wait(20)
    closed.set()
    assert task is not None
    with pytest.raises((errors.CancelledError, errors.ConnectionLostError, OSError)):
        finished(task)
    assert either.counts()["HttpNfcLeaseAbort"] == 1
    raw = Raw(either)
    for vm in raw.all(vim.VirtualMachine):
        if vm.name.startswith("hvsdk-write-"):
            raw.remove_vm(vm._moId)
    raw.close()


def test_what_cannot_be_kept_is_not_lost(either: Running, each: VmwareDriver, make: Callable[..., VolumeInfo]) -> None:
    volume = make()
    fill(each, volume)
    either.fault("/folder:http-500")
    with opened(either) as other:
        writer = writer_of(other, volume)
        writer.write(0, b"a part")
        with pytest.raises(errors.UnsupportedError, match="cannot be read"):
            done(writer.close())
        writer.abort()
        whole = writer_of(other, volume)
        whole.write(0, b"w" * SIZE)
        done(whole.close())
    either.clear_faults()
    same(content(each, volume), b"w" * SIZE)
