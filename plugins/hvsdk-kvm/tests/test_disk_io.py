"""Reading disks and writing volumes, locally and through a daemon's streams."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import hvsdk
import pytest
from hvsdk import errors
from hvsdk_testbed.bootsector import make_disk, make_sector, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from hvsdk_testbed.libvirtd import PrivateLibvirtd
from kvm_support import discard_all

MIB = 2**20
SIZE = 64 * MIB


@attrs.frozen
class Place:
    """A host and the directory of its default pool."""

    host: hvsdk.Host
    directory: Path
    log: Path

    def guest(self, form: str = "qcow2") -> hvsdk.Domain:
        """Make a domain whose disk has its boot sector, and nines from 3 to 4 MiB."""
        path = self.directory / f"web.{form}"
        make_disk(path, "web", SIZE, "raw" if form == "raw" else "qcow2")
        write(path, form, 9)
        disk = DiskXML(path=path, format="raw" if form == "raw" else "qcow2")
        self.host.native().defineXML(domain_xml("web", [disk], serial_file=self.log))
        return self.host.domain("web")

    @property
    def pool(self) -> hvsdk.StoragePool:
        return self.host.storage_pool("default")


def write(path: Path, form: str, value: int) -> None:
    """Write a mebibyte of one value at 3 MiB of an image."""
    subprocess.run(["qemu-io", "-f", form, "-c", f"write -P {value} 3M 1M", path], check=True, capture_output=True)


@pytest.fixture(params=["embedded", "daemon"])
def place(
    request: pytest.FixtureRequest, embed_host: hvsdk.Host, images: Path, libvirtd: PrivateLibvirtd, tmp_path: Path
) -> Iterator[Place]:
    """Files that can be opened here, then files that only a daemon's streams give."""
    if request.param == "embedded":
        yield Place(embed_host, images, tmp_path / "log")
        return
    with hvsdk.connect(libvirtd.uri) as host:
        yield Place(host, libvirtd.pool_directory, tmp_path / "log")
        discard_all(host.native())
        for file in libvirtd.pool_directory.iterdir():
            file.unlink()
        host.native().storagePoolLookupByName("default").refresh()  # it does not notice by itself


def test_a_disk_reads_as_the_guest_sees_it(place: Place) -> None:
    with place.guest().open_disk("vda") as disk:
        assert disk.size == SIZE
        assert disk.read(0, 512) == make_sector("web")
        assert disk.read(3 * MIB - 2, 4) == b"\0\0\x09\x09"
        assert disk.read(SIZE - 3, 3) == bytes(3)


def test_extents_cover_the_disk_and_tell_its_holes(place: Place) -> None:
    with place.guest().open_disk("vda") as disk:
        extents = list(disk.extents())
        holes = [extent for extent in extents if extent.zero]
        assert extents[0].offset == 0
        assert all(a.offset + a.length == b.offset for a, b in itertools.pairwise(extents))
        assert extents[-1].offset + extents[-1].length == SIZE
        assert sum(extent.length for extent in holes) > SIZE - 2 * MIB
        assert any(not e.zero and e.offset <= 3 * MIB and e.offset + e.length >= 4 * MIB for e in extents)


def test_threads_read_one_disk_at_once(place: Place) -> None:
    with place.guest().open_disk("vda") as disk, ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda offset: disk.read(offset, MIB), range(0, SIZE, MIB)))
    assert parts[3] == b"\x09" * MIB
    assert parts[0][:512] == make_sector("web")
    assert all(part == bytes(MIB) for part in parts[4:])


def test_a_raw_disk_is_not_taken_for_what_its_guest_wrote(place: Place) -> None:
    domain = place.guest("raw")
    with (place.directory / "web.raw").open("r+b") as file:
        file.write(b"QFI\xfb" + bytes(508))
    with domain.open_disk("vda") as disk:
        assert disk.size == SIZE
        assert disk.read(0, 4) == b"QFI\xfb"


def test_a_snapshot_inside_the_file_is_read_while_the_guest_runs(place: Place) -> None:
    domain = place.guest()
    snapshot = domain.create_snapshot("then, now")
    write(place.directory / "web.qcow2", "qcow2", 5)
    domain.start()
    with domain.open_disk("vda", snapshot=snapshot) as disk:
        assert disk.read(3 * MIB, 2) == b"\x09\x09"
    with pytest.raises(errors.PowerStateError):
        domain.open_disk("vda")
    domain.power_off()
    with domain.open_disk("vda") as disk:
        assert disk.read(3 * MIB, 2) == b"\x05\x05"


def test_a_snapshot_beside_the_file_and_all_below_is_read(place: Place) -> None:
    domain = place.guest("raw")
    first = domain.create_snapshot("first")
    write(Path(domain.refresh().disks[0].source or ""), "qcow2", 5)
    second = domain.create_snapshot("second")
    write(Path(domain.refresh().disks[0].source or ""), "qcow2", 6)
    for snapshot, value in ((first, 9), (second, 5), (None, 6)):
        with domain.open_disk("vda", snapshot=snapshot) as disk:
            assert disk.size == SIZE
            assert disk.read(3 * MIB, MIB) == bytes([value]) * MIB
            assert disk.read(0, 512) == make_sector("web")


