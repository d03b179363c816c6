"""Figures of running domains."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import hvsdk
import pytest
from hvsdk.driver import DomainStats, errors
from hvsdk_simulators import Running
from pyVmomi import vmodl
from vmware_support import Raw, connect, domain_calls, opened, soon

from hvsdk_vmware._counters import COUNTERS, ids_in, measured_in
from hvsdk_vmware._driver import VmwareDriver

FIELDS = [counter.field for counter in COUNTERS]
IDS = {str(number): counter for number, counter in enumerate(COUNTERS, 1)}
NUMBER = {counter.field: key for key, counter in IDS.items()}


def listed(running: Running) -> list[DomainStats]:
    with opened(running) as driver:
        return list(driver.stats(None, deadline=soon()))


def answer(*rows: tuple[str, str, str], sample: str = "20,2024-05-01T10:00:20Z", entity: str = "vm-1") -> Any:
    """Return a domain's part of an answer; rows are counter, instance and value."""
    told = "".join(
        f"<value><id><counterId>{key}</counterId><instance>{instance}</instance></id><value>{value}</value></value>"
        for key, instance, value in rows
    )
    head = f"<entity type='VirtualMachine'>{entity}</entity><sampleInfoCSV>{sample}</sampleInfoCSV>"
    return ElementTree.fromstring(f"<returnval xmlns='urn:vim25'>{head}{told}</returnval>")


def rates(*rows: tuple[str, str, str], **more: str) -> dict[str, float]:
    found = measured_in([answer(*rows, **more)], IDS)
    return dict(found["vm-1"].rates) if found else {}


def test_all_that_runs_has_figures(either: Running) -> None:
    with connect(either) as host:
        running = {domain.native_id: domain for domain in host.domains(state="running")}
        found = {stats.native_id: stats for stats in host.stats()}
        assert found.keys() == running.keys()
        for stats in found.values():
            assert (stats.name, stats.vcpus) == (running[stats.native_id].name, running[stats.native_id].vcpus)
            assert stats.interval_seconds == 20.0
            assert stats.memory_bytes is not None
            assert stats.cpu_seconds is None, "vSphere keeps no counters"
            assert all(getattr(stats, field) is not None for field in FIELDS), stats
            json.dumps(stats.to_dict(), allow_nan=False)


def test_they_take_one_call_for_the_domains_and_one_for_the_figures(center: Running) -> None:
    with opened(center) as driver:
        list(driver.stats(None, deadline=soon()))
        calls = domain_calls(center, lambda: driver.stats(None, deadline=soon()))
        assert calls == {"RetrievePropertiesEx": 1, "QueryPerf": 1}
        one = next(iter(driver.stats(None, deadline=soon()))).native_id
        calls = domain_calls(center, lambda: driver.stats([one], deadline=soon()))
        assert calls == {"RetrievePropertiesEx": 1, "QueryPerf": 1}


