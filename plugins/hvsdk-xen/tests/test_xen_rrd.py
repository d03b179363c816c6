"""Figures of the hosts, as JSON and XML, and what is made of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hvsdk.driver import DomainStats, errors
from record_support import NOW, vm_record

from hvsdk_xen._rrd import Updates, parse_updates
from hvsdk_xen._stats import stats_of

UUID = str(vm_record()["uuid"])
SOURCES = {
    "cpu0": 0.25,
    "cpu1": 0.5,
    "memory": 2.0 * (1 << 30),
    "memory_internal_free": float(1 << 20),
    "vbd_xvda_read": 1000.0,
    "vbd_xvdb_read": 500.0,
    "vbd_xvda_write": 10.0,
    "vbd_xvda_iops_read": 4.0,
    "vbd_xvda_read_latency": 99.0,
    "vbd_xvda_io_throughput_read": 99.0,
    "vif_0_rx": 7.0,
    "vif_1_rx": 3.0,
    "vif_0_tx": 1.0,
    "vif_0_rx_errors": 99.0,
}


def body(rows: list[tuple[int, list[Any]]], legend: list[str], step: Any = 5) -> bytes:
    meta = {"start": 100, "step": step, "end": 200, "rows": len(rows), "columns": len(legend), "legend": legend}
    return json.dumps({"meta": meta, "data": [{"t": t, "values": values} for t, values in rows]}).encode()


def legend(*sources: str) -> list[str]:
    return [f"AVERAGE:vm:{UUID}:{source}" for source in sources]


def parse(rows: list[tuple[int, list[Any]]], *sources: str) -> dict[str, float]:
    return parse_updates(body(rows, legend(*sources))).vms[UUID].values


def stats(**sources: float) -> DomainStats:
    chosen = sources or SOURCES
    answer = parse_updates(body([(200, list(chosen.values()))], legend(*chosen)))
    return stats_of(vm_record(), answer, NOW)


def test_the_newest_row_counts_whatever_the_order() -> None:
    rows: list[tuple[int, list[Any]]] = [(195, [1.0]), (200, [2.0]), (190, [3.0])]
    assert parse(rows, "cpu0") == parse(rows[::-1], "cpu0") == {"cpu0": 2.0}


def test_what_has_no_value_in_the_newest_row_has_the_one_before() -> None:
    for nothing in (float("nan"), "NaN", None, float("inf"), "-Infinity", "many", []):
        assert parse([(200, [nothing, 1.0]), (195, ["0.5", 2.0])], "cpu0", "cpu1") == {"cpu0": 0.5, "cpu1": 1.0}


def test_a_value_of_long_ago_is_none() -> None:
    assert parse([(200, ["NaN", 1]), (100, [0.5, 1])], "cpu0", "cpu1") == {"cpu1": 1.0}


def test_xml_says_the_same() -> None:
    text = f"""<?xml version="1.0"?>
    <xport><meta><start>100</start><step>5</step><end>200</end>
    <legend><entry>AVERAGE:vm:{UUID}:cpu0</entry><entry>AVERAGE:vm:{UUID}:cpu1</entry></legend></meta>
    <data><row><t>200</t><v>NaN</v><v>0.5</v></row><row><t>195</t><v>0.25</v><v>0.1</v></row></data></xport>"""
    assert parse_updates(text.encode()) == parse_updates(
        body([(200, ["NaN", 0.5]), (195, [0.25, 0.1])], legend("cpu0", "cpu1"))
    )


def test_figures_of_hosts_and_other_means_are_left_out() -> None:
    names = ["AVERAGE:host:h:cpu0", f"MAX:vm:{UUID}:cpu0", *legend("cpu1"), "AVERAGE", "", "AVERAGE:vm:u"]
    answer = parse_updates(body([(200, [1.0] * len(names))], names))
    assert {uuid: figures.values for uuid, figures in answer.vms.items()} == {UUID: {"cpu1": 1.0}}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no figures",
        b"[]",
        b"{}",
        b"null",
        b'{"meta": [], "data": []}',
        b'{"meta": {"step": 5, "end": 1, "legend": ["AVERAGE:vm:u:cpu0"]}, "data": [7]}',
        b'{"meta": {"step": 5, "end": 1, "legend": ["AVERAGE:vm:u:cpu0"]}, "data": [{"t": "x", "values": []}]}',
        b'{"meta": {"step": 5, "end": 1, "legend": ["AVERAGE:vm:u:cpu0"]}, "data": [{"t": 1e30, "values": [1]}]}',
        b'{"meta": {"step": 0, "end": 1, "legend": []}, "data": []}',
        b'{"meta": {"step": 5, "end": 1, "legend": "all"}, "data": []}',
        b"[" * 100_000,
        b"<xport>",
        b"<xport><meta/></xport>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><xport><meta><step>&a;</step></meta></xport>',
    ],
)
def test_an_answer_that_is_none_is_refused_in_words(answer: bytes) -> None:
    with pytest.raises(errors.OperationFailedError, match="figures"):
        parse_updates(answer)


def test_rates_are_sums_over_all_devices() -> None:
    found = stats()
    assert found.cpu_ratio == 0.75
    assert (found.disk_read_bytes_per_second, found.disk_write_bytes_per_second) == (1500.0, 10.0)
    assert (found.disk_read_requests_per_second, found.disk_write_requests_per_second) == (4.0, None)
    assert (found.net_rx_bytes_per_second, found.net_tx_bytes_per_second) == (10.0, 1.0)
    assert (found.memory_bytes, found.memory_used_bytes) == (2 << 30, 1 << 30)
    assert (found.vcpus, found.interval_seconds) == (2, 5.0)
    assert found.at == datetime.fromtimestamp(200, UTC)
    assert (found.cpu_seconds, found.disk_read_bytes, found.net_rx_bytes) == (None, None, None)


def test_memory_that_nobody_tells_is_not_guessed() -> None:
    assert stats(cpu0=0.5).memory_used_bytes is None


def test_a_domain_without_figures_says_why() -> None:
    told = stats_of(vm_record(), TimeoutError("not in time"), NOW)
    assert told.details["xen.no_figures"] == "not in time"
    assert (told.cpu_ratio, told.interval_seconds, told.at) == (None, None, NOW)
    fresh = stats_of(vm_record(), Updates(step=5, end=1, vms={}), NOW)
    assert "yet" in fresh.details["xen.no_figures"]
    off = stats_of(vm_record(power_state="Halted"), None, NOW)
    assert (off.details, off.memory_bytes, off.vcpus) == ({}, None, 2)
