"""Writing volumes: what was there stays until the new content is whole, whatever happens in between."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hvsdk
import pytest
from hvsdk import DiskSpec, DomainSpec, VolumeSpec, errors
from hvsdk_simulators import Running
from hyperv_disks import peek, poke, spare_domain
from hyperv_support import connect

MIB = 1 << 20
SIZE = 4 * MIB + 512
Place = tuple[Running, hvsdk.Host]


@pytest.fixture
def volume(place: Place) -> Iterator[hvsdk.Volume]:
    pool = place[1].storage_pools()[0]
    volume = pool.create_volume(VolumeSpec(name="write me", size=SIZE))
    yield volume
    with suppress(errors.NotFoundError):
        volume.delete()


def parts(server: Running) -> list[str]:
    """Return the files that are not whole yet, or were left behind."""
    assert server.root is not None
    return [name for name in os.listdir(server.root) if name.endswith(".part")]


def read(server: Running, volume: hvsdk.Volume, offset: int = 0) -> bytes:
    return peek(server, volume.id, offset)


def attached(host: hvsdk.Host, volume: hvsdk.Volume, name: str = "has it") -> hvsdk.Domain:
    disk = DiskSpec(source=volume.name, pool=volume.pool.name)
    return host.create_domain(DomainSpec(name=name, vcpus=1, memory="512MiB", disks=[disk]))


# ---- on both engines -------------------------------------------------------------------------------------


def test_what_is_written_is_there_and_the_rest_stays(place: Place, volume: hvsdk.Volume) -> None:
    server, _ = place
    with volume.open_writer() as writer:
        assert writer.size == SIZE
        writer.write(0, b"first")
        writer.write(SIZE - 512, b"last")
    with volume.open_writer() as writer:
        writer.write(2 * MIB, b"between")
        writer.zero(0, 3)
    assert read(server, volume) == b"\0\0\0st"
    assert read(server, volume, 2 * MIB) == b"between"
    assert read(server, volume, SIZE - 512) == b"last"
    assert not parts(server)


def test_a_flush_is_seen_and_writing_goes_on(place: Place, volume: hvsdk.Volume) -> None:
    server, _ = place
    with volume.open_writer() as writer:
        writer.write(0, b"one")
        writer.flush()
        assert read(server, volume) == b"one"
        writer.write(512, b"two")
    assert (read(server, volume), read(server, volume, 512)) == (b"one", b"two")


def test_what_was_given_up_changes_nothing(place: Place, volume: hvsdk.Volume) -> None:
    server, _ = place
    writer = volume.open_writer()
    writer.write(0, b"never")
    writer.abort()
    assert read(server, volume) == b""
    assert not parts(server)


def test_a_volume_that_a_domain_has_is_not_written(place: Place, volume: hvsdk.Volume) -> None:
    _, host = place
    domain = attached(host, volume)
    try:
        with pytest.raises(errors.BusyError, match="has it"):
            volume.open_writer()
    finally:
        domain.delete()


def test_a_volume_that_another_one_lies_on_is_not_written(place: Place) -> None:
    _, host = place
    spare = next(domains := spare_domain(host, "ground"))
    path = spare.info.disks[0].source
    copy = spare.clone("upon it", linked=True)
    try:
        pool = host.storage_pools()[0]
        ground = [one for one in pool.volumes() if one.info.path in (path, copy.info.disks[0].source)]
        for one in ground:
            with pytest.raises((errors.BusyError, errors.UnsupportedError)):
                one.open_writer()
    finally:
        copy.delete(disks="delete")
        next(domains, None)


def test_a_domain_that_takes_the_volume_meanwhile_keeps_what_it_took(place: Place, volume: hvsdk.Volume) -> None:
    server, host = place
    writer = volume.open_writer()
    writer.write(0, b"late")
    domain = attached(host, volume)
    try:
        with pytest.raises(errors.BusyError, match="has it"):
            writer.close()
        assert read(server, volume) == b""
        assert not parts(server)
    finally:
        writer.abort()
        domain.delete()


def test_what_somebody_wrote_meanwhile_is_not_written_over(place: Place, volume: hvsdk.Volume) -> None:
    server, _ = place
    writer = volume.open_writer()
    writer.write(0, b"mine")
    poke(server, volume.id, b"somebody's")
    with pytest.raises(errors.OperationFailedError, match="written by somebody else"):
        writer.close()
    writer.abort()
    assert read(server, volume) == b"somebody's"
    assert not parts(server)


def test_what_a_client_left_behind_goes_after_a_day(place: Place, volume: hvsdk.Volume) -> None:
    server, _ = place
    assert server.root is not None
    old, young = (Path(server.root, f"{volume.id}.{token}.part") for token in ("0000000a", "0000000b"))
    foreign = Path(server.root, f"{volume.id}.keep.part")
    for file in (old, young, foreign):
        file.write_bytes(b"x")
        os.utime(file, (time.time() - 90_000,) * 2)
    os.utime(young)
    try:
        with volume.open_writer() as writer:
            writer.write(0, b"new")
        assert (old.exists(), young.exists(), foreign.exists()) == (False, True, True)
    finally:
        young.unlink(missing_ok=True)
        foreign.unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["it's `n", "a $(throw) b", "\u2018q\u2019 [x]", "日本語", "x" * 80])
def test_odd_names_come_through(place: Place, name: str) -> None:
    server, host = place
    volume = host.storage_pools()[0].create_volume(VolumeSpec(name=name, size=3 * MIB))
    try:
        with volume.open_writer() as writer:
            writer.write(0, b"here")
        assert read(server, volume) == b"here"
    finally:
        volume.delete()


# ---- on one ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hints", [{"hyperv.provisioning": "fixed"}, {"hyperv.block_size": 32 * MIB}], ids=str)
def test_it_stays_the_kind_of_disk_that_it_was(server: Running, host: hvsdk.Host, hints: dict[str, Any]) -> None:
    pool = host.storage_pools()[0]
    volume = pool.create_volume(VolumeSpec(name="kind", size="40MiB", hints=hints))
    try:
        before = volume.info
        with volume.open_writer() as writer:
            writer.write(39 * MIB, b"far")
        after = pool.volume(volume.id).info
        assert read(server, volume, 39 * MIB) == b"far"
        assert after.details["hyperv.type"] == before.details["hyperv.type"]
        assert after.capacity_bytes == before.capacity_bytes
    finally:
        volume.delete()


def test_a_vhd_is_refused_with_what_to_do(host: hvsdk.Host) -> None:
    volume = host.storage_pools()[0].create_volume(VolumeSpec(name="old kind", size="4MiB", format="vhd"))
    try:
        with pytest.raises(errors.UnsupportedError, match="no VHDX") as refused:
            volume.open_writer()
        assert "Convert-VHD" in (refused.value.hint or "")
    finally:
        volume.delete()


def test_zeros_do_not_travel(server: Running, host: hvsdk.Host) -> None:
    volume = host.storage_pools()[0].create_volume(VolumeSpec(name="sparse", size="2TiB"))
    try:
        server.reset_counts()
        with volume.open_writer() as writer:
            for offset in (0, 1 << 40, (2 << 40) - 4096):
                writer.write(offset, os.urandom(4096))
            writer.zero(1 << 30, 1 << 30)
        assert server.counts()["Send"] < 40
    finally:
        volume.delete()


@pytest.fixture
def filled(server: Running, host: hvsdk.Host) -> Iterator[hvsdk.Volume]:
    volume = host.storage_pools()[0].create_volume(VolumeSpec(name="filled", size="8MiB"))
    poke(server, volume.id, b"before")
    yield volume
    server.clear_faults()
    volume.delete()


def closing(volume: hvsdk.Volume) -> hvsdk.VolumeWriter:
    writer = volume.open_writer()
    for at in range(0, 6 * MIB, MIB):
        writer.write(at, os.urandom(MIB))
    return writer


@pytest.mark.parametrize(
    "fault", ["Send:drop-before:1", "Receive:drop-after:1", "Send:shell-gone:1", "Send:process-gone:1"]
)
@pytest.mark.parametrize("after", [0, 12])
def test_what_breaks_once_does_not_break_the_writing(
    server: Running, filled: hvsdk.Volume, fault: str, after: int
) -> None:
    writer = closing(filled)
    if after:
        server.fault(f"{fault.partition(':')[0]}:slow=0:{after}")
    server.fault(fault)
    writer.close()
    assert server.faults()[-1]["taken"] == 1
    assert read(server, filled) not in (b"", b"before")
    assert not parts(server)


def test_whichever_answer_is_lost_the_new_content_takes_the_place(server: Running, filled: hvsdk.Volume) -> None:
    """That to the last step, too, which is not made twice: whether it was is looked up."""
    writer = filled.open_writer()
    writer.write(0, b"first")
    writer.flush()  # what was in the volume has come here with that, and is not asked for again
    for lost in range(20):
        server.clear_faults()
        if lost:
            server.fault(f"Receive:slow=0:{lost}")
        server.fault("Receive:drop-after:1")
        writer.write(0, b"lost %02d" % lost)
        writer.flush()
        assert read(server, filled) == b"lost %02d" % lost
        assert not parts(server)
        if not server.faults()[-1]["taken"]:
            break
    assert 3 <= lost < 19  # to create, write and finish there was an answer each
    server.clear_faults()
    writer.abort()


def test_a_host_that_stays_away_keeps_the_volume_as_it_was(server: Running, filled: hvsdk.Volume) -> None:
    writer = closing(filled)
    server.fault("Send:slow=0:10")
    server.fault("Send:drop-before:1000")
    with pytest.raises(errors.ConnectionLostError):
        writer.close()
    writer.abort()
    server.clear_faults()
    assert read(server, filled) == b"before"
    for name in parts(server):
        Path(str(server.root), name).unlink()


def test_giving_up_in_the_middle_leaves_the_volume_as_it_was(server: Running, filled: hvsdk.Volume) -> None:
    writer = closing(filled)
    server.fault("Send:slow=0.2:100")
    failed: list[BaseException] = []

    def close() -> None:
        try:
            writer.close()
        except errors.HvsdkError as error:
            failed.append(error)

    thread = threading.Thread(target=close)
    thread.start()
    assert wait(lambda: parts(server))
    writer.abort()
    thread.join(30)
    server.clear_faults()
    assert failed
    assert read(server, filled) == b"before"
    assert wait(lambda: not parts(server))


def test_a_volume_that_is_gone_when_it_is_to_be_replaced(server: Running, host: hvsdk.Host) -> None:
    volume = host.storage_pools()[0].create_volume(VolumeSpec(name="vanishes", size="8MiB"))
    writer = closing(volume)
    server.act("file", path=volume.id, gone=True)
    with pytest.raises(errors.VolumeNotFoundError):
        writer.close()
    writer.abort()
    assert not parts(server)


def test_one_request_a_mebibyte(server: Running) -> None:
    with connect(server) as host:
        volume = host.storage_pools()[0].create_volume(VolumeSpec(name="counted", size="8MiB"))
        writer = closing(volume)
        server.reset_counts()
        writer.close()
        assert server.counts()["Receive"] <= 6 + 8
        volume.delete()


def wait(happens: Callable[[], object], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