def test_many_are_asked_for_in_pages(center: Running) -> None:
    with opened(center, options={"page_size": 4}) as driver:
        found = list(driver.stats(None, deadline=soon()))
        calls = domain_calls(center, lambda: driver.stats(None, deadline=soon()))
    assert calls["QueryPerf"] == -(-len(found) // 4)
    assert len({stats.native_id for stats in found}) == len(found)


def test_counters_are_looked_up_anew_in_another_session(center: Running) -> None:
    with opened(center) as driver:
        list(driver.stats(None, deadline=soon()))
        center.act("expire-sessions")
        assert list(driver.stats(None, deadline=soon()))
        calls = domain_calls(center, lambda: driver.stats(None, deadline=soon()))
    assert sum(calls.values()) <= 3, calls


def test_a_domain_that_is_off_has_its_size_alone(center: Running, domain: hvsdk.Domain) -> None:
    assert domain.native_id not in [stats.native_id for stats in listed(center)]
    stats = domain.stats()
    assert (stats.native_id, stats.vcpus) == (domain.native_id, domain.vcpus)
    assert stats.memory_bytes is stats.interval_seconds is None
    assert all(getattr(stats, field) is None for field in FIELDS)
    assert "vmware.no_figures" not in stats.details
    with opened(center) as driver:
        calls = domain_calls(center, lambda: driver.stats([domain.native_id], deadline=soon()))
    assert calls == {"RetrievePropertiesEx": 1}


def test_a_suspended_domain_is_left_out(domain: hvsdk.Domain, host: hvsdk.Host) -> None:
    domain.start()
    domain.suspend()
    assert domain.native_id not in [stats.native_id for stats in host.stats()]


def test_a_domain_that_is_gone(host: hvsdk.Host, raw: Raw) -> None:
    made = host.domain(raw.make_vm("goes"))
    raw.remove_vm(made.native_id)
    with pytest.raises(errors.DomainNotFoundError):
        made.stats()


@pytest.mark.parametrize("native_id", ["vm-999999", "a<b>&\"'", "vm-1</entity>", "any-domain", "", "vm-1\n"])
def test_ids_that_are_none_are_no_domains(driver: VmwareDriver, native_id: str) -> None:
    with pytest.raises((errors.DomainNotFoundError, vmodl.fault.ManagedObjectNotFound)):
        driver.stats([native_id], deadline=soon())


def test_names_are_told_as_people_see_them(host: hvsdk.Host, domain: hvsdk.Domain, raw: Raw) -> None:
    name = "a/b 100% <&> \"q\" 'x'"
    raw.rename(domain.native_id, name)
    assert domain.stats().name == name


def test_a_lost_connection_is_asked_again(center: Running, host: hvsdk.Host) -> None:
    host.stats()
    for fault in ("drop-before", "drop-after", "half-answer"):
        center.fault(f"QueryPerf:{fault}:1")
        assert host.stats()


def test_what_is_refused_is_said(center: Running, host: hvsdk.Host) -> None:
    center.fault("QueryPerf:error=NoPermission,no:1")
    with pytest.raises(errors.PermissionDeniedError):
        host.stats()


def test_no_domain_is_no_call_for_figures(make_center: Callable[..., Running]) -> None:
    center = make_center(domains=0)
    with opened(center) as driver:
        assert list(driver.stats(None, deadline=soon())) == []
        calls = domain_calls(center, lambda: driver.stats(None, deadline=soon()))
    assert calls == {"RetrievePropertiesEx": 1}


@pytest.fixture
def running(domain: hvsdk.Domain, center: Running) -> Iterator[hvsdk.Domain]:
    domain.start()
    yield domain
    center.act("figures", vm=domain.native_id, values=None)


def test_figures_are_those_of_the_server_in_our_units(center: Running, running: hvsdk.Domain) -> None:
    center.act("figures", vm=running.native_id, values={counter.name: 100 for counter in COUNTERS})
    stats = running.stats()
    assert stats.cpu_ratio == pytest.approx(0.01 * (running.vcpus or 0))
    disks = sum(disk.device == "disk" for disk in running.disks)
    assert stats.disk_read_bytes_per_second == stats.disk_write_bytes_per_second == 102400 * disks
    assert stats.net_rx_bytes_per_second == 102400
    assert stats.net_tx_packets_per_second == 5


def test_a_domain_of_which_nothing_is_measured_yet_says_so(center: Running, running: hvsdk.Domain) -> None:
    center.act("figures", vm=running.native_id, values={})
    stats = running.stats()
    assert stats.details["vmware.no_figures"]
    assert stats.memory_bytes == running.memory_bytes
    assert stats.interval_seconds is None
    assert all(getattr(stats, field) is None for field in FIELDS)
    others = [one for one in listed(center) if one.native_id != running.native_id]
    assert all(one.cpu_ratio is not None for one in others)


def test_domains_that_go_meanwhile_do_not_cost_the_figures_of_others(make_center: Callable[..., Running]) -> None:
    center = make_center(domains=20)
    client = Raw(center)
    with opened(center) as driver:
        running = [stats.native_id for stats in driver.stats(None, deadline=soon())]
        center.fault("QueryPerf:slow=1:1")
        remover = threading.Timer(0.2, lambda: list(map(client.remove_vm, running[:2])))
        remover.start()
        found = {stats.native_id: stats for stats in driver.stats(None, deadline=soon())}
        remover.join()
    client.close()
    assert all(found[one].cpu_ratio is not None for one in running[2:])
    assert all(found[one].cpu_ratio is None for one in running[:2])


# ---- what an answer tells ------------------------------------------------------------------------------------


def test_units_are_ours() -> None:
    rows = [(key, "", "10") for key in IDS]
    assert rates(*rows) == {
        "cpu_ratio": pytest.approx(0.001),
        "disk_read_bytes_per_second": 10240,
        "disk_write_bytes_per_second": 10240,
        "disk_read_requests_per_second": 10,
        "disk_write_requests_per_second": 10,
        "net_rx_bytes_per_second": 10240,
        "net_tx_bytes_per_second": 10240,
        "net_rx_packets_per_second": 0.5,
        "net_tx_packets_per_second": 0.5,
    }


def test_figures_of_devices_are_added_up_where_there_is_none_of_all() -> None:
    key = NUMBER["disk_read_requests_per_second"]
    apart = [(key, "scsi0:0", "3"), (key, "scsi0:1", "4")]
    assert rates(*apart) == {"disk_read_requests_per_second": 7}
    assert rates(*apart, (key, "", "9")) == {"disk_read_requests_per_second": 9}


@pytest.mark.parametrize("told", ["-1", "", "x", "nan", "inf", "1,-1"])
def test_what_is_no_figure_is_none(told: str) -> None:
    assert rates((NUMBER["cpu_ratio"], "", told)) == {}


@pytest.mark.parametrize("sample", ["", "20", "x,y", "0,2024-05-01T10:00:20Z", "20,1970-01-01T00:00:00Z", "-1,,"])
def test_a_domain_without_a_sample_has_no_figures(sample: str) -> None:
    assert rates((NUMBER["cpu_ratio"], "", "5"), sample=sample) == {}


def test_the_newest_of_several_samples_counts() -> None:
    sample = "20,2024-05-01T10:00:00Z,20,2024-05-01T10:00:20Z"
    (measured,) = measured_in([answer((NUMBER["net_rx_packets_per_second"], "", "1,40"), sample=sample)], IDS).values()
    assert measured.at == datetime(2024, 5, 1, 10, 0, 20, tzinfo=UTC)
    assert measured.rates == {"net_rx_packets_per_second": 2}


def test_counters_that_are_not_ours_are_passed_over() -> None:
    assert rates(("999", "", "5"), ("", "", "5")) == {}
    entry = (
        "<c xmlns='urn:vim25'><PerfCounterInfo><key>7</key><nameInfo><key>usage</key></nameInfo><groupInfo>"
        "<key>cpu</key></groupInfo><rollupType>average</rollupType></PerfCounterInfo><PerfCounterInfo/></c>"
    )
    assert {key: counter.field for key, counter in ids_in(ElementTree.fromstring(entry)).items()} == {"7": "cpu_ratio"}
