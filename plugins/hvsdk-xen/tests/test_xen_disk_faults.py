"""What breaks while disks are read and written: the right bytes or the right error, and nothing left behind."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import pytest
import XenAPI
from hvsdk import errors
from hvsdk.driver import BackgroundTask
from hvsdk_simulators import Running
from xen_support import MIB, Raw, connect, eventually, finish, opened, soon

from hvsdk_xen._driver import XenDriver

SIZE = 16 * MIB
SHARED = "NFS virtual disk storage"


def fill(pool: Running, vdi: str, offset: int, data: bytes) -> None:
    """Write to a disk as a guest would."""
    pool.act("disk", vdi=vdi, write=base64.b64encode(data).decode(), offset=offset)


def digest(pool: Running, vdi: str) -> str:
    return str(pool.act("disk", vdi=vdi)["sha256"])


def sha256(pieces: dict[int, bytes], size: int = SIZE) -> str:
    """Return the SHA-256 of a disk that has these bytes and zeros."""
    whole = bytearray(size)
    for offset, data in pieces.items():
        whole[offset : offset + len(data)] = data
    return hashlib.sha256(whole).hexdigest()


def transfers(raw: Raw) -> set[str]:
    """Return the tasks of transfers that there are."""
    tasks = raw("task.get_all_records").items()
    return {ref for ref, task in tasks if task["name_label"].startswith("hvsdk:")}


@pytest.fixture(autouse=True)
def no_task_stays(pool: Running) -> Iterator[None]:
    """Checks that each test takes the tasks of its transfers away."""
    with Raw(pool) as raw:
        before = transfers(raw)
    yield
    with Raw(pool) as raw:
        assert eventually(lambda: transfers(raw) <= before, 5.0)


@pytest.fixture
def volume(host: hvsdk.Host, raw: Raw) -> Iterator[hvsdk.Volume]:
    """An empty volume."""
    made = host.storage_pool(SHARED).create_volume(name="xen-disk-faults", size=SIZE)
    yield made
    raw("VDI.destroy", raw("VDI.get_by_uuid", made.id))


# ---- writing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
@pytest.mark.parametrize("fault", ["drop-before", "drop-after", "half-answer", "http-500", "error=VDI_IO_ERROR,no"])
def test_an_upload_that_breaks_is_an_error_and_can_be_tried_again(pool, volume, fault, filled):
    """Half an answer and one that is lost after the work are no error where the task says that all is there."""
    before = {MIB: b"there before"} if filled else {}
    for offset, data in before.items():
        fill(pool, volume.id, offset, data)
    pool.fault(f"/import_raw_vdi:{fault}:1")
    writer = volume.open_writer()
    writer.write(5 * MIB - 3, b"across blocks")
    try:
        writer.close()
    except errors.HvsdkError:
        writer.abort()
        writer = volume.open_writer()
        writer.write(5 * MIB - 3, b"across blocks")
        writer.close()
    assert digest(pool, volume.id) == sha256(before | {5 * MIB - 3: b"across blocks"})


def test_a_writer_whose_upload_failed_sends_again_when_it_is_closed_again(host, pool, volume):
    pool.fault("/import_raw_vdi:error=VDI_IO_ERROR,no:1")
    writer = volume.open_writer()
    writer.write(0, b"kept")
    with pytest.raises(errors.HvsdkError):
        writer.close()
    writer.close()
    assert digest(pool, volume.id) == sha256({0: b"kept"})


def test_a_failed_upload_in_a_with_block_gives_the_file_up(pool, volume):
    pool.fault("/import_raw_vdi:error=VDI_IO_ERROR,no:1")
    with pytest.raises(errors.HvsdkError), volume.open_writer() as writer:
        writer.write(0, b"lost")
    assert writer.closed


def test_an_upload_may_take_longer_than_one_answer(pool, volume):
    """Each step has the time of a round trip; all together may take hours."""
    with connect(pool, timeout=1.0) as other:
        writer = other.storage_pool(SHARED).volume(volume.id).open_writer()
        writer.write(0, b"slowly")
        for step in ("task.create", "/import_raw_vdi", "event.from", "task.destroy"):
            pool.fault(f"{step}:slow=0.5:1")
        writer.close()
    assert digest(pool, volume.id) == sha256({0: b"slowly"})


def test_an_upload_is_a_task_that_can_be_given_up(pool, volume, driver: XenDriver):
    pool.fault("/import_raw_vdi:slow=0.3:1")
    storage = volume.pool.id
    writer = driver.open_volume(storage, volume.id, deadline=soon())
    writer.write(0, b"never")
    task = writer.close()
    assert isinstance(task, BackgroundTask)
    task.cancel()
    with pytest.raises(errors.CancelledError):
        finish(task)
    writer.abort()
    assert digest(pool, volume.id) == sha256({})


def test_nothing_of_a_filled_volume_is_read_before_it_is_sent(pool, volume):
    fill(pool, volume.id, 0, b"\x22" * (8 * MIB))
    pool.reset_counts()
    writer = volume.open_writer()
    writer.write(100, b"\x33" * 50)
    writer.zero(4 * MIB, MIB)
    assert pool.counts()["/export_raw_vdi"] == 1, "a look at its beginning, whether it is empty"
    writer.close()
    pieces = {0: b"\x22" * (8 * MIB), 100: b"\x33" * 50, 4 * MIB: bytes(MIB)}
    assert digest(pool, volume.id) == sha256(pieces)


def test_a_volume_that_only_another_host_sees_is_written_there(make_pool):
    pool = make_pool(hosts=3, domains=2)
    with Raw(pool) as raw, connect(pool) as host:
        (there,) = raw("pool.get_all_records").values()
        local = next(
            raw("SR.get_uuid", sr)
            for sr, record in raw("SR.get_all_records").items()
            if record["type"] in ("ext", "lvm")
            and there["master"] not in [raw("PBD.get_host", pbd) for pbd in record["PBDs"]]
        )
        volume = host.storage_pool(local).create_volume(name="far", size=SIZE)
        with volume.open_writer() as writer:
            writer.write(0, b"over there")
        assert digest(pool, volume.id) == sha256({0: b"over there"})


# ---- reading ---------------------------------------------------------------------------------------------


@pytest.fixture
def disk(pool: Running, make_vm: Callable[..., str]) -> tuple[str, str]:
    """The UUID of a domain that is off, and of its disk, which has 16 pieces."""
    uuid = make_vm(disk_bytes=32 * MIB)
    with connect(pool) as host:
        volume = host.domain(uuid).disks[0].volume
    for number in range(16):
        fill(pool, volume, number * 2 * MIB, bytes([number + 1]) * 4096)
    return uuid, volume


def read_all(domain: hvsdk.Domain, before_piece: Callable[[int], Any] = lambda number: None) -> list[bytes]:
    """Read the first sectors of each piece."""
    found = []
    with domain.open_disk(domain.disks[0]) as reader:
        for number in range(16):
            before_piece(number)
            found.append(reader.read(number * 2 * MIB, 4096))
    return found


WANTED = [bytes([number + 1]) * 4096 for number in range(16)]


def test_a_server_that_hangs_up_is_connected_to_again(pool, disk):
    with connect(pool, disk_io="nbd") as host:
        found = read_all(host.domain(disk[0]), lambda number: pool.act("hang-up-nbd") if number % 5 == 4 else None)
    assert found == WANTED


def test_a_session_that_expires_while_a_disk_is_read_is_renewed(pool, disk):
    def expire(number: int) -> None:
        if number in (3, 9):
            pool.act("expire-sessions")
            pool.act("hang-up-nbd")

    with connect(pool, disk_io="nbd") as host:
        assert read_all(host.domain(disk[0]), expire) == WANTED


@pytest.mark.parametrize("way", ["vhd", "raw"])
@pytest.mark.parametrize("fault", ["drop-before", "drop-after", "half-answer", "session-expired", "http-500"])
def test_a_stream_that_breaks_is_read_on_or_told(pool, disk, raw, way, fault):
    with connect(pool, disk_io=way) as host:
        domain = host.domain(disk[0])
        pool.fault(f"/export_raw_vdi:{fault}:1")
        try:
            assert read_all(domain) == WANTED
        except errors.ConnectionLostError:
            assert fault != "session-expired", "a session is renewed; a stream that cannot be begun is told"


@pytest.mark.parametrize("way", ["nbd", "vhd", "raw"])
def test_a_disk_that_was_resized_since_is_not_read_as_what_it_was(pool, disk, raw, way):
    """What is read stays within the size of the beginning; a new stream of another length is refused."""
    with connect(pool, disk_io=way) as host:
        domain = host.domain(disk[0])
        with domain.open_disk(domain.disks[0]) as reader:
            assert reader.read(0, 4096) == WANTED[0]
            pool.act("hang-up-nbd")
            pool.fault("/export_raw_vdi:drop-before:1")
            with opened(pool) as driver:
                vdi = driver.call("VDI.get_by_uuid", disk[1], deadline=soon())
                if raw.refused("VDI.resize", vdi, str(64 * MIB)) is not None:
                    return  # who reads it keeps others from it
            if way == "nbd":
                with pytest.raises(errors.OperationFailedError, match="bytes"):
                    reader.read(2 * MIB, 4096)


def test_no_error_of_reading_shows_the_session(pool, disk):
    with opened(pool, disk_io="nbd") as driver:
        secret = driver.session_ref
        with pytest.raises(errors.DiskNotFoundError) as failed:
            driver.open_disk(disk[0], "no-such", snapshot_id=None, deadline=soon())
        assert secret not in str(failed.value)
        reader = driver.open_disk(disk[0], "0", snapshot_id=None, deadline=soon())
        assert secret not in repr(reader)
        pool.act("expire-sessions")
        pool.act("hang-up-nbd")
        pool.fault("VDI.get_nbd_info:error=INTERNAL_ERROR,no")
        with pytest.raises(XenAPI.Failure) as broken:
            reader.read(0, 512)
        seen: BaseException | None = broken.value
        while seen is not None:
            assert secret not in str(seen) + repr(seen)
            seen = seen.__cause__ or seen.__context__
        reader.close()


def test_who_may_only_read_records_reads_no_disk(pool, disk):
    with connect(pool, username="read-only@example.com", disk_io="raw") as host:
        domain = host.domain(disk[0])
        with pytest.raises(errors.PermissionDeniedError):
            domain.open_disk(domain.disks[0])
