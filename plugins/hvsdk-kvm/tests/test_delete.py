"""Removing domains: what stays, what goes, and what is refused before anything goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hvsdk import DiskSpec, Domain, Host
from hvsdk.errors import BusyError, DomainNotFoundError, InvalidSpecError, PowerStateError
from hvsdk.models import CloudInit
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from kvm_support import soon
from making_support import boot_disk, spec, volume_names

from hvsdk_kvm._driver import KvmDriver
from hvsdk_kvm._store import store_of


def sources(domain: Domain) -> list[Path]:
    return [Path(disk.source) for disk in domain.info.disks if disk.source]


def test_disks_stay_unless_they_are_to_go(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec(disks=[DiskSpec(size="1MiB")]))
    (path,) = sources(domain)
    domain.delete()
    with pytest.raises(DomainNotFoundError):
        embed_host.domain("web")
    assert path.exists()
    path.unlink()


def test_disks_go_and_images_stay(embed_host: Host, tmp_path: Path) -> None:
    iso = tmp_path / "install.iso"
    iso.write_bytes(bytes(4096))
    before = volume_names(embed_host)
    domain = embed_host.create_domain(spec(media=str(iso), disks=[DiskSpec(size="1MiB"), DiskSpec(size="1MiB")]))
    domain.delete(disks="delete")
    assert volume_names(embed_host) == before
    assert iso.exists()


@pytest.mark.parametrize("disks", ["keep", "delete"])
def test_the_seed_of_cloud_init_goes_also_when_its_drive_is_empty(embed_host: Host, disks: str) -> None:
    before = volume_names(embed_host)
    domain = embed_host.create_domain(spec(cloud_init=CloudInit(user_data="")))
    domain.eject_media()
    domain.delete(disks=disks)  # type: ignore[arg-type]
    assert volume_names(embed_host) == before


def test_a_volume_of_another_domain_is_not_removed(embed_host: Host) -> None:
    first = embed_host.create_domain(spec("first", disks=[DiskSpec(size="1MiB")]))
    (path,) = sources(first)
    embed_host.create_domain(spec("second", disks=[DiskSpec(source=str(path))]))
    with pytest.raises(BusyError, match="second"):
        first.delete(disks="delete")
    assert path.exists()
    assert embed_host.domain("first") == first


def test_a_volume_that_another_lies_on_is_not_removed(embed: KvmDriver, emulated: None) -> None:
    wish = spec(disks=[DiskSpec(size="1MiB"), DiskSpec(size="1MiB")])
    info = embed.create_domain(wish, deadline=soon())
    store = store_of(embed)
    base = store.locate(info.disks[1].source)
    assert base is not None
    above = store.overlay(base, store.pool(None), "above.qcow2")
    with pytest.raises(BusyError, match="above"):
        embed.delete(info.native_id, disks="delete", deadline=soon())
    assert all(Path(disk.source).exists() for disk in info.disks)
    store.delete(above)
    embed.delete(info.native_id, disks="delete", deadline=soon())
    assert not any(Path(disk.source).exists() for disk in info.disks)


def test_a_disk_in_no_pool_is_not_removed(embed_host: Host, tmp_path: Path) -> None:
    source = boot_disk(tmp_path / "mine.qcow2")
    domain = embed_host.create_domain(spec(disks=[DiskSpec(size="1MiB"), DiskSpec(source=source)]))
    with pytest.raises(InvalidSpecError, match="vdb"):
        domain.delete(disks="delete")
    assert all(path.exists() for path in sources(domain))
    assert embed_host.domain("web") == domain


def test_a_domain_that_is_on_or_saved_is_not_removed(embed_host: Host, tmp_path: Path) -> None:
    domain = embed_host.create_domain(spec(disks=[DiskSpec(source=boot_disk(tmp_path / "a.qcow2"), copy=True)]))
    domain.start()
    for _ in range(2):
        with pytest.raises(PowerStateError):
            domain.delete(disks="delete")
        assert all(path.exists() for path in sources(domain))
        if domain.power_state == "running":
            domain.suspend()
    domain.power_off(discard_memory=True)
    domain.delete(disks="delete")


def test_the_variables_of_uefi_go_with_the_domain(embed_host: Host, embed_root: Path) -> None:
    domain = embed_host.create_domain(spec(memory="64MiB", firmware="uefi"))
    domain.start()
    domain.power_off()
    assert list(embed_root.rglob("*_VARS.fd"))
    domain.delete()
    assert not list(embed_root.rglob("*_VARS.fd"))


def test_snapshots_go_before_the_domain_does(embed_host: Host, tmp_path: Path) -> None:
    before = volume_names(embed_host)
    domain = embed_host.create_domain(spec(disks=[DiskSpec(source=boot_disk(tmp_path / "a.qcow2"), copy=True)]))
    domain.create_snapshot("one")
    domain.create_snapshot("two")
    domain.delete(disks="delete")
    assert volume_names(embed_host) == before


def test_what_a_domain_only_reads_or_shares_is_not_its_own(embed_host: Host) -> None:
    pool = embed_host.storage_pool("default")
    template = pool.create_volume(name="template.raw", size="1MiB", format="raw")
    cluster = pool.create_volume(name="cluster.raw", size="1MiB", format="raw")
    domain = embed_host.create_domain(
        spec(disks=[DiskSpec(source="template.raw", readonly=True), DiskSpec(source="cluster.raw", shareable=True)])
    )
    domain.delete(disks="delete")
    assert {template.name, cluster.name} <= volume_names(embed_host)
    template.delete()
    cluster.delete()


def test_a_volume_of_another_domain_is_known_by_every_path(embed_host: Host, tmp_path: Path) -> None:
    first = embed_host.create_domain(spec("first", disks=[DiskSpec(size="1MiB")]))
    (path,) = sources(first)
    (tmp_path / "elsewhere").symlink_to(path.parent)
    alias = tmp_path / "elsewhere" / path.name
    embed_host.native().defineXML(domain_xml("second", [DiskXML(path=alias)]))
    with pytest.raises(BusyError, match="second"):
        first.delete(disks="delete")
    assert path.exists()


def test_an_image_stays_though_it_is_in_a_disk(embed_host: Host) -> None:
    image = embed_host.storage_pool("default").create_volume(name="live.iso", size="1MiB", format="raw")
    before = volume_names(embed_host)
    domain = embed_host.create_domain(spec(disks=[DiskSpec(source="live.iso"), DiskSpec(size="1MiB")]))
    domain.delete(disks="delete")
    assert volume_names(embed_host) == before
    image.delete()
