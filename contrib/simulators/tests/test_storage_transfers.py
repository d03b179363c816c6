"""Disks sent and taken over HTTP, as they are and as VHD; `qemu-img` reads what we write and writes what we read."""

import hashlib
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.storage.vhd import chs
from hvsdk_simulators.xapi.units import GIB, MIB
from storage_pool import Pool

needs_qemu = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


@pytest.fixture
def vdi(pool: Pool) -> Object:
    made = pool.vdi(size=62 * MIB)
    disk = pool.world.storage.disk(made)
    disk.write(0, b"begin" * 1000)
    disk.write(50 * MIB - 7, b"across two blocks of the image")
    disk.write(62 * MIB - 5, b"tail!")
    return made


def qemu_img(*arguments: str) -> str:
    return subprocess.run(["qemu-img", *arguments], check=True, capture_output=True, text=True).stdout


def as_raw(image: Path, size: int) -> bytes:
    """The content of a VHD by qemu's reading of it."""
    raw = image.with_suffix(".raw")
    source = f"driver=vpc,force_size_calc=current_size,file.filename={image}"
    qemu_img("convert", "--image-opts", "-O", "raw", source, str(raw))
    content = raw.read_bytes()
    assert len(content) == size
    return content


def test_a_raw_export_is_the_disk_to_the_byte(pool: Pool, vdi: Object) -> None:
    answer = pool.request("GET", "/export_raw_vdi", vdi=vdi["uuid"], format="raw")
    assert answer.status == 200
    assert answer.answered["Content-Length"] == str(vdi["virtual_size"])
    assert answer.answered["Content-Type"] == "application/octet-stream"
    assert hashlib.sha256(answer.content).hexdigest() == pool.world.storage.disk(vdi).sha256()


def test_a_vhd_export_has_only_blocks_that_were_written(pool: Pool, vdi: Object) -> None:
    answer = pool.request("GET", "/export_raw_vdi", vdi=vdi.ref, format="vhd")
    assert "Content-Length" not in answer.answered
    assert 4 * 2 * MIB < len(answer.content) < 4 * 2 * MIB + 8192


def test_the_geometry_of_a_vhd_is_shorter_than_the_disk(pool: Pool, vdi: Object) -> None:
    answer = pool.request("GET", "/export_raw_vdi", vdi=vdi.ref, format="vhd")
    current, cylinders, heads, sectors = struct.unpack(">QHBB", answer.content[48:60])
    assert current == vdi["virtual_size"]
    assert cylinders * heads * sectors * 512 < current
    assert (cylinders, heads, sectors) == chs(current)


@needs_qemu
def test_qemu_reads_the_vhd_as_the_same_disk(pool: Pool, vdi: Object, tmp_path: Path) -> None:
    image = tmp_path / "disk.vhd"
    image.write_bytes(pool.request("GET", "/export_raw_vdi", vdi=vdi.ref, format="vhd").content)
    assert "file format: vpc" in qemu_img("info", str(image))
    content = as_raw(image, vdi["virtual_size"])
    assert hashlib.sha256(content).hexdigest() == pool.world.storage.disk(vdi).sha256()


def test_two_gibibytes_with_little_content_are_a_small_vhd(pool: Pool) -> None:
    vdi = pool.vdi(size=2 * GIB)
    pool.world.storage.disk(vdi).write(GIB + 1, b"content")
    answer = pool.request("GET", "/export_raw_vdi", vdi=vdi.ref, format="vhd")
    assert len(answer.content) < 3 * MIB


def test_a_difference_sends_what_changed_since_its_base(pool: Pool, vdi: Object) -> None:
    base = pool.call("VDI.snapshot", vdi, {})
    pool.world.storage.disk(vdi).write(40 * MIB + 9, b"changed")
    answer = pool.request("GET", "/export_raw_vdi", vdi=vdi.ref, format="vhd", base=base["uuid"])
    assert struct.unpack(">I", answer.content[60:64]) == (4,)
    assert len(answer.content) < 3 * MIB
    other = pool.vdi(size=vdi["virtual_size"])
    pool.world.storage.disk(other).write(0, pool.world.storage.disk(base).read(0, vdi["virtual_size"]))
    taken = pool.request("PUT", "/import_raw_vdi", bytes(answer.content), vdi=other.ref, format="vhd")
    assert (taken.status, taken.failure, taken.refs) == (200, [], [other.ref])
    assert pool.world.storage.disk(other).sha256() == pool.world.storage.disk(vdi).sha256()


def test_what_was_exported_is_imported_as_the_same_disk(pool: Pool, vdi: Object) -> None:
    for form in ("raw", "vhd"):
        sent = pool.request("GET", "/export_raw_vdi", vdi=vdi.ref, format=form)
        other = pool.vdi(size=vdi["virtual_size"])
        taken = pool.request("PUT", "/import_raw_vdi", bytes(sent.content), vdi=other["uuid"], format=form)
        assert (taken.status, taken.failure) == (200, [])
        assert pool.world.storage.disk(other).sha256() == pool.world.storage.disk(vdi).sha256()
        assert other["physical_utilisation"] > 3 * 65536


