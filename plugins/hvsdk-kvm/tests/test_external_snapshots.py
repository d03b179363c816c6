"""Snapshots in files of their own: what the disks hold after each step, locally and behind a daemon."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import hvsdk
import libvirt
import pytest
from hvsdk import errors
from hvsdk_testbed.bootsector import make_disk, read_label, ticks, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from hvsdk_testbed.libvirtd import PrivateLibvirtd
from hvsdk_testbed.linux import MEMORY_BYTES, command_line, linux_guest
from kvm_support import BOOT_SECONDS, discard_all, eventually


class Guest:
    """A domain with a disk on which the tests leave marks."""

    def __init__(self, host: hvsdk.Host, directory: Path, log: Path, *, uefi: bool = False, raw: bool = True) -> None:
        self.host = host
        self.directory = directory
        self.log = log
        form = "raw" if raw else "qcow2"
        disk = make_disk(directory / f"web.{form}", "web", format="raw" if raw else "qcow2")
        memory = (64 if uefi else 16) * 2**20
        xml = domain_xml(
            "web",
            [DiskXML(path=disk, format="raw" if raw else "qcow2")],
            serial_file=log,
            uefi=uefi,
            memory_bytes=memory,
        )
        host.native().defineXML(xml)
        self.domain = host.domain("web")

    @property
    def disk(self) -> str:
        """The file that the domain writes to when it runs."""
        source = self.domain.refresh().disks[0].source
        assert source is not None
        return source

    @property
    def files(self) -> int:
        return sum(1 for _ in self.directory.iterdir())

    def mark(self, value: int) -> None:
        self._io(f"write -P {value} 1M 64k")

    def shows(self, value: int) -> bool:
        return "Pattern verification failed" not in self._io(f"read -P {value} 1M 64k")

    def _io(self, command: str) -> str:
        form = "raw" if self.disk.endswith(".raw") else "qcow2"
        done = subprocess.run(["qemu-io", "-f", form, "-c", command, self.disk], capture_output=True, check=False)
        assert not done.stderr, done.stderr
        return done.stdout.decode()

    def freeze(self, name: str) -> hvsdk.Snapshot:
        """Make a snapshot while the domain is off; its raw disk leaves no room for one inside."""
        return self.domain.create_snapshot(name)

    def boots(self) -> bool:
        with Console(self.log) as console:
            console.mark()
            self.domain.start()
            console.wait(up_line("web"))
        self.domain.power_off()
        return True


@pytest.fixture(params=["embedded", "daemon"])
def web(
    request: pytest.FixtureRequest, embed_host: hvsdk.Host, images: Path, libvirtd: PrivateLibvirtd, tmp_path: Path
) -> Iterator[Guest]:
    """A guest on the embedded driver, then on a daemon with a storage pool."""
    if request.param == "embedded":
        yield Guest(embed_host, images, tmp_path / "log")
        return
    with hvsdk.connect(libvirtd.uri) as host:
        yield Guest(host, libvirtd.pool_directory, tmp_path / "log")
        discard_all(host.native())
        for file in libvirtd.pool_directory.iterdir():
            file.unlink()
        host.native().storagePoolLookupByName("default").refresh()  # it does not notice by itself


def test_a_running_guest_does_not_notice_a_snapshot_of_its_disks(
    embed_host: hvsdk.Host, images: Path, tmp_path: Path
) -> None:
    web = Guest(embed_host, images, tmp_path / "log", raw=False)
    web.domain.start()
    with Console(web.log) as console:
        console.wait("web tick 1\r\n")
        snapshot = web.domain.create_snapshot("disks")
        assert (snapshot.has_memory, snapshot.info.details["kvm.kind"]) == (False, "external")
        console.wait("web tick 3\r\n")
        assert ticks(console.text, "web") == [1, 2, 3]
    snapshot.revert()
    assert web.domain.refresh().power_state == "shutoff"
    assert web.boots()


def test_reverting_brings_back_what_the_disk_held_and_drops_what_came_after(web: Guest) -> None:
    web.mark(1)
    snapshot = web.freeze("one")
    web.mark(2)
    assert web.files == 2
    for _ in range(2):
        snapshot.revert()
        assert web.shows(1)
        assert web.files == 2
        web.mark(3)
    assert [(each.name, each.is_current) for each in web.domain.snapshots()] == [("one", True)]


def test_every_branch_of_a_tree_can_be_reverted_to(web: Guest) -> None:
    web.mark(1)
    web.freeze("one")
    web.mark(2)
    web.domain.create_snapshot("two")
    web.domain.snapshot("one").revert()
    web.mark(3)
    web.domain.create_snapshot("three")
    web.mark(4)
    for name, value in (("two", 2), ("one", 1), ("three", 3)):
        web.domain.snapshot(name).revert()
        assert web.shows(value)
    assert {each.name: each.parent for each in web.domain.snapshots()} == {"one": None, "two": "one", "three": "one"}
    assert web.boots()


def test_removing_one_merges_its_file_and_keeps_the_present_state(web: Guest) -> None:
    web.mark(1)
    web.freeze("one")
    web.mark(2)
    web.domain.create_snapshot("two")
    web.mark(3)
    assert web.files == 3
    web.domain.snapshot("one").delete()
    assert web.shows(3)
    assert web.files == 2
    web.domain.snapshot("two").revert()
    assert web.shows(2)
    web.domain.snapshot("two").delete()
    assert web.shows(2)
    assert web.files == 1
    assert web.boots()


def test_a_snapshot_is_removed_while_the_guest_runs(web: Guest) -> None:
    web.mark(1)
    web.freeze("one")
    web.domain.start()
    with Console(web.log) as console:
        console.mark()
        console.wait("web tick 1\r\n")
        web.domain.snapshot("one").delete()
        console.wait("web tick 3\r\n")
    assert web.domain.refresh().power_state == "running"
    assert web.files == 1
    web.domain.power_off()
    assert web.shows(1)


def test_removing_the_parent_of_two_branches_keeps_both(web: Guest) -> None:
    web.mark(1)
    web.freeze("one")
    web.mark(2)
    web.domain.create_snapshot("two")
    web.domain.snapshot("one").revert()
    web.mark(3)
    web.domain.snapshot("one").delete()
    assert web.shows(3)
    web.domain.snapshot("two").revert()
    assert web.shows(2)
    assert web.boots()
    web.domain.snapshot("two").delete()
    assert web.shows(2)
    assert web.boots()
    web.domain.delete()
    assert web.files == 1


def test_removing_with_children_leaves_the_present_state_in_one_file(web: Guest) -> None:
    web.mark(1)
    web.freeze("one")
    web.mark(2)
    web.domain.create_snapshot("two")
    web.domain.snapshot("one").revert()
    web.domain.create_snapshot("three")
    web.mark(4)
    web.domain.snapshot("one").delete(children=True)
    assert web.domain.snapshots() == []
    assert web.files == 1
    assert web.shows(4)


def test_deleting_the_domain_merges_first(web: Guest) -> None:
    web.mark(1)
    web.freeze("one")
    web.mark(2)
    web.domain.create_snapshot("two")
    web.mark(3)
    disk = next(file for file in web.directory.iterdir() if ".snap-" not in file.name)
    web.domain.delete()
    assert list(web.directory.iterdir()) == [disk]
    assert read_label(disk) == "web"
    told = subprocess.run(["qemu-io", "-f", "raw", "-c", "read -P 3 1M 64k", disk], capture_output=True, check=True)
    assert b"failed" not in told.stdout


def test_a_failed_revert_leaves_disks_and_definition_as_they_were(web: Guest) -> None:
    web.mark(1)
    web.freeze("one")
    web.mark(2)
    snapshot = web.domain.snapshot("one")
    handle: libvirt.virDomain = web.host.native().lookupByName("web")
    before = handle.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    base = next(file for file in web.directory.iterdir() if ".snap-" not in file.name)
    hidden = base.with_name("hidden")
    base.rename(hidden)
    with pytest.raises(errors.HvsdkError):
        snapshot.revert()
    hidden.rename(base)
    assert handle.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) == before
    assert web.shows(2)
    assert web.files == 2


def test_memory_cannot_be_kept_beside_files_on_top_of_each_other(web: Guest) -> None:
    web.freeze("one")
    web.domain.start()
    with pytest.raises(errors.UnsupportedError, match="beside the disks already"):
        web.domain.create_snapshot("memory", memory=True)
    assert [each.name for each in web.domain.snapshots()] == ["one"]
    web.domain.power_off()
    assert web.domain.create_snapshot("off").info.details["kvm.kind"] == "external"


def test_files_are_not_merged_below_saved_memory(web: Guest) -> None:
    web.freeze("one")
    web.domain.start()
    web.domain.suspend()
    with pytest.raises(errors.PowerStateError):
        web.domain.snapshot("one").delete()
    assert [each.name for each in web.domain.snapshots()] == ["one"]


def test_an_agent_that_is_not_there_is_told_at_once(web: Guest) -> None:
    web.domain.start()
    with pytest.raises(errors.GuestAgentError, match="no channel") as told:
        web.domain.create_snapshot("quiet", quiesce=True)
    assert not told.value.not_yet
    assert web.domain.snapshots() == []
    assert web.files == 1


def test_quiescing_needs_a_domain_that_runs(web: Guest) -> None:
    with pytest.raises(errors.PowerStateError):
        web.domain.create_snapshot("quiet", quiesce=True)


def test_an_agent_quiesces_the_disks(embed_host: hvsdk.Host, images: Path, tmp_path: Path) -> None:
    guest = linux_guest()
    disk = make_disk(images / "data.qcow2", "data")
    xml = domain_xml(
        "web",
        [DiskXML(path=disk)],
        serial_file=tmp_path / "log",
        agent=True,
        memory_bytes=MEMORY_BYTES,
        kernel=guest.kernel,
        initrd=guest.initrd,
        cmdline=command_line("web"),
    )
    embed_host.native().defineXML(xml)
    domain = embed_host.domain("web")
    domain.start()
    with pytest.raises(errors.GuestAgentError) as told:
        domain.create_snapshot("too early", quiesce=True)
    assert told.value.not_yet
    with Console(tmp_path / "log") as console:
        console.wait("hvsdk linux up web", timeout=BOOT_SECONDS)
    assert eventually(lambda: domain.refresh().agent == "running")
    assert domain.create_snapshot("quiet", quiesce=True).quiesced is True
    assert domain.create_snapshot("loud").quiesced is False
    assert [each.quiesced for each in domain.snapshots()] == [True, False]
    domain.power_off()
    domain.delete(disks="delete")


def test_raw_disks_and_uefi_have_snapshots_beside_them(embed_host: hvsdk.Host, images: Path, tmp_path: Path) -> None:
    for more in ({"raw": True}, {"raw": False, "uefi": True}):
        guest = Guest(embed_host, images, tmp_path / "log", **more)
        guest.mark(1)
        snapshot = guest.domain.create_snapshot("off")
        guest.mark(2)
        snapshot.revert()
        assert guest.shows(1)
        snapshot.delete()
        assert guest.shows(1)
        assert guest.files == 1
        assert (guest.domain.why_not("snapshot_memory") or "") != ""
        guest.domain.start()
        with pytest.raises(errors.UnsupportedError):
            guest.domain.create_snapshot("memory", memory=True)
        guest.domain.power_off()
        guest.domain.delete(disks="delete")


def test_a_disk_whose_files_could_not_be_removed_again_has_none(libvirtd: PrivateLibvirtd, tmp_path: Path) -> None:
    with hvsdk.connect(libvirtd.uri) as host:
        guest = Guest(host, tmp_path, tmp_path / "log")
        guest.domain.start()
        with pytest.raises(errors.UnsupportedError, match="no active storage pool"):
            guest.domain.create_snapshot("disks")
        discard_all(host.native())


def test_a_linked_clone_outlives_the_snapshots_of_its_original(web: Guest) -> None:
    web.mark(1)
    clone = web.domain.clone("linked", linked=True)
    web.freeze("one")
    web.mark(2)
    web.domain.snapshot("one").delete()
    assert web.shows(2)
    told = subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "read -P 1 1M 64k", str(clone.disks[0].source)],
        capture_output=True,
        check=True,
    )
    assert b"failed" not in told.stdout
    clone.delete(disks="delete")
    web.domain.delete(disks="delete")
    assert web.files == 0


def test_a_domain_without_a_definition_is_not_reverted_since_it_would_be_gone(
    embed_host: hvsdk.Host, images: Path, tmp_path: Path
) -> None:
    web = Guest(embed_host, images, tmp_path / "log", raw=False)
    web.domain.start()
    snapshot = web.domain.create_snapshot("one")
    embed_host.native().lookupByName("web").undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    with pytest.raises(errors.PowerStateError, match="no definition"):
        snapshot.revert()
    assert web.domain.refresh().power_state == "running"


def test_a_snapshot_of_a_disk_that_is_no_file_is_not_reverted(
    embed_host: hvsdk.Host, images: Path, tmp_path: Path
) -> None:
    web = Guest(embed_host, images, tmp_path / "log")
    snapshot = web.freeze("one")
    domain = embed_host.native().lookupByName("web")
    document = ET.fromstring(domain.snapshotLookupByName("one").getXMLDesc())
    for disk in (*document.iterfind("domain/devices/disk"), *document.iterfind("inactiveDomain/devices/disk")):
        disk.set("type", "block")
        source = disk.find("source")
        assert source is not None
        source.attrib.clear()
        source.set("dev", "/dev/loop99")
        for below in disk.findall("backingStore"):
            disk.remove(below)
    domain.snapshotCreateXML(ET.tostring(document, encoding="unicode"), libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
    before = web.disk
    with pytest.raises(errors.UnsupportedError, match="vda"):
        snapshot.revert()
    assert web.disk == before


def test_nothing_is_merged_into_a_file_that_another_domain_uses(web: Guest) -> None:
    web.mark(1)
    web.freeze("one")
    web.mark(2)
    other = DiskXML(path=web.directory / "web.raw", format="raw")
    web.host.native().defineXML(domain_xml("other", [other]))
    web.domain.snapshot("one").delete()
    assert web.shows(2)
    assert web.files == 2
    web.host.domain("other").delete()
    web.domain.delete()
    assert web.files == 1
