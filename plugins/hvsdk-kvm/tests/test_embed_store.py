"""The directory that stands in for a storage pool where libvirt runs without one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hvsdk import DiskSpec
from hvsdk.errors import (
    AlreadyExistsError,
    HvsdkError,
    InsufficientResourcesError,
    InvalidSpecError,
    OperationFailedError,
    StoragePoolNotFoundError,
    VolumeNotFoundError,
)
from making_support import MIB, ODD_NAMES

from hvsdk_kvm._embed_store import EmbedStore
from hvsdk_kvm._store import check_volume_name, fresh_name
from hvsdk_kvm._volumes import resolve_disk


@pytest.fixture
def store(tmp_path: Path) -> EmbedStore:
    return EmbedStore(tmp_path / "images")


def test_there_is_one_pool_and_it_is_the_default(store: EmbedStore, tmp_path: Path) -> None:
    (pool,) = store.pools()
    assert (pool.name, pool.type, pool.active, pool.path) == ("default", "dir", True, str(tmp_path / "images"))
    assert store.pool(None).id == store.pool("default").id == pool.id
    assert pool.free_bytes is not None
    with pytest.raises(StoragePoolNotFoundError):
        store.pool("other")


@pytest.mark.parametrize("format", ["qcow2", "raw", None])
def test_a_volume_is_as_asked(store: EmbedStore, format: str | None) -> None:
    made = store.create(store.pool(None), "a", 4 * MIB, format)
    assert (made.capacity_bytes, made.format, made.backing) == (4 * MIB, format or "qcow2", None)
    assert [volume.replace(allocated_bytes=None) for volume in store.volumes("default")] == [
        made.replace(allocated_bytes=None)
    ]
    assert store.volume("default", "a").path == made.path


@pytest.mark.parametrize("name", [name for name in ODD_NAMES.values() if len(name.encode()) < 240])
def test_odd_names_are_names(store: EmbedStore, name: str) -> None:
    made = store.create(store.pool(None), check_volume_name(name), MIB, None)
    assert [volume.id for volume in store.volumes("default")] == [made.id] == [name]
    above = store.overlay(made, store.pool(None), "above")
    assert above.backing == made.path
    store.resize(made, 2 * MIB)
    assert store.volume("default", name).capacity_bytes == 2 * MIB
    store.delete(above)
    store.delete(made)
    assert store.volumes("default") == []


@pytest.mark.parametrize("name", ["a/b", "..", ".", "two\nlines", "x" * 241])
def test_names_that_no_file_can_have_are_refused(name: str) -> None:
    with pytest.raises(InvalidSpecError):
        check_volume_name(name)


@pytest.mark.parametrize("volume_id", ["../secret", "/etc/passwd", "no-such", ".."])
def test_nothing_outside_the_directory_is_a_volume(store: EmbedStore, tmp_path: Path, volume_id: str) -> None:
    store.pools()
    (tmp_path / "secret").write_text("x")
    with pytest.raises(VolumeNotFoundError):
        store.volume("default", volume_id)


def test_a_name_is_not_given_twice(store: EmbedStore) -> None:
    made = store.create(store.pool(None), "a", MIB, None)
    with pytest.raises(AlreadyExistsError):
        store.create(store.pool(None), "a", 2 * MIB, None)
    assert store.volume("default", "a").capacity_bytes == made.capacity_bytes


@pytest.mark.parametrize(("name", "format"), [("a", "vhdx"), ("a.raw", "qcow2"), (".hidden", "raw")])
def test_what_would_not_be_read_back_is_refused(store: EmbedStore, name: str, format: str) -> None:
    with pytest.raises(InvalidSpecError):
        store.create(store.pool(None), name, MIB, format)
    assert store.volumes("default") == []


def test_a_raw_file_that_looks_like_another_format_is_read_by_its_name(store: EmbedStore) -> None:
    disk = store.create(store.pool(None), "disk.raw", MIB, "raw")
    with open(str(disk.path), "r+b") as file:
        file.write(b"QFI\xfb" + bytes(100))
    seen = store.volume("default", "disk.raw")
    assert (seen.format, seen.capacity_bytes) == ("raw", MIB)


def test_a_copy_has_nothing_below_it(store: EmbedStore) -> None:
    pool = store.pool(None)
    base = store.create(pool, "base.qcow2", 2 * MIB, None)
    above = store.overlay(base, pool, "above.qcow2")
    assert [volume.name for volume in store.chain(str(above.path))] == ["above.qcow2", "base.qcow2"]
    assert [volume.name for volume in store.lying_on(str(base.path))] == ["above.qcow2"]
    copy = store.copy(above, pool, "copy.raw", "raw")
    assert (copy.format, copy.capacity_bytes, copy.backing) == ("raw", 2 * MIB, None)


def test_a_chain_that_bites_its_tail_ends(store: EmbedStore) -> None:
    pool = store.pool(None)
    first = store.create(pool, "a.qcow2", MIB, None)
    second = store.overlay(first, pool, "b.qcow2")
    subprocess.run(
        ["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", str(second.path), str(first.path)], check=True
    )
    assert [volume.name for volume in store.chain(str(second.path))] == ["b.qcow2", "a.qcow2"]


def test_an_upload_is_there_to_the_byte(store: EmbedStore) -> None:
    made = store.upload(store.pool(None), "seed.iso", bytes(range(256)) * 100)
    assert Path(str(made.path)).read_bytes() == bytes(range(256)) * 100
    assert made.format == "raw"


def test_what_fails_leaves_no_file(store: EmbedStore, tmp_path: Path) -> None:
    pool = store.pool(None)
    base = store.create(pool, "base.qcow2", MIB, None)
    Path(str(base.path)).write_bytes(b"broken")
    with pytest.raises(OperationFailedError, match="qemu-img"):
        store.copy(base, pool, "copy.qcow2", None)
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["base.qcow2"]


def test_a_full_disk_is_told_as_such_and_leaves_no_file(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    source = EmbedStore(tmp_path / "images")
    data = source.upload(source.pool(None), "data.raw", bytes(range(1, 256)) * 16_000)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], check=True)
    try:
        store = EmbedStore(small)
        for make in (
            lambda: store.copy(data, store.pool(None), "copy.raw", "raw"),
            lambda: store.upload(store.pool(None), "seed.iso", bytes(2 * MIB)),
        ):
            with pytest.raises(InsufficientResourcesError):
                make()
            assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_damaged_file_does_not_hide_the_others(store: EmbedStore) -> None:
    pool = store.pool(None)
    store.create(pool, "good.qcow2", MIB, None)
    Path(str(pool.path), "bad.qcow2").write_bytes(b"QFI\xfb nonsense")
    assert "good.qcow2" in [volume.name for volume in store.volumes("default")]
    with pytest.raises(HvsdkError):
        store.overlay(store.volume("default", "bad.qcow2"), pool, "above.qcow2")


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_volumes_are_named_after_their_domain_as_far_as_files_can(name: str) -> None:
    first, second = fresh_name(name, "vda", "qcow2"), fresh_name(name, "vda", "qcow2")
    assert first != second
    assert check_volume_name(first).endswith(".qcow2")
    assert not first.startswith(("-", "."))
    assert first.isascii()


def test_first_bytes_that_name_a_further_file_tell_no_format(store: EmbedStore) -> None:
    base = store.create(store.pool(None), "base.raw", MIB, "raw")
    above = store.overlay(base, store.pool(None), "above")
    assert (above.format, above.backing) == (None, base.path)
    assert [volume.id for volume in store.lying_on(base.path or "")] == ["above"]
    with pytest.raises(InvalidSpecError, match="format"):
        resolve_disk(store, DiskSpec(source="above"))
    assert resolve_disk(store, DiskSpec(source="above", format="qcow2")).format == "qcow2"


def test_what_lies_below_has_the_format_that_is_told_above(store: EmbedStore) -> None:
    secret = store.create(store.pool(None), "secret.raw", MIB, "raw")
    forged = store.overlay(secret, store.pool(None), "guest")
    above = store.overlay(forged.replace(format="raw"), store.pool(None), "above.qcow2")
    assert [(volume.id, volume.format) for volume in store.chain(above.path or "")] == [
        ("above.qcow2", "qcow2"),
        ("guest", "raw"),
    ]


def test_a_backing_file_is_known_however_its_name_is_written(store: EmbedStore) -> None:
    base = store.create(store.pool(None), "base.raw", MIB, "raw")
    node = {"driver": "raw", "file": {"driver": "file", "filename": base.path}}
    directory = Path(base.path or "").parent
    for number, name in enumerate(("json:" + json.dumps(node), f"file:{base.path}", f"{directory}/../images/base.raw")):
        above = directory / f"above-{number}.qcow2"
        made = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", name, "-F", "raw", str(above)]
        subprocess.run(made, check=True, capture_output=True)
    assert len(store.lying_on(base.path or "")) == 3
