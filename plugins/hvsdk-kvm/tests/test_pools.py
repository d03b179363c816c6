"""Pools and volumes of a libvirt daemon, and domains whose disks lie in them."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hvsdk
import pytest
from hvsdk import DiskSpec, Host, NicSpec, StoragePool, VolumeSpec
from hvsdk.errors import (
    AlreadyExistsError,
    BusyError,
    HvsdkError,
    InsufficientResourcesError,
    InvalidSpecError,
    NetworkNotFoundError,
    OperationFailedError,
    StoragePoolNotFoundError,
    VolumeNotFoundError,
)
from hvsdk.models import CloudInit
from hvsdk_testbed.bootsector import make_disk
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from hvsdk_testbed.libvirtd import PrivateLibvirtd, pool_xml
from kvm_support import discard_all, finish, soon
from making_support import MIB, ODD_NAMES, boot_disk, definition, spec

from hvsdk_kvm._driver import KvmDriver
from hvsdk_kvm._pool_store import PoolStore
from hvsdk_kvm._store import store_of

_numbers = itertools.count()


@pytest.fixture
def host(libvirtd: PrivateLibvirtd) -> Iterator[Host]:
    """A host on the shared daemon, without a domain, a volume or another pool before and after."""
    with hvsdk.connect(libvirtd.uri, virt_type="qemu") as connected:
        yield connected
        discard_all(connected.native())
        for pool in connected.native().listAllStoragePools():
            if pool.name() == "default":
                for volume in pool.listAllVolumes():
                    volume.delete(0)
            else:
                if pool.isActive():
                    pool.destroy()
                pool.undefine()


@pytest.fixture
def pool(host: Host) -> StoragePool:
    return host.storage_pool("default")


def add_pool(host: Host, name: str, directory: Path, *, active: bool = True) -> None:
    """Give the daemon another pool."""
    directory.mkdir(exist_ok=True)
    handle = host.native().storagePoolDefineXML(pool_xml(name, directory))
    if active:
        handle.create()


def test_pools_are_listed_with_their_sizes(host: Host, libvirtd: PrivateLibvirtd, tmp_path: Path) -> None:
    add_pool(host, "it's <off>", tmp_path / "off", active=False)
    pools = {pool.name: pool for pool in host.storage_pools()}
    assert pools.keys() == {"default", "it's <off>"}
    default, off = pools["default"].info, pools["it's <off>"].info
    assert (default.type, default.active, default.path) == ("dir", True, str(libvirtd.pool_directory))
    assert default.capacity_bytes is not None
    assert default.capacity_bytes > 0
    assert (off.active, off.capacity_bytes) == (False, None)


@pytest.mark.parametrize("format", [None, "raw", "qcow2"])
def test_a_volume_is_made_listed_and_removed(pool: StoragePool, format: str | None) -> None:
    made = pool.create_volume(VolumeSpec(name="a", size="4MiB", format=format))
    assert (made.capacity_bytes, made.format, made.backing) == (4 * MIB, format or "qcow2", None)
    assert [volume.id for volume in pool.volumes()] == [made.id]
    assert made.path is not None
    assert Path(made.path).stat().st_blocks * 512 < 2 * MIB
    made.delete()
    assert pool.volumes() == []


@pytest.mark.parametrize("name", [name for name in ODD_NAMES.values() if len(name.encode()) < 240])
def test_odd_names_of_volumes_are_names(host: Host, pool: StoragePool, name: str) -> None:
    made = pool.create_volume(VolumeSpec(name=name, size="1MiB"))
    assert [volume.name for volume in pool.volumes()] == [name]
    domain = host.create_domain(spec(disks=[DiskSpec(source=name, pool="default")]))
    assert [disk.source for disk in domain.info.disks] == [made.path]
    domain.delete(disks="delete")
    assert pool.volumes() == []


@pytest.mark.parametrize("name", ["a/b", "..", "two\nlines", "x" * 241])
def test_names_that_no_volume_can_have_are_refused(pool: StoragePool, name: str) -> None:
    with pytest.raises(InvalidSpecError):
        pool.create_volume(VolumeSpec(name=name, size="1MiB"))
    assert pool.volumes() == []


def test_a_name_is_not_given_twice(pool: StoragePool) -> None:
    pool.create_volume(VolumeSpec(name="a", size="1MiB"))
    with pytest.raises(AlreadyExistsError):
        pool.create_volume(VolumeSpec(name="a", size="2MiB"))
    assert [volume.capacity_bytes for volume in pool.volumes()] == [MIB]


def test_what_is_not_there_is_not_found(host: Host, pool: StoragePool, daemon: KvmDriver) -> None:
    with pytest.raises(StoragePoolNotFoundError):
        daemon.list_volumes("nowhere", deadline=soon())
    with pytest.raises(VolumeNotFoundError):
        daemon.delete_volume(pool.id, "nothing", deadline=soon())
    with pytest.raises(VolumeNotFoundError):
        host.create_domain(spec(disks=[DiskSpec(source=f"{pool.path}/nothing")]))


def test_a_pool_that_is_off_says_so(host: Host, tmp_path: Path) -> None:
    add_pool(host, "off", tmp_path / "off", active=False)
    with pytest.raises(OperationFailedError, match="not active"):
        host.storage_pool("off").volumes()
    with pytest.raises(OperationFailedError, match="not active"):
        host.create_domain(spec(disks=[DiskSpec(size="1MiB", pool="off")]))
    assert host.domains() == []


def test_a_volume_in_use_is_not_removed(host: Host, daemon: KvmDriver, pool: StoragePool) -> None:
    used = pool.create_volume(VolumeSpec(name="used", size="1MiB"))
    host.create_domain(spec(disks=[DiskSpec(source=used.path)]))
    store = store_of(daemon)
    base = store.create(store.pool(None), "base", MIB, None)
    store.overlay(base, store.pool(None), "above")
    for volume, reason in ((used.id, "domain 'web'"), (base.id, "above")):
        with pytest.raises(BusyError, match=reason):
            daemon.delete_volume(pool.id, volume, deadline=soon())
    assert {volume.name for volume in pool.volumes()} == {"used", "base", "above"}


def test_a_file_that_libvirt_has_not_seen_yet_is_found(host: Host, pool: StoragePool) -> None:
    path = boot_disk(f"{pool.path}/late.qcow2")
    domain = host.create_domain(spec(disks=[DiskSpec(source=path)]))
    assert [disk.format for disk in domain.info.disks] == ["qcow2"]


def test_a_file_in_no_pool_needs_its_format_and_is_not_removed(host: Host, tmp_path: Path) -> None:
    path = boot_disk(tmp_path / "mine.img")
    with pytest.raises(InvalidSpecError, match="format"):
        host.create_domain(spec(disks=[DiskSpec(source=path)]))
    with pytest.raises(InvalidSpecError, match="copied"):
        host.create_domain(spec(disks=[DiskSpec(source=path, copy=True, format="qcow2"), DiskSpec(size="1MiB")]))
    domain = host.create_domain(spec(disks=[DiskSpec(source=path, format="qcow2")]))
    with pytest.raises(InvalidSpecError, match="no storage pool"):
        domain.delete(disks="delete")
    domain.delete()
    assert Path(path).exists()


def test_a_domain_is_made_from_a_copy_in_another_pool(host: Host, pool: StoragePool, tmp_path: Path) -> None:
    boot_disk(f"{pool.path}/golden.qcow2")
    host.native().storagePoolLookupByName("default").refresh()
    add_pool(host, "other", tmp_path / "other")
    domain = host.create_domain(
        spec(
            disks=[DiskSpec(source=f"{pool.path}/golden.qcow2", copy=True, pool="other", size="20MiB")],
            nics=[NicSpec()],
            cloud_init=CloudInit(user_data="#cloud-config\nx: hidden-7\n"),
        )
    )
    volumes = host.storage_pool("other").volumes()
    assert sorted((volume.format, volume.capacity_bytes) for volume in volumes if volume.format == "qcow2") == [
        ("qcow2", 20 * MIB)
    ]
    assert [nic.network for nic in domain.info.nics] == ["default"]
    seed = next(disk.source for disk in domain.info.disks if disk.device == "cdrom")
    assert seed is not None
    assert b"hidden-7" in Path(seed).read_bytes()
    assert "hidden-7" not in definition(domain)
    domain.delete(disks="delete")
    assert host.storage_pool("other").volumes() == []
    assert [volume.name for volume in pool.volumes()] == ["golden.qcow2"]


@pytest.mark.parametrize("more", [{"nics": [NicSpec(network="nowhere")]}, {"nics": [NicSpec(vlan=7)]}], ids=str)
def test_networks_are_looked_up_before_anything_is_made(
    host: Host, pool: StoragePool, more: dict[str, list[NicSpec]]
) -> None:
    with pytest.raises((NetworkNotFoundError, InvalidSpecError)):
        host.create_domain(spec(disks=[DiskSpec(size="1MiB")], **more))
    assert (host.domains(), pool.volumes()) == ([], [])


def test_a_bridge_is_named_with_a_hint(host: Host) -> None:
    nic = NicSpec(network="br-7", vlan=5, hints={"kvm.type": "bridge", "kvm.virtualport": "openvswitch"})
    domain = host.create_domain(spec(nics=[nic]))
    assert [(nic.network, nic.vlan) for nic in domain.info.nics] == [("br-7", 5)]


def test_without_a_default_pool_a_choice_must_be_made(host: Host, daemon: KvmDriver, tmp_path: Path) -> None:
    default = host.native().storagePoolLookupByName("default")
    default.destroy()
    try:
        with pytest.raises(StoragePoolNotFoundError):
            host.create_domain(spec(disks=[DiskSpec(size="1MiB")]))
        add_pool(host, "one", tmp_path / "one")
        assert PoolStore(daemon).pool(None).name == "one"
        add_pool(host, "two", tmp_path / "two")
        with pytest.raises(InvalidSpecError, match="one, two"):
            host.create_domain(spec(disks=[DiskSpec(size="1MiB")]))
    finally:
        default.create()


def test_a_disk_grows_while_the_domain_is_off(host: Host, pool: StoragePool) -> None:
    domain = host.create_domain(spec(disks=[DiskSpec(size="1MiB")]))
    domain.resize_disk("vda", "3MiB")
    assert [volume.capacity_bytes for volume in pool.volumes()] == [3 * MIB]


def test_an_upload_is_there_to_the_byte(daemon: KvmDriver, pool: StoragePool) -> None:
    store = store_of(daemon)
    data = bytes(range(256)) * 4096
    made = store.upload(store.pool(None), "upload", data)
    assert Path(str(made.path)).read_bytes() == data


def test_a_full_pool_is_told_as_such_and_leaves_nothing(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(small)], check=True)
    try:
        with PrivateLibvirtd() as daemon, hvsdk.connect(daemon.uri, virt_type="qemu") as host:
            add_pool(host, "small", small)
            source = daemon.pool_directory / "data.raw"
            source.write_bytes(bytes(range(1, 256)) * 32_000)
            wish = [DiskSpec(size="1MiB", pool="small"), DiskSpec(source=str(source), copy=True, pool="small")]
            with pytest.raises(InsufficientResourcesError):
                host.create_domain(spec(disks=wish))
            assert host.storage_pool("small").volumes() == []
            assert list(small.iterdir()) == []
            assert host.domains() == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_domain_of_the_test_driver_has_its_disk_in_a_pool(test_host: Host) -> None:
    domain = test_host.create_domain(spec("four"))
    assert domain.power_state == "shutoff"
    domain.delete()
    with pytest.raises(HvsdkError):
        test_host.domain("four")


def test_a_driver_makes_domains_with_tasks_only_where_something_is_copied(
    daemon: KvmDriver, emulated: None, pool: StoragePool
) -> None:
    info = finish(daemon.create_domain(spec("plain", disks=[DiskSpec(size="1MiB")]), deadline=soon()))
    assert info.name == "plain"


def test_a_raw_volume_that_looks_like_another_format_is_not_copied_as_that(
    host: Host, pool: StoragePool, libvirtd: PrivateLibvirtd, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.raw"
    secret.write_bytes(b"of the host" * 100)
    disk = libvirtd.pool_directory / "guest.raw"
    forged = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(disk)]
    subprocess.run(forged, check=True, capture_output=True)
    host.native().storagePoolLookupByName("default").refresh()
    host.native().defineXML(domain_xml("guest", [DiskXML(path=disk, format="raw")]))
    with pytest.raises(OperationFailedError, match=r"guest\.raw.*raw.*qcow2"):
        host.domain("guest").clone("leak")
    with pytest.raises(InvalidSpecError, match="any guest could have written"):
        host.create_domain(spec(disks=[DiskSpec(source="guest.raw", copy=True)]))
    with pytest.raises(InvalidSpecError, match="any guest could have written"):
        host.create_domain(spec(disks=[DiskSpec(source="guest.raw")]))
    assert [volume.name for volume in pool.volumes()] == ["guest.raw"]
    with host.domain("guest").open_disk("vda") as reader:
        assert reader.read(0, 4) == b"QFI\xfb"


def test_a_volume_below_a_file_that_libvirt_has_not_listed_yet_stays(
    host: Host, pool: StoragePool, libvirtd: PrivateLibvirtd
) -> None:
    base = pool.create_volume(name="base.raw", size=MIB, format="raw")
    above = libvirtd.pool_directory / "above.qcow2"
    made = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base.path), "-F", "raw", str(above)]
    subprocess.run(made, check=True, capture_output=True)
    host.native().defineXML(domain_xml("guest", [DiskXML(path=above)]))
    with pytest.raises(BusyError, match=r"above\.qcow2|guest"):
        base.delete()


def test_a_volume_that_a_snapshot_needs_stays(host: Host, pool: StoragePool, libvirtd: PrivateLibvirtd) -> None:
    disk = make_disk(libvirtd.pool_directory / "web.raw", "web", format="raw")
    host.native().defineXML(domain_xml("web", [DiskXML(path=disk, format="raw")]))
    web = host.domain("web")
    web.create_snapshot("one")
    web.create_snapshot("two")
    aside = web.refresh().disks[0].source or ""
    web.snapshot("one").revert()
    frozen = next(volume for volume in pool.volumes() if volume.backing == str(disk) and volume.path != aside)
    with pytest.raises(BusyError, match=r"(snapshot|disk) of the domain 'web'"):
        frozen.delete()


def test_a_pool_that_is_off_is_no_matter_of_power(host: Host, tmp_path: Path) -> None:
    add_pool(host, "off", tmp_path / "off", active=False)
    with pytest.raises(OperationFailedError, match="not active"):
        host.storage_pool("off").volumes()


def test_the_disk_of_a_domain_says_how_large_its_volume_is(host: Host, pool: StoragePool) -> None:
    domain = host.create_domain(spec(disks=[DiskSpec(size="3MiB")]))
    (disk,) = domain.disks
    (volume,) = pool.volumes()
    assert (disk.source, disk.capacity_bytes, disk.allocated_bytes) == (volume.path, 3 * MIB, volume.allocated_bytes)
    (listed,) = host.domains(full=True)
    assert listed.disks == domain.disks
