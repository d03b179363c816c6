"""Moving domains between two private daemons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvsdk
import libvirt
import pytest
from hvsdk import errors
from hvsdk_testbed.bootsector import make_disk, read_label, ticks, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, NicXML, domain_xml
from hvsdk_testbed.libvirtd import PrivateLibvirtd, pool_xml
from kvm_support import discard_all

Pair = tuple[hvsdk.Host, hvsdk.Host]


@pytest.fixture(scope="module")
def daemons() -> Iterator[tuple[PrivateLibvirtd, PrivateLibvirtd]]:
    with PrivateLibvirtd(hostname="hv-a") as here, PrivateLibvirtd(hostname="hv-b", beside=here) as there:
        yield here, there


@pytest.fixture
def pair(daemons: tuple[PrivateLibvirtd, PrivateLibvirtd]) -> Iterator[Pair]:
    """Two hosts without domains, and without storage in common beyond what a test makes."""
    here, there = daemons
    with hvsdk.connect(here.uri) as source, hvsdk.connect(there.uri, migrate_unsafe=True) as target:
        yield source, target
        for host, own in ((source, here), (target, there)):
            discard_all(host.native())
            for pool in host.native().listAllStoragePools():
                if pool.name() != "default":
                    pool.destroy()
            for file in own.pool_directory.iterdir():
                file.unlink()


@pytest.fixture
def shared(pair: Pair, tmp_path: Path) -> Path:
    """A directory that is a storage pool of both."""
    directory = tmp_path / "shared"
    directory.mkdir()
    for host in pair:
        host.native().storagePoolCreateXML(pool_xml("shared", directory))
    return directory


def guest(host: hvsdk.Host, directory: Path, log: Path, **more: Any) -> hvsdk.Domain:
    disk = make_disk(directory / "mover.qcow2", "mover")
    for pool in host.native().listAllStoragePools():
        pool.refresh()
    host.native().defineXML(domain_xml("mover", [DiskXML(path=disk)], serial_file=log, **more))
    return host.domain("mover")


def goes_on(console: Console, last: int) -> None:
    """Check that the guest counts on from where it was, and did not boot again."""
    console.wait(f"mover tick {last + 2}\r\n")
    counted = ticks(console.text, "mover")
    assert counted == list(range(1, len(counted) + 1))
    assert console.text.count(up_line("mover")) == 1


def test_a_running_domain_goes_on_counting_on_the_other_host(pair: Pair, shared: Path, tmp_path: Path) -> None:
    source, target = pair
    domain = guest(source, shared, tmp_path / "log")
    domain.set_autostart(True)
    domain.start()
    with Console(tmp_path / "log") as console:
        console.wait("mover tick 1\r\n")
        moved = domain.migrate(target)
        goes_on(console, ticks(console.text, "mover")[-1])
    assert moved.host is target
    assert (moved.uuid, moved.power_state, moved.autostart) == (domain.uuid, "running", True)
    assert source.domains() == []
    moved.power_off()
    assert target.domain("mover").power_state == "shutoff"  # it is defined there, not only running


def test_a_domain_that_is_off_is_defined_there_and_gone_here(pair: Pair, shared: Path, tmp_path: Path) -> None:
    source, target = pair
    domain = guest(source, shared, tmp_path / "log")
    domain.set_notes("the mover")
    moved = domain.migrate(target)
    assert (moved.power_state, moved.notes) == ("shutoff", "the mover")
    assert source.domains() == []
    assert [file.name for file in shared.iterdir()] == ["mover.qcow2"]
    with Console(tmp_path / "log") as console:
        moved.start()
        console.wait(up_line("mover"))


@pytest.fixture
def separate(daemons: tuple[PrivateLibvirtd, PrivateLibvirtd], pair: Pair) -> Iterator[tuple[Path, Path]]:
    """A storage pool of both with the same path, which is another directory for each; as seen from here."""
    outside = [daemon.state_directory / "lib" / "images" for daemon in daemons]
    for host, directory in zip(pair, outside, strict=True):
        directory.mkdir(exist_ok=True)
        host.native().storagePoolCreateXML(pool_xml("own", "/var/lib/libvirt/images"))
    yield outside[0], outside[1]
    for directory in outside:
        for file in directory.iterdir():
            file.unlink()


def local_guest(host: hvsdk.Host, outside: Path, log: Path) -> hvsdk.Domain:
    """Make a guest whose disk the other host cannot see."""
    make_disk(outside / "mover.qcow2", "mover")
    host.native().storagePoolLookupByName("own").refresh()
    disk = DiskXML(path="/var/lib/libvirt/images/mover.qcow2")
    host.native().defineXML(domain_xml("mover", [disk], serial_file=log))
    return host.domain("mover")


def test_a_disk_that_the_other_host_does_not_see_goes_along(
    pair: Pair, separate: tuple[Path, Path], tmp_path: Path
) -> None:
    source, target = pair
    domain = local_guest(source, separate[0], tmp_path / "log")
    domain.start()
    with Console(tmp_path / "log") as console:
        console.wait("mover tick 1\r\n")
        moved = domain.migrate(target)
        goes_on(console, ticks(console.text, "mover")[-1])
        moved.power_off()
        assert read_label(separate[1] / "mover.qcow2") == "mover"
        console.mark()
        moved.start()
        console.wait(up_line("mover"))


def test_a_disk_that_the_other_host_does_not_see_needs_a_running_domain(
    pair: Pair, separate: tuple[Path, Path], tmp_path: Path
) -> None:
    source, target = pair
    domain = local_guest(source, separate[0], tmp_path / "log")
    with pytest.raises(errors.UnsupportedError, match="only those of running domains"):
        domain.migrate(target)
    assert not list(separate[1].iterdir())


def test_another_file_in_the_place_of_the_copy_is_left_alone(
    pair: Pair, separate: tuple[Path, Path], tmp_path: Path
) -> None:
    source, target = pair
    domain = local_guest(source, separate[0], tmp_path / "log")
    make_disk(separate[1] / "mover.qcow2", "other")
    domain.start()
    with pytest.raises(errors.UnsupportedError, match="another file"):
        domain.migrate(target)
    assert read_label(separate[1] / "mover.qcow2") == "other"


def test_what_stands_in_the_way_is_found_before_anything_changes(pair: Pair, shared: Path, tmp_path: Path) -> None:
    source, target = pair
    domain = guest(source, shared, tmp_path / "log")
    target.native().defineXML(domain_xml("mover", []))
    with pytest.raises(errors.UnsupportedError, match="a domain named 'mover' is there already"):
        domain.migrate(target)
    discard_all(target.native())
    domain.create_snapshot("one")
    with pytest.raises(errors.UnsupportedError, match="1 snapshots"):
        domain.migrate(target)
    assert domain.refresh().power_state == "shutoff"
    assert target.domains() == []


def test_a_network_that_is_not_there_is_named(pair: Pair, shared: Path, tmp_path: Path) -> None:
    source, target = pair
    xml = "<network><name>backstage</name></network>"
    network = source.native().networkDefineXML(xml)
    domain = guest(source, shared, tmp_path / "log", nics=[NicXML(network="backstage")])
    with pytest.raises(errors.UnsupportedError, match="no network 'backstage'"):
        domain.migrate(target)
    network.undefine()


def test_a_daemon_is_no_target_for_itself(pair: Pair, shared: Path, tmp_path: Path) -> None:
    source, _ = pair
    domain = guest(source, shared, tmp_path / "log")
    with hvsdk.connect(source.url) as again, pytest.raises(errors.UnsupportedError, match="same machine"):
        domain.migrate(again)


def test_saved_memory_is_not_left_behind(pair: Pair, shared: Path, tmp_path: Path) -> None:
    source, target = pair
    domain = guest(source, shared, tmp_path / "log")
    domain.start()
    domain.suspend()
    with pytest.raises(errors.PowerStateError):
        domain.migrate(target)
    assert domain.refresh().power_state == "suspended"


def test_a_running_domain_is_not_stopped_for_an_offline_migration(pair: Pair, shared: Path, tmp_path: Path) -> None:
    source, target = pair
    domain = guest(source, shared, tmp_path / "log")
    domain.start()
    with pytest.raises(errors.PowerStateError):
        domain.migrate(target, live=False)
    assert domain.refresh().power_state == "running"


def test_what_nobody_can_see_there_is_not_trusted_to_be_there(
    daemons: tuple[PrivateLibvirtd, PrivateLibvirtd], pair: Pair, tmp_path: Path
) -> None:
    source, target = pair
    domain = guest(source, daemons[0].pool_directory, tmp_path / "log")
    with pytest.raises(errors.UnsupportedError, match="no storage pool there"):
        domain.migrate(target)
    assert target.domains() == []


def test_libvirts_doubt_about_caches_is_told_with_what_to_do(pair: Pair, shared: Path, tmp_path: Path) -> None:
    source, target = pair
    domain = guest(source, shared, tmp_path / "log")
    domain.start()
    with hvsdk.connect(target.url) as careful, pytest.raises(errors.UnsupportedError, match="migrate_unsafe"):
        domain.migrate(careful)
    assert domain.refresh().power_state == "running"
    assert target.domains() == []


def test_a_cancelled_migration_leaves_the_domain_where_it_was(pair: Pair, shared: Path, tmp_path: Path) -> None:
    source, target = pair
    domain = guest(source, shared, tmp_path / "log")
    domain.start()
    handle: libvirt.virDomain = source.native().lookupByName("mover")
    handle.migrateSetMaxSpeed(1)

    class Now:
        def is_set(self) -> bool:
            return True

    with Console(tmp_path / "log") as console:
        console.wait("mover tick 1\r\n")
        with pytest.raises(errors.CancelledError):
            domain.migrate(target, cancel=Now())
        goes_on(console, ticks(console.text, "mover")[-1])
    assert domain.refresh().power_state == "running"
    assert target.domains() == []


@pytest.mark.parametrize("on", [True, False])
def test_a_disk_in_no_pool_could_be_another_one_there(
    daemons: tuple[PrivateLibvirtd, PrivateLibvirtd], pair: Pair, tmp_path: Path, on: bool
) -> None:
    source, target = pair
    domain = guest(source, tmp_path, tmp_path / "log")
    if on:
        domain.start()
    with (
        hvsdk.connect(daemons[1].uri) as careful,
        pytest.raises(errors.HvsdkError, match=r"disk vda lies in no storage pool.*migrate_unsafe"),
    ):
        domain.migrate(careful)
    assert domain.migrate(target).host is target
