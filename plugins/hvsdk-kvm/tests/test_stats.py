"""Statistics."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hvsdk
import libvirt
import pytest
from hvsdk_testbed.bootsector import make_disk, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, NicXML, domain_xml
from kvm_support import soon

from hvsdk_kvm._driver import KvmDriver
from hvsdk_kvm._stats import stats_of

AT = datetime(2030, 1, 1, tzinfo=UTC)


def test_running_guests_count_and_the_others_are_left_out(embed: KvmDriver, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "d.qcow2", "d")
    made = embed.connection.defineXML(
        domain_xml("d", [DiskXML(path=disk)], serial_file=tmp_path / "d.log", nics=[NicXML()], vcpus=2)
    )
    off = embed.connection.defineXML(domain_xml("off"))
    made.create()
    with Console(tmp_path / "d.log") as console:
        console.wait(up_line("d"))
    (first,) = embed.stats(None, deadline=soon())
    assert (first.native_id, first.name, first.vcpus) == (made.UUIDString(), "d", 2)
    assert first.cpu_seconds is not None
    assert first.cpu_seconds > 0
    assert first.disk_read_bytes is not None
    assert first.disk_read_bytes >= 512
    assert first.memory_bytes == 16 * 2**20
    (second,) = embed.stats([made.UUIDString()], deadline=soon())
    rates = second.rate_since(first)
    assert rates.cpu_ratio is not None
    assert rates.cpu_ratio >= 0
    (nothing,) = embed.stats([off.UUIDString()], deadline=soon())
    assert nothing.disk_write_bytes is None


def test_all_are_asked_in_one_call(embed: KvmDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    flags: list[tuple[int, int]] = []
    ask = libvirt.virConnect.getAllDomainStats

    def counting(self: libvirt.virConnect, stats: int = 0, flag: int = 0) -> Any:
        flags.append((stats, flag))
        return ask(self, stats, flag)

    monkeypatch.setattr(libvirt.virConnect, "getAllDomainStats", counting)
    assert list(embed.stats(None, deadline=soon())) == []
    ((_, flag),) = flags
    assert flag & libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT


def test_disks_and_adapters_are_added_up() -> None:
    record = {
        "cpu.time": 2_500_000_000,
        "block.count": 3,
        "block.0.rd.bytes": 10,
        "block.1.rd.bytes": 5,
        "block.1.wr.reqs": 7,
        "net.count": 1,
        "net.0.rx.bytes": 3,
        "balloon.current": 2048,
        "balloon.available": 2000,
        "balloon.usable": 500,
    }
    found = stats_of("id", "d", record, AT)
    assert found.cpu_seconds == 2.5
    assert (found.disk_read_bytes, found.disk_write_requests, found.disk_write_bytes) == (15, 7, None)
    assert (found.net_rx_bytes, found.net_tx_packets) == (3, None)
    assert (found.memory_bytes, found.memory_used_bytes) == (2 * 2**20, 1500 * 1024)


def test_a_busy_domain_lacks_figures_and_none_is_guessed() -> None:
    found = stats_of("id", "d", {"state.state": 1}, AT)
    assert found.cpu_seconds is None
    assert found.memory_bytes is None
    assert found.disk_read_bytes is None


def test_no_domain_asked_for_costs_no_call(embed: KvmDriver) -> None:
    assert list(embed.stats([], deadline=soon())) == []


def test_the_host_adds_up_nothing_while_all_are_off(embed_host: hvsdk.Host) -> None:
    assert embed_host.stats() == []
