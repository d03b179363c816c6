"""VMs sent and taken as XVA archives."""

import gzip
import io
import tarfile
from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.units import GIB, MIB
from storage_pool import Answer, Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(domains=8) as made:
        yield made


@pytest.fixture
def vm(pool: Pool) -> Object:
    """A halted VM with one disk of 4 MiB and an empty CD drive."""
    found = pool.vm("Halted")
    for ref in list(found["VBDs"]):
        vbd = pool.world.db.get("VBD", ref)
        if vbd["type"] == "Disk":
            pool.world.db.delete(vbd)
    vdi = pool.vdi(size=4 * MIB)
    pool.world.storage.disk(vdi).write(2 * MIB + 5, b"content")
    pool.drive(found, vdi)
    return found


def exported(pool: Pool, vm: Object, **query: str) -> bytes:
    answer = pool.request("GET", "/export", uuid=vm["uuid"], **query)
    assert (answer.status, answer.failure) == (200, [])
    return bytes(answer.content)


def imported(pool: Pool, content: bytes, **query: str) -> Answer:
    return pool.request("PUT", "/import", content, **query)


def disk_of(pool: Pool, vm: Object) -> Object:
    drives = [pool.world.db.get("VBD", ref) for ref in vm["VBDs"]]
    return pool.world.db.get("VDI", next(vbd["VDI"] for vbd in drives if vbd["type"] == "Disk"))


def test_an_archive_is_a_tar_with_the_records_first(pool: Pool, vm: Object) -> None:
    with tarfile.open(fileobj=io.BytesIO(exported(pool, vm))) as archive:
        names = archive.getnames()
        records = archive.extractfile("ova.xml")
        assert records is not None
        text = records.read().decode()
    assert names[0] == "ova.xml"
    pieces = [name.partition("/")[2] for name in names[1:]]
    assert pieces == [f"{number:08d}{end}" for number in (0, 2, 3) for end in ("", ".checksum")]
    assert vm["uuid"] in text
    assert "OpaqueRef" not in text.replace(NULL, "")


@pytest.mark.parametrize("compression", ["false", "true"])
def test_what_was_exported_is_imported_with_its_disk(pool: Pool, vm: Object, compression: str) -> None:
    content = exported(pool, vm, use_compression=compression)
    answer = imported(pool, content, sr_id=pool.sr("lvmoiscsi").ref)
    assert answer.failure == []
    new = pool.world.db.get("VM", answer.refs[0])
    assert new["uuid"] != vm["uuid"]
    assert (new["name_label"], new["power_state"]) == (vm["name_label"], "Halted")
    assert len(new["VIFs"]) == len(vm["VIFs"])
    assert len(new["VBDs"]) == len(vm["VBDs"])
    disk = disk_of(pool, new)
    assert disk["SR"] == pool.sr("lvmoiscsi").ref
    assert pool.world.storage.disk(disk).sha256() == pool.world.storage.disk(disk_of(pool, vm)).sha256()


def test_restoring_keeps_uuid_and_macs_and_refuses_a_second_one(pool: Pool, vm: Object) -> None:
    content = exported(pool, vm)
    assert imported(pool, content, restore="true").failure == ["DUPLICATE_VM", vm.ref]
    macs = [pool.world.db.get("VIF", ref)["MAC"] for ref in vm["VIFs"]]
    uuid = vm["uuid"]
    pool.call("VM.destroy", vm)
    new = pool.world.db.get("VM", imported(pool, content, restore="true").refs[0])
    assert new["uuid"] == uuid
    assert [pool.world.db.get("VIF", ref)["MAC"] for ref in new["VIFs"]] == macs


@pytest.mark.parametrize("length", [3000, MIB, 3 * MIB + 7])
def test_an_archive_that_ends_early_leaves_nothing_behind(pool: Pool, vm: Object, length: int) -> None:
    content = exported(pool, vm)
    classes = ("VM", "VBD", "VIF", "VDI", "VM_metrics")
    before = [pool.world.db.count(cls) for cls in classes]
    assert imported(pool, content[:-length]).failure == ["IMPORT_ERROR_PREMATURE_EOF"]
    assert [pool.world.db.count(cls) for cls in classes] == before


def test_a_wrong_checksum_leaves_nothing_behind(pool: Pool, vm: Object) -> None:
    content = exported(pool, vm).replace(b"content", b"CONTENT")
    before = pool.world.db.count("VDI")
    assert imported(pool, content).failure == ["IMPORT_ERROR_SOME_CHECKSUMS_FAILED"]
    assert pool.world.db.count("VDI") == before


@pytest.mark.parametrize("content", [b"", b"\0" * 2048, b"nonsense" * 400, gzip.compress(b"nonsense" * 400)])
def test_what_is_no_archive_is_refused(pool: Pool, content: bytes) -> None:
    assert imported(pool, content).failure == ["IMPORT_ERROR_PREMATURE_EOF"]


def test_an_archive_needs_an_sr(pool: Pool, vm: Object) -> None:
    content = exported(pool, vm)
    pool.world.db.update(pool.world.pool, default_SR=NULL)
    assert imported(pool, content).failure == ["DEFAULT_SR_NOT_FOUND", NULL]


def test_a_running_vm_is_not_exported(pool: Pool) -> None:
    answer = pool.request("GET", "/export", uuid=pool.vm("Running")["uuid"])
    assert answer.failure[0] == "VM_BAD_POWER_STATE"


def test_records_alone_find_the_disks_that_are_here(pool: Pool, vm: Object) -> None:
    sent = pool.request("GET", "/export_metadata", uuid=vm["uuid"])
    assert sent.answered["Content-Length"] == str(len(sent.content))
    dry = pool.request("PUT", "/import_metadata", bytes(sent.content), dry_run="true")
    assert (dry.failure, dry.refs) == ([], [])
    taken = pool.request("PUT", "/import_metadata", bytes(sent.content))
    new = pool.world.db.get("VM", taken.refs[0])
    assert disk_of(pool, new) is disk_of(pool, vm)
    pool.call("VM.destroy", new)
    pool.call("VDI.destroy", disk_of(pool, vm))
    missing = pool.request("PUT", "/import_metadata", bytes(sent.content))
    assert missing.failure == ["IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND"]
    assert pool.request("PUT", "/import_metadata", bytes(sent.content), force="true").failure == []


def test_a_suspended_vm_keeps_its_memory(pool: Pool) -> None:
    vm = pool.vm("Suspended")
    for ref in list(vm["VBDs"]):
        pool.world.db.delete(pool.world.db.get("VBD", ref))
    saved = pool.vdi(size=4 * MIB)
    pool.world.db.update(saved, type="suspend")
    pool.world.storage.disk(saved).write(7, b"memory")
    pool.world.db.update(vm, suspend_VDI=saved.ref)
    new = pool.world.db.get("VM", imported(pool, exported(pool, vm)).refs[0])
    assert new["power_state"] == "Suspended"
    copy = pool.world.db.get("VDI", new["suspend_VDI"])
    assert (copy["type"], pool.world.storage.disk(copy).read(7, 6)) == ("suspend", b"memory")


def test_all_records_are_sent_at_once(pool: Pool) -> None:
    answer = pool.request("GET", "/export_metadata", all="true")
    with tarfile.open(fileobj=io.BytesIO(bytes(answer.content))) as archive:
        records = archive.extractfile("ova.xml")
        assert records is not None
        text = records.read().decode()
    assert all(
        vm["uuid"] in text for vm in pool.world.db.all("VM") if not vm["is_a_template"] and not vm["is_control_domain"]
    )
    assert len(text) < GIB
