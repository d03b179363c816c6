"""Clones: full and linked, started, of BIOS and UEFI domains."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hvsdk
import pytest
from hvsdk import errors
from hvsdk_testbed.bootsector import make_disk, read_label, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, NicXML, domain_xml


def guest(host: hvsdk.Host, directory: Path, name: str, log: Path, **more: Any) -> hvsdk.Domain:
    disk = make_disk(directory / f"{name}.qcow2", name)
    host.native().defineXML(domain_xml(name, [DiskXML(path=disk)], serial_file=log, **more))
    return host.domain(name)


def forget(*domains: hvsdk.Domain) -> None:
    for domain in domains:
        domain.power_off()
        domain.delete(disks="delete")


def test_a_full_clone_boots_and_shares_nothing(embed_host: hvsdk.Host, images: Path, tmp_path: Path) -> None:
    web = guest(embed_host, images, "web", tmp_path / "log", nics=[NicXML(mac="52:54:00:00:00:01")])
    copy = web.clone("copy of web")
    assert copy.uuid != web.uuid
    assert copy.nics[0].mac != web.nics[0].mac
    assert copy.disks[0].source != web.disks[0].source
    assert copy.power_state == "shutoff"
    forget(web)
    assert read_label(copy.disks[0].source or "") == "web"
    with Console(tmp_path / "log") as console:
        console.mark()
        copy.start()
        console.wait(up_line("web"))
    forget(copy)


def test_both_boot_after_a_linked_clone_and_the_shared_volume_stays(
    embed_host: hvsdk.Host, images: Path, tmp_path: Path
) -> None:
    web = guest(embed_host, images, "web", tmp_path / "log")
    clone = web.clone("linked", linked=True)
    with Console(tmp_path / "log") as console:
        for domain in (web, clone):
            console.mark()
            domain.start()
            console.wait(up_line("web"))
            domain.power_off()
    with pytest.raises(errors.BusyError, match="has to stay"):
        web.delete(disks="delete")
    assert web.refresh().power_state == "shutoff"
    forget(clone, web)
    assert not list(images.iterdir())


def test_what_the_original_writes_does_not_reach_a_linked_clone(
    embed_host: hvsdk.Host, images: Path, tmp_path: Path
) -> None:
    web = guest(embed_host, images, "web", tmp_path / "log")
    clone = web.clone("linked", linked=True)
    assert {disk.source for disk in web.refresh().disks}.isdisjoint(disk.source for disk in clone.disks)
    assert str(images / "web.qcow2") not in (web.disks[0].source, clone.disks[0].source)
    forget(clone, web)


def test_a_domain_with_snapshots_has_no_linked_clone_but_a_full_one(
    embed_host: hvsdk.Host, images: Path, tmp_path: Path
) -> None:
    web = guest(embed_host, images, "web", tmp_path / "log")
    web.create_snapshot("before")
    with pytest.raises(errors.UnsupportedError, match="snapshots"):
        web.clone("linked", linked=True)
    copy = web.clone("full")
    assert copy.snapshots() == []
    forget(copy, web)


def test_lineage_and_fence_are_not_inherited(embed_host: hvsdk.Host, images: Path, tmp_path: Path) -> None:
    web = guest(embed_host, images, "web", tmp_path / "log")
    web.set_metadata({"team.owner": "infra"})
    web.set_tags({"prod"})
    web.set_lineage(moved_from=hvsdk.models.Lineage(uuid=str(web.uuid), hypervisor="xen"))
    web.fence("moved away")
    copy = web.clone("copy")
    assert copy.info.fenced is None
    assert copy.info.moved_from is None
    assert copy.tags == {"prod"}
    assert dict(copy.metadata) == {"team.owner": "infra"}
    forget(copy, web)


@pytest.mark.parametrize("linked", [False, True])
def test_nothing_is_left_of_a_clone_that_failed(
    embed_host: hvsdk.Host, images: Path, tmp_path: Path, linked: bool
) -> None:
    web = guest(embed_host, images, "web", tmp_path / "log")
    before = embed_host.native().lookupByName("web").XMLDesc(2)
    with pytest.raises(errors.HvsdkError):
        web.clone("no/such name", linked=linked)
    with pytest.raises(errors.AlreadyExistsError):
        web.clone("web", linked=linked)

    class Full:
        def is_set(self) -> bool:
            return True

    with pytest.raises(errors.CancelledError):
        web.clone("cancelled", linked=linked, cancel=Full())
    assert [path.name for path in images.iterdir()] == ["web.qcow2"]
    assert embed_host.native().lookupByName("web").XMLDesc(2) == before
    assert [domain.name for domain in embed_host.domains()] == ["web"]
    forget(web)


def test_a_running_domain_is_not_cloned(embed_host: hvsdk.Host, images: Path, tmp_path: Path) -> None:
    web = guest(embed_host, images, "web", tmp_path / "log")
    web.start()
    with pytest.raises(errors.PowerStateError):
        web.clone("copy")
    forget(web)


def test_a_clone_has_the_uefi_variables_of_its_original(embed_host: hvsdk.Host, images: Path, tmp_path: Path) -> None:
    web = guest(embed_host, images, "web", tmp_path / "log", uefi=True, memory_bytes=64 * 2**20)
    web.start()
    variables = variables_of(embed_host, "web")
    web.power_off()
    mark(variables)
    copy = web.clone("copy")
    copy.start()
    assert b"hvsdk was here" in variables_of(embed_host, "copy").read_bytes()
    assert variables_of(embed_host, "copy") != variables
    forget(copy, web)


def test_a_daemon_copies_uefi_variables_where_they_are(libvirtd: Any, tmp_path: Path) -> None:
    with hvsdk.connect(libvirtd.uri, virt_type="qemu") as host:
        web = guest(host, libvirtd.pool_directory, "web", tmp_path / "log", uefi=True, memory_bytes=64 * 2**20)
        never_started = web.clone("early")
        web.start()
        inside = variables_of(host, "web")
        variables = libvirtd.state_directory / "lib" / inside.relative_to("/var/lib/libvirt")
        web.power_off()
        mark(variables)
        copy = web.clone("copy")
        assert b"hvsdk was here" in variables.with_name("copy_VARS.fd").read_bytes()
        linked = web.clone("linked", linked=True)
        copy.start()
        linked.start()
        with Console(tmp_path / "log") as console:
            assert console is not None
        forget(linked, copy, never_started, web)
        assert not list(libvirtd.pool_directory.iterdir())


def variables_of(host: hvsdk.Host, name: str) -> Path:
    """Return the file of a running domain's UEFI variables."""
    found = re.search("<nvram[^>]*>(.*?)</nvram>", host.native().lookupByName(name).XMLDesc(0))
    assert found is not None
    return Path(found[1])


def mark(variables: Path) -> None:
    """Write a text where the firmware keeps nothing."""
    with variables.open("r+b") as file:
        file.seek(-64, 2)
        file.write(b"hvsdk was here")
