"""Many hosts as one: what is asked of all, and what becomes of those that do not answer."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from uuid import UUID

import pytest

import hvsdk
from hvsdk import errors

DEAD = "fake://dead?fault=open:drop-before*999"
FROZEN = "fake://frozen?fault=list_domains:hang*99"


@pytest.fixture
def fleet():
    with hvsdk.Fleet({"a": "fake://a?domains=3", "b": "fake://b?domains=2", "dead": DEAD}) as fleet:
        yield fleet


def test_a_dead_host_comes_back_as_data_beside_what_the_others_said(fleet):
    found = fleet.domains()
    assert len(found) == 5
    assert found.answered == ("a", "b")
    (failure,) = found.failures
    assert (failure.host, failure.kind, failure.tried, failure.url.startswith("fake://dead")) == (
        "dead",
        "ConnectionLost",
        True,
        True,
    )
    assert not found.complete


def test_strict_raises_all_that_went_wrong_as_one(fleet):
    with pytest.raises(ExceptionGroup) as caught:
        fleet.domains(strict=True)
    assert caught.group_contains(errors.ConnectError)
    assert "of dead" in caught.value.exceptions[0].__notes__[0]


def test_domains_are_bound_to_their_hosts(fleet):
    domain = fleet.domains(name="web-*")[0]
    assert domain.host is fleet.host("a")
    domain.power_off()
    assert fleet.host("a").domain(domain.native_id).power_state == "shutoff"


def test_domains_are_told_by_host_in_the_order_of_the_fleet(fleet):
    found = fleet.domains()
    assert found.hosts == ("a", "a", "a", "b", "b")
    assert {name: len(items) for name, items in found.by_host().items()} == {"a": 3, "b": 2}
    assert found.to_dicts()[4]["host"] == "b"


def test_a_list_prints_with_hosts_and_failures_and_as_html(fleet):
    found = fleet.domains()
    text = repr(found)
    assert "host" in text.splitlines()[0]
    assert "1 of 3 hosts did not answer" in text
    assert "dead: ConnectionLost" in text
    assert "<table" in found._repr_html_()
    assert "ConnectionLost" in found._repr_html_()


@pytest.mark.parametrize("ask", ["stats", "networks", "storage_pools"])
def test_every_table_of_a_fleet_names_the_host(fleet, ask):
    found = getattr(fleet, ask)()
    lines = repr(found).splitlines()
    assert lines[0].split()[0] == "host"
    assert {line.split()[0] for line in lines[1 : len(found) + 1]} == {"a", "b"}
    assert {row["host"] for row in found.to_dicts()} == {"a", "b"}
    assert "<th>host</th>" in found._repr_html_()
    assert repr(found[:1]).splitlines()[0].split()[0] != "host"


def test_failures_on_domains_are_not_told_as_hosts_without_an_answer(fleet):
    found = fleet.run(lambda domain: domain.start() if domain.name == "web-1" else 1 / 0, domains=fleet.domains()[:3])
    assert "of 3 failed:" in repr(found)
    assert "did not answer" not in repr(found)


def test_what_a_server_says_is_neutralised_in_what_is_printed():
    found = hvsdk.FleetDomains()
    failure = hvsdk.Failure(host="x", url="fake://x", error=errors.ConnectError("\x1b[31m<b>"))
    found.failures = (failure,)
    assert "\x1b" not in repr(found)
    assert "<b>" not in found._repr_html_()


def test_filters_are_those_of_a_host(fleet):
    assert {domain.power_state for domain in fleet.domains(state="running")} == {hvsdk.PowerState.RUNNING}
    assert len(fleet.domains(where=lambda info: info.name == "db-1")) == 2
    with pytest.raises(TypeError, match="no argument nmae"):
        fleet.domains(nmae="x")
    with pytest.raises(errors.InvalidSpecError):
        fleet.domains(include=["nonsense"])


def test_hosts_are_chosen_by_name_pattern_and_tags():
    hosts = {
        "x-1": {"url": "fake://x1?domains=1", "tags": ["old"]},
        "x-2": "fake://x2?domains=1",
        "y": {"url": "fake://y?domains=1", "tags": ["old", "lab"]},
    }
    with hvsdk.Fleet(hosts) as fleet:
        assert fleet.select(hosts="x-*") == ["x-1", "x-2"]
        assert fleet.select(tags=["old", "lab"]) == ["y"]
        assert fleet.domains(hosts="x-*", host_tags="old").answered == ("x-1",)
        with pytest.raises(errors.NotFoundError, match="'z'"):
            fleet.domains(hosts="z")


def test_no_host_is_connected_to_before_it_is_asked():
    with hvsdk.Fleet({"a": "fake://a", "b": "fake://b"}) as fleet:
        fleet.domains(hosts="a")
        assert fleet.host("a")._door.ever_opened
        assert not fleet.host("b")._door.ever_opened


def test_a_backend_that_is_not_installed_is_a_failure_of_its_host():
    with hvsdk.Fleet({"a": "fake://a?domains=1", "odd": "nonsuch://host"}) as fleet:
        found = fleet.domains()
    assert [failure.kind for failure in found.failures] == ["UnknownBackend"]
    assert len(found) == 1


def test_a_host_that_hangs_costs_no_more_than_its_deadline():
    hosts = {"a": "fake://a?domains=1", "frozen": {"url": FROZEN, "timeout": 30, "deadline": 0.5}}
    with hvsdk.Fleet(hosts) as fleet:
        began = time.monotonic()
        found = fleet.domains()
        assert time.monotonic() - began < 10
    assert [(one.host, one.kind) for one in found.failures] == [("frozen", "OperationTimeout")]
    assert len(found) == 1


def test_the_process_leaves_within_seconds_whatever_hangs():
    program = (
        "import hvsdk\n"
        f"fleet = hvsdk.Fleet({{'a': 'fake://a', 'f': {{'url': {FROZEN!r}, 'timeout': 600}}}}, deadline=0.5)\n"
        "print(len(fleet.domains().failures))\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1\n"
    assert time.monotonic() - began < 20  # the start of an interpreter on a busy machine included


def test_so_many_hosts_are_asked_at_once_and_no_more():
    now, most, lock = [0], [0], threading.Lock()

    def measure(host):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1

    with hvsdk.Fleet({f"h{n}": f"fake://h{n}?domains=0" for n in range(9)}, parallel=3) as fleet:
        assert len(fleet.run(measure)) == 9
    assert most[0] == 3


def test_so_many_domains_of_one_host_are_worked_on_at_once_and_no_more():
    now, most, lock = [0], [0], threading.Lock()

    def measure(domain):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.03)
        with lock:
            now[0] -= 1
        return domain.name

    with hvsdk.Fleet({"h": "fake://h?domains=9"}, per_host=2) as fleet:
        domains = fleet.domains()
        assert [one.value for one in fleet.run(measure, domains=domains)] == [domain.name for domain in domains]
    assert most[0] == 2


def test_progress_is_told_on_the_callers_thread(fleet):
    told = []
    fleet.domains(progress=lambda done, total, answer: told.append((done, total, threading.current_thread())))
    assert [(done, total) for done, total, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert {thread for _, _, thread in told} == {threading.current_thread()}


def test_run_returns_what_failed_as_data(fleet):
    def only_running(domain):
        if domain.power_state != "running":
            raise errors.PowerStateError(f"{domain.name} does not run")
        return domain.name

    domains = fleet.domains()
    result = fleet.run(only_running, domains=domains)
    assert len(result) + len(result.failures) == len(domains)
    assert {failure.kind for failure in result.failures} == {"PowerState"}
    assert {failure.domain for failure in result.failures} <= {domain.name for domain in domains}


def test_run_refuses_domains_of_other_hosts(fleet):
    with (
        hvsdk.connect("fake://stranger?domains=1") as host,
        pytest.raises(errors.InvalidSpecError, match="none of this"),
    ):
        fleet.run(hvsdk.Domain.start, domains=host.domains())


def test_a_bug_in_a_function_is_data_for_run_as_any_error(fleet):
    result = fleet.run(lambda host: 1 // 0, hosts=["a"])
    assert [failure.kind for failure in result.failures] == ["ZeroDivisionError"]


def test_networks_storage_pools_and_stats_come_from_all(fleet):
    assert set(fleet.networks().by_host()) == {"a", "b"}
    assert set(fleet.storage_pools().by_host()) == {"a", "b"}
    assert {one.kind for one in fleet.stats().failures} == {"ConnectionLost"}


def test_find_takes_what_is_known_of_a_domain():
    with hvsdk.Fleet({"a": "fake://a?domains=3", "b": "fake://b?domains=3&seed=4"}) as fleet:
        one = fleet.domains(full=True, name="web-*")[0]
        swapped = UUID(bytes=UUID(one.uuid).bytes_le)
        for key in (one.uuid, one.uuid.upper(), str(swapped), one.nics[0].mac, one.nics[0].mac.upper()):
            assert [found.native_id for found in fleet.find(key)] == [one.native_id], key
        assert {found.native_id for found in fleet.find(one.native_id)} == {one.native_id}
        address = one.addresses[0].ip
        assert one.native_id in [found.native_id for found in fleet.find(address)]
        assert {found.name for found in fleet.find("web-*")} == {"web-1"}
        assert [found.name for found in fleet.find("nothing")] == []
        with pytest.raises(errors.InvalidSpecError):
            fleet.find("")


def test_two_hosts_that_show_one_uuid_are_found_unless_a_move_explains_it():
    with hvsdk.Fleet({"a": "fake://a?domains=2", "b": "fake://b?domains=0"}) as fleet:
        first = fleet.domains(state="shutoff")[0]
        spec = hvsdk.DomainSpec(name="copy", uuid=first.uuid, vcpus=1, memory="64MiB")
        second = fleet.host("b").create_domain(spec)
        (twice,) = fleet.duplicates()
        assert (twice.reason, twice.hosts, twice.uuid) == ("unexplained", ("a", "b"), first.uuid)
        second.start()
        first.start()
        assert [one.reason for one in fleet.duplicates()] == ["both run"]
        first.power_off()
        first.set_lineage(superseded_by=hvsdk.Lineage(uuid=second.uuid, host=second.host.url))
        assert fleet.duplicates() == []
        first.start()
        assert [one.reason for one in fleet.duplicates()] == ["both run"]


def test_any_executor_of_threads_does_the_same(fleet):
    with ThreadPoolExecutor(2) as pool, hvsdk.Fleet({"a": "fake://a?domains=2"}, executor=pool) as other:
        found = other.domains()
        assert len(found) == 2
        assert found[0].host is other.host("a")


def test_what_only_this_process_sees_is_refused_to_other_processes():
    with ProcessPoolExecutor(1) as pool, hvsdk.Fleet({"a": "fake://a?domains=2"}, executor=pool) as fleet:
        (failure,) = fleet.domains().failures
    assert failure.kind == "Unsupported"


def test_failures_and_results_can_be_pickled(fleet):
    failure = pickle.loads(pickle.dumps(fleet.domains().failures[0]))
    assert failure.kind == "ConnectionLost"


def test_a_closed_fleet_opens_again_when_it_is_asked(fleet):
    before = fleet.host("a")
    fleet.domains()
    fleet.close()
    assert before.closed
    assert len(fleet.domains()) == 5


@pytest.mark.parametrize("wrong", [{"parallel": 0}, {"per_host": 0}])
def test_limits_that_make_no_sense_are_refused(wrong):
    with pytest.raises(errors.InvalidSpecError):
        hvsdk.Fleet({"a": "fake://a"}, **wrong)


def test_a_host_that_is_connected_already_can_be_one_of_a_fleet_and_stays_its_owners():
    with hvsdk.connect("fake://mine?domains=2") as host:
        with hvsdk.Fleet({"mine": host, "other": "fake://other?domains=1"}) as fleet:
            assert fleet.host("mine") is host
            assert len(fleet.domains()) == 3
        assert not host.closed
        with hvsdk.Fleet({"mine": host}) as fleet:
            host.close()
            assert [one.kind for one in fleet.domains().failures] == ["HostClosed"]


def test_a_function_that_fails_is_told_as_that():
    with hvsdk.Fleet({"a": "fake://a?domains=2", "b": "fake://b"}) as fleet:
        failed = fleet.run(lambda host: host.nope)
        assert "2 of 2 hosts failed:" in repr(failed)
        assert {failure.kind for failure in failed.failures} == {"AttributeError"}
        with pytest.raises(TypeError, match="takes a function"):
            fleet.run("start", domains=fleet.domains())


def test_a_host_is_called_what_the_fleet_calls_it():
    with hvsdk.Fleet({"a": "fake://a?domains=2", "b": "fake://b"}) as fleet:
        assert fleet.name_of(fleet.host("b")) == "b"
        assert {fleet.name_of(domain.host) for domain in fleet.domains()} == {"a", "b"}
        with hvsdk.connect("fake://other") as other, pytest.raises(errors.NotFoundError):
            fleet.name_of(other)
