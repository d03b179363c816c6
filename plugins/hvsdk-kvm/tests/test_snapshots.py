"""Snapshots inside the disks' files: made, listed, reverted and removed on real guests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hvsdk
import pytest
from hvsdk import errors
from hvsdk_testbed.bootsector import make_disk, read_label, ticks, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from kvm_support import world_domain


@pytest.fixture
def web(embed_host: hvsdk.Host, images: Path, tmp_path: Path) -> hvsdk.Domain:
    """A domain that is off, with a guest that counts on `tmp_path / "log"`."""
    return guest(embed_host, images, tmp_path / "log")


def guest(host: hvsdk.Host, directory: Path, log: Path, **more: Any) -> hvsdk.Domain:
    disk = make_disk(directory / "web.qcow2", "web")
    host.native().defineXML(domain_xml("web", [DiskXML(path=disk)], serial_file=log, **more))
    return host.domain("web")


def names(domain: hvsdk.Domain) -> list[tuple[str, str | None, bool]]:
    return [(each.name, each.parent, each.is_current) for each in domain.snapshots()]


def test_a_guest_counts_on_from_where_its_memory_was_kept(web: hvsdk.Domain, tmp_path: Path) -> None:
    web.start()
    with Console(tmp_path / "log") as console:
        console.wait("web tick 1\r\n")
        snapshot = web.create_snapshot("counting", memory=True, description="while it counts")
        assert web.power_state == "running"
        at = ticks(console.text, "web")[-1]
        console.wait(f"web tick {at + 2}\r\n")
        console.mark()
        snapshot.revert()
        assert web.refresh().power_state == "running"
        console.wait(f"web tick {at + 1}\r\n")
        assert console.text.count(up_line("web")) == 1
    found = web.snapshot("counting")
    assert (found.has_memory, found.is_current, found.info.description) == (True, True, "while it counts")
    assert found.created_at is not None
    web.power_off()


def test_a_snapshot_with_memory_is_reverted_to_from_off_and_from_suspended(web: hvsdk.Domain, tmp_path: Path) -> None:
    web.start()
    with Console(tmp_path / "log") as console:
        console.wait("web tick 1\r\n")
        snapshot = web.create_snapshot("counting", memory=True)
        at = ticks(console.text, "web")[-1]
        for away in (web.power_off, web.suspend):
            away()
            console.mark()
            snapshot.revert()
            assert web.refresh().power_state == "running"
            console.wait(f"web tick {at + 1}\r\n")
        web.power_off()
        assert web.refresh().power_state == "shutoff"  # and no saved memory that fits other disks
        assert console.text.count(up_line("web")) == 1


def test_reverting_to_one_made_while_off_stops_the_domain(web: hvsdk.Domain, images: Path) -> None:
    snapshot = web.create_snapshot("off")
    assert snapshot.has_memory is False
    web.start()
    snapshot.revert()
    assert web.refresh().power_state == "shutoff"
    assert read_label(images / "web.qcow2") == "web"


def test_reverting_keeps_labels_and_gives_up_saved_memory(web: hvsdk.Domain, tmp_path: Path) -> None:
    web.set_tags({"before"})
    snapshot = web.create_snapshot("off")
    web.set_tags({"after"})
    web.set_notes("written later")
    web.start()
    web.suspend()
    snapshot.revert()
    web.refresh()
    assert (web.power_state, web.tags, web.notes) == ("shutoff", {"after"}, "written later")


def test_the_tree_comes_parents_first_and_says_where_the_domain_is(web: hvsdk.Domain) -> None:
    root = web.create_snapshot("z root")
    web.create_snapshot("m child")
    root.revert()
    web.create_snapshot("a other child")
    found = names(web)
    assert found[0] == ("z root", None, False)
    assert sorted(found[1:]) == [("a other child", "z root", True), ("m child", "z root", False)]


def test_removing_one_leaves_its_children_and_with_children_nothing(web: hvsdk.Domain) -> None:
    web.create_snapshot("one")
    web.create_snapshot("two")
    web.create_snapshot("three")
    web.snapshot("two").delete()
    assert names(web) == [("one", None, False), ("three", "one", True)]
    web.snapshot("one").delete(children=True)
    assert names(web) == []


@pytest.mark.parametrize("name", ['it\'s "quoted"', "$(reboot)", "<a>&amp;]]>", "日本語", "x" * 80, "-l", "a,b=c"])
def test_odd_names_come_back_as_they_went_in(web: hvsdk.Domain, name: str) -> None:
    snapshot = web.create_snapshot(name, description=name)
    assert [(each.name, each.info.description) for each in web.snapshots()] == [(name, name)]
    snapshot.revert()
    snapshot.delete()
    assert web.snapshots() == []


@pytest.mark.parametrize("name", ["a/b", ".hidden", "two\nlines", "bell\x07", "y" * 300])
def test_names_that_libvirt_cannot_keep_are_refused(web: hvsdk.Domain, name: str) -> None:
    with pytest.raises(errors.InvalidSpecError):
        web.create_snapshot(name)
    assert web.snapshots() == []


def test_a_name_is_taken_once(web: hvsdk.Domain) -> None:
    web.create_snapshot("same")
    with pytest.raises(errors.AlreadyExistsError, match="'same'"):
        web.create_snapshot("same")


def test_a_snapshot_that_is_gone_is_not_found(web: hvsdk.Domain) -> None:
    snapshot = web.create_snapshot("gone")
    web.snapshot("gone").delete()
    for verb in (snapshot.revert, snapshot.delete):
        with pytest.raises(errors.SnapshotNotFoundError):
            verb()


def test_memory_is_kept_only_of_a_domain_that_has_some(web: hvsdk.Domain) -> None:
    with pytest.raises(errors.PowerStateError):
        web.create_snapshot("memory", memory=True)
    web.start()
    web.suspend()
    with pytest.raises(errors.PowerStateError):
        web.create_snapshot("disks")
    assert web.snapshots() == []


def test_memory_is_not_kept_where_no_disk_could_hold_it(embed_host: hvsdk.Host, images: Path, tmp_path: Path) -> None:
    disk = make_disk(images / "raw.raw", "raw", format="raw")
    embed_host.native().defineXML(domain_xml("raw", [DiskXML(path=disk, format="raw")]))
    raw = embed_host.domain("raw")
    raw.start()
    with pytest.raises(errors.UnsupportedError, match="qcow2"):
        raw.create_snapshot("memory", memory=True)
    assert raw.snapshots() == []


def test_disks_alone_are_not_frozen_over_snapshots_inside_them(web: hvsdk.Domain) -> None:
    web.create_snapshot("inside")
    web.start()
    with pytest.raises(errors.UnsupportedError, match="bury"):
        web.create_snapshot("beside")
    assert [each.name for each in web.snapshots()] == ["inside"]


def test_libvirts_test_driver_takes_snapshots_too(world: Callable[..., str]) -> None:
    with hvsdk.connect(world(world_domain("one"))) as host:
        domain = host.domain("one")
        first = domain.create_snapshot("first", memory=True)
        domain.power_off()
        domain.create_snapshot("second")
        first.revert()
        assert domain.refresh().power_state == "running"
        assert names(domain) == [("first", None, True), ("second", "first", False)]
        first.delete(children=True)
        assert domain.snapshots() == []


def test_deleting_a_domain_removes_what_its_snapshots_left_in_the_file(web: hvsdk.Domain, images: Path) -> None:
    web.create_snapshot("one")
    web.create_snapshot("two")
    web.delete()
    told = subprocess.run(["qemu-img", "snapshot", "-l", images / "web.qcow2"], capture_output=True, check=True)
    assert told.stdout == b""
    assert read_label(images / "web.qcow2") == "web"
