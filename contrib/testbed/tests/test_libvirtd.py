"""A private libvirtd: frozen, killed, restarted, listening, migrating."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest
from conftest import run_event_loop
from support import eventually, state

from hvsdk_testbed.bootsector import make_disk, ticks, up_line
from hvsdk_testbed.certs import make_certificates
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from hvsdk_testbed.libvirtd import PrivateLibvirtd


@pytest.fixture(scope="module", autouse=True)
def _event_loop() -> None:
    run_event_loop()


@pytest.fixture(scope="module")
def shared() -> Iterator[PrivateLibvirtd]:
    with PrivateLibvirtd() as daemon:
        yield daemon


def start_guest(daemon: PrivateLibvirtd, connection: libvirt.virConnect, label: str) -> libvirt.virDomain:
    disk = make_disk(daemon.pool_directory / f"{label}.qcow2", label)
    log = daemon.pool_directory / f"{label}.log"
    domain = connection.defineXML(domain_xml(label, [DiskXML(path=disk)], serial_file=log))
    domain.create()
    return domain


def test_it_has_its_own_name_uuid_and_pool(shared: PrivateLibvirtd) -> None:
    connection = libvirt.open(shared.uri)
    assert connection.getHostname() == shared.hostname
    assert f"<uuid>{shared.host_uuid}</uuid>" in connection.getCapabilities()
    assert [pool.name() for pool in connection.listAllStoragePools()] == ["default"]
    assert connection.storagePoolLookupByName("default").isActive()
    connection.close()


def test_it_runs_a_guest(shared: PrivateLibvirtd) -> None:
    connection = libvirt.open(shared.uri)
    domain = start_guest(shared, connection, "inside")
    with Console(shared.pool_directory / "inside.log") as console:
        console.wait(up_line("inside"))
    domain.destroy()
    domain.undefine()
    connection.close()


def test_its_network_can_be_started(shared: PrivateLibvirtd) -> None:
    connection = libvirt.open(shared.uri)
    network = connection.networkLookupByName("default")
    network.create()
    assert network.isActive()
    network.destroy()
    connection.close()


def test_its_bridge_is_not_seen_from_outside(shared: PrivateLibvirtd) -> None:
    connection = libvirt.open(shared.uri)
    network = connection.networkLookupByName("default")
    network.create()
    assert not Path("/sys/class/net", network.bridgeName()).exists()
    network.destroy()
    connection.close()


def test_a_frozen_daemon_is_noticed_by_keepalive_and_goes_on_when_thawed() -> None:
    with PrivateLibvirtd() as daemon:
        connection = libvirt.open(daemon.uri)
        connection.setKeepAlive(1, 2)
        daemon.freeze()
        begin = time.monotonic()
        with pytest.raises(libvirt.libvirtError):
            connection.getLibVersion()
        assert time.monotonic() - begin < 8
        daemon.thaw()
        again = libvirt.open(daemon.uri)
        assert again.getLibVersion()
        again.close()


def test_a_guest_survives_a_killed_daemon() -> None:
    with PrivateLibvirtd() as daemon:
        connection = libvirt.open(daemon.uri)
        start_guest(daemon, connection, "hardy")
        with Console(daemon.pool_directory / "hardy.log") as console:
            console.wait("hardy tick 1\r\n")
            daemon.kill()
            assert not daemon.is_running
            assert eventually(lambda: not connection.isAlive())
            daemon.start()
            again = libvirt.open(daemon.uri)
            assert state(again.lookupByName("hardy")) == libvirt.VIR_DOMAIN_RUNNING
            console.wait("hardy tick 3\r\n")
            assert console.text.count(up_line("hardy")) == 1
        again.close()


def test_a_guest_survives_a_restart_of_the_daemon() -> None:
    with PrivateLibvirtd() as daemon:
        connection = libvirt.open(daemon.uri)
        start_guest(daemon, connection, "hardy")
        daemon.restart()
        again = libvirt.open(daemon.uri)
        domain = again.lookupByName("hardy")
        assert state(domain) == libvirt.VIR_DOMAIN_RUNNING
        domain.suspend()  # waits until the new daemon has QEMU's monitor again
        assert state(domain) == libvirt.VIR_DOMAIN_PAUSED
        again.close()


def test_nothing_is_left_when_it_stops() -> None:
    daemon = PrivateLibvirtd()
    with daemon:
        directory = daemon.state_directory
        start_guest(daemon, libvirt.open(daemon.uri), "left")
        assert processes_with(str(directory))
    assert eventually(lambda: not processes_with(str(directory)))
    assert not directory.exists()


def test_nothing_runs_on_when_the_process_that_started_it_is_killed() -> None:
    program = (
        "import sys\n"
        "from hvsdk_testbed.libvirtd import PrivateLibvirtd\n"
        "daemon = PrivateLibvirtd().__enter__()\n"
        "print(daemon.state_directory, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        directory = process.stdout.readline().strip()
        assert processes_with(directory)
        process.kill()
    try:
        assert eventually(lambda: not processes_with(directory))
    finally:
        subprocess.run(["rm", "-r", directory], check=True)


def test_a_frozen_one_stops_too() -> None:
    with PrivateLibvirtd() as daemon:
        daemon.freeze()
        begin = time.monotonic()
    assert time.monotonic() - begin < 5


def test_it_listens_for_tcp_on_the_loopback_address() -> None:
    with PrivateLibvirtd(network="host", tcp=True) as daemon:
        connection = libvirt.open(daemon.tcp_uri)
        assert connection.getHostname() == daemon.hostname
        connection.close()


def test_tls_is_accepted_with_the_right_authority_and_refused_with_another(tmp_path: Path) -> None:
    with PrivateLibvirtd(network="host", tls=make_certificates(tmp_path / "right")) as daemon:
        connection = libvirt.open(daemon.tls_uri)
        assert connection.getHostname() == daemon.hostname
        connection.close()
        other = make_certificates(tmp_path / "other").client_directory
        with pytest.raises(libvirt.libvirtError, match="certificate"):
            libvirt.open(daemon.tls_uri.replace(str(tmp_path / "right" / "client"), str(other)))


@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_a_guest_goes_on_counting_after_live_migration(tmp_path: Path, way: str) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "mover")
    log = tmp_path / "serial.log"
    with PrivateLibvirtd(hostname="hv-a") as here, PrivateLibvirtd(hostname="hv-b", beside=here) as there:
        source, target = libvirt.open(here.uri), libvirt.open(there.uri)
        domain = source.createXML(domain_xml("mover", [DiskXML(path=disk)], serial_file=log))
        with Console(log) as console:
            console.wait("mover tick 2\r\n")
            flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_UNSAFE
            params: Any = {"migrate_uri": f"unix://{tmp_path}/migration"} if way == "unix" else {}
            moved = domain.migrate3(target, params, flags)
            assert source.listAllDomains() == []
            assert state(moved) == libvirt.VIR_DOMAIN_RUNNING
            before = ticks(console.text, "mover")[-1]
            console.wait(f"mover tick {before + 2}\r\n")
            counted = ticks(console.text, "mover")
            assert counted == list(range(1, len(counted) + 1))
            assert console.text.count(up_line("mover")) == 1
        source.close()
        target.close()


def test_a_guest_is_migrated_by_the_daemon_itself(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "mover")
    log = tmp_path / "serial.log"
    with PrivateLibvirtd(hostname="hv-a") as here, PrivateLibvirtd(hostname="hv-b", beside=here) as there:
        source, target = libvirt.open(here.uri), libvirt.open(there.uri)
        domain = source.createXML(domain_xml("mover", [DiskXML(path=disk)], serial_file=log))
        with Console(log) as console:
            console.wait(up_line("mover"))
        flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_UNSAFE
        params: Any = {}
        domain.migrateToURI3(there.uri, params, flags)
        assert [each.name() for each in target.listAllDomains()] == ["mover"]
        assert source.listAllDomains() == []
        source.close()
        target.close()


def processes_with(text: str) -> list[str]:
    """Return the processes whose command line has a text in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_bytes().decode(errors="replace"):
                found.append(path.parent.name)
        except OSError:
            continue
    return found