@needs_qemu
def test_a_vhd_of_qemu_is_imported(pool: Pool, tmp_path: Path) -> None:
    raw, image = tmp_path / "disk.raw", tmp_path / "disk.vhd"
    content = bytearray(32 * MIB)
    content[10 * MIB : 10 * MIB + 9] = b"from qemu"
    content[-4:] = b"tail"
    raw.write_bytes(content)
    qemu_img("convert", "-O", "vpc", "-o", "subformat=dynamic,force_size=on", str(raw), str(image))
    vdi = pool.vdi(size=32 * MIB)
    answer = pool.request("PUT", "/import_raw_vdi", image.read_bytes(), vdi=vdi.ref, format="vhd")
    assert answer.failure == []
    assert pool.world.storage.disk(vdi).sha256() == hashlib.sha256(content).hexdigest()


def test_a_raw_import_into_an_sr_makes_a_disk(pool: Pool) -> None:
    answer = pool.request("PUT", "/import_raw_vdi", b"x" * (2 * MIB), sr_id=pool.sr("nfs").ref)
    vdi = pool.world.db.get("VDI", answer.refs[0])
    assert (vdi["name_label"], vdi["virtual_size"]) == ("Imported VDI", 2 * MIB)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_unknown_format_is_404_and_a_failed_task(pool: Pool, vdi: Object, method: str) -> None:
    path = "/export_raw_vdi" if method == "GET" else "/import_raw_vdi"
    answer = pool.request(method, path, vdi=vdi.ref, format="floppy")
    assert (answer.status, answer.failure) == (404, ["INTERNAL_ERROR", "Unknown format floppy"])


def test_a_chunked_body_is_refused(pool: Pool, vdi: Object) -> None:
    answer = pool.request("PUT", "/import_raw_vdi", b"", {"transfer-encoding": "chunked"}, vdi=vdi.ref)
    assert (answer.status, answer.failure) == (404, ["IMPORT_ERROR_CANNOT_HANDLE_CHUNKED"])


@pytest.mark.parametrize("form", ["raw", "vhd"])
def test_an_import_that_ends_early_fails_after_its_status(pool: Pool, vdi: Object, form: str) -> None:
    content = bytes(pool.request("GET", "/export_raw_vdi", vdi=vdi.ref, format=form).content)
    other = pool.vdi(size=vdi["virtual_size"])
    headers = {"content-length": str(len(content))}
    answer = pool.request("PUT", "/import_raw_vdi", content[: 3 * MIB], headers, vdi=other.ref, format=form)
    assert answer.status == 200
    assert answer.failure[0] == "INTERNAL_ERROR"


@pytest.mark.parametrize("content", [b"", b"conectix", b"\0" * 4096, b"conectix" + b"\xff" * 4000])
def test_what_is_no_vhd_is_refused(pool: Pool, vdi: Object, content: bytes) -> None:
    answer = pool.request("PUT", "/import_raw_vdi", content, vdi=vdi.ref, format="vhd")
    assert answer.failure[0] == "INTERNAL_ERROR"


def test_more_than_the_disk_holds_is_refused(pool: Pool) -> None:
    vdi = pool.vdi(size=2 * MIB)
    answer = pool.request("PUT", "/import_raw_vdi", bytes(3 * MIB), vdi=vdi.ref)
    assert answer.failure == ["VDI_IO_ERROR", "Device I/O errors"]


def test_a_disk_that_a_vm_writes_is_neither_sent_nor_written(pool: Pool) -> None:
    vm = pool.vm("Running")
    vdi = pool.world.db.get("VDI", pool.world.db.get("VBD", vm["VBDs"][0])["VDI"])
    for method, path in (("GET", "/export_raw_vdi"), ("PUT", "/import_raw_vdi")):
        answer = pool.request(method, path, vdi=vdi.ref)
        assert (answer.status, answer.failure) == (0, ["VDI_IN_USE", vdi.ref, "attach"])


def test_a_host_that_does_not_see_the_disk_names_one_that_does(pool: Pool) -> None:
    host = pool.world.members[1].host
    sr = next(sr for sr in pool.world.db.all("SR") if sr["type"] == "ext" and not sr["shared"])
    assert pool.world.db.get("PBD", sr["PBDs"][0])["host"] == host.ref
    vdi = pool.world.storage.create_vdi(sr, MIB)
    answer = pool.request("GET", "/export_raw_vdi", vdi=vdi.ref, format="vhd")
    assert answer.status == 302
    assert answer.answered["Location"].startswith(f"https://{host['address']}/export_raw_vdi?vdi=OpaqueRef")


def test_a_disk_that_is_not_there_is_named(pool: Pool) -> None:
    answer = pool.request("GET", "/export_raw_vdi", vdi="nothing")
    assert answer.failure == ["UUID_INVALID", "VDI", "nothing"]