def test_the_disk_of_a_suspended_domain_is_read(place: Place) -> None:
    domain = place.guest()
    domain.start()
    domain.suspend()
    with domain.open_disk("vda") as disk:
        assert disk.read(0, 512) == make_sector("web")
    assert domain.refresh().power_state == "suspended"


def test_what_is_not_there_is_not_read(place: Place) -> None:
    domain = place.guest()
    with pytest.raises(errors.DiskNotFoundError):
        domain.open_disk("vdz")
    (place.directory / "web.qcow2").unlink()
    with pytest.raises(errors.HvsdkError):
        domain.open_disk("vda")


def test_nothing_runs_on_when_a_disk_is_closed(place: Place) -> None:
    domain = place.guest()
    before, servers = set(threading.enumerate()), our_servers()
    disk = domain.open_disk("vda")
    assert our_servers() - servers
    disk.close()
    disk.close()
    assert not our_servers() - servers
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("hvsdk-volume")]


def our_servers() -> set[Path]:
    """Return the processes of ours that serve disks."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            parent = path.with_name("status").read_text().split("PPid:\t")[1].split("\n")[0]
        except OSError:
            continue
        if words[0].endswith(b"qemu-nbd") and parent == str(threading.main_thread().native_id):
            found.add(path)
    return found


@pytest.mark.parametrize("form", ["qcow2", "raw"])
def test_a_volume_that_is_written_boots(place: Place, form: str) -> None:
    volume = place.pool.create_volume(name=f"new.{form}", size=8 * MIB, format=form)
    with volume.open_writer() as writer:
        assert writer.size == 8 * MIB
        writer.write(5 * MIB + 3, b"hello" * 100_000)
        writer.write(0, make_sector("new"))
        writer.zero(5 * MIB, MIB // 2)
        writer.write(8 * MIB - 1, b"z")
        writer.flush()
    disk = DiskXML(path=place.directory / f"new.{form}", format="raw" if form == "raw" else "qcow2")
    place.host.native().defineXML(domain_xml("new", [disk], serial_file=place.log))
    domain = place.host.domain("new")
    with domain.open_disk("vda") as reader:
        assert reader.read(5 * MIB, MIB // 2) == bytes(MIB // 2)
        assert reader.read(5 * MIB + 3, 500_000)[MIB // 2 - 3 :] == (b"hello" * 100_000)[MIB // 2 - 3 :]
        assert reader.read(8 * MIB - 1, 1) == b"z"
    with Console(place.log) as console:
        domain.start()
        console.wait(up_line("new"))
    if form == "qcow2":
        domain.power_off()
        subprocess.run(["qemu-img", "check", "-q", disk.path], check=True)


def test_an_abandoned_writer_lets_go_of_the_volume(place: Place) -> None:
    volume = place.pool.create_volume(name="new.qcow2", size=8 * MIB)
    with contextlib.suppress(RuntimeError), volume.open_writer() as writer:
        writer.write(0, b"half")
        raise RuntimeError("the source broke")
    with volume.open_writer() as writer:
        writer.write(0, make_sector("new"))
    volume.delete()


def test_a_volume_in_use_is_not_written(place: Place) -> None:
    place.pool.create_volume(name="taken.qcow2", size=MIB)
    disk = DiskXML(path=place.directory / "taken.qcow2")
    place.host.native().defineXML(domain_xml("web", [disk]))
    with pytest.raises(errors.BusyError, match="web"):
        place.pool.volume("taken.qcow2").open_writer()


def test_a_volume_on_top_of_another_is_written_only_where_it_is(place: Place) -> None:
    domain = place.guest()
    clone = domain.clone("linked", linked=True)
    name = Path(clone.disks[0].source or "").name
    clone.delete()
    volume = place.pool.refresh().volume(name)
    if place.directory.name == "images":
        with volume.open_writer() as writer:
            writer.write(3 * MIB, b"new")
        return
    with pytest.raises(errors.UnsupportedError, match="lies on another"):
        volume.open_writer()


def test_a_reader_whose_server_is_gone_says_so(place: Place) -> None:
    domain, before = place.guest(), our_servers()
    disk = domain.open_disk("vda")
    (server,) = our_servers() - before
    os.kill(int(server.parent.name), signal.SIGKILL)
    with pytest.raises(errors.OperationFailedError, match="disk's server"):
        disk.read(0, 512)
    disk.close()


def test_a_closed_reader_reads_no_more(place: Place) -> None:
    disk = place.guest().open_disk("vda")
    disk.close()
    with pytest.raises((errors.HvsdkError, ValueError)):
        disk.read(0, 512)
