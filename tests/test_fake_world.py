"""What a fake world holds, and that it is the same every time."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hvsdk
from hvsdk.testing.fake import control


def listing(url: str) -> list[dict[str, object]]:
    with hvsdk.connect(url) as host:
        found = [domain.info.to_dict() for domain in host.domains(full=True, templates=True, control=True)]
    for record in found:
        del record["seen_at"]
    return found


def test_the_same_url_makes_the_same_world():
    assert listing("fake://demo?seed=7&domains=30&templates=2") == listing("fake://demo?seed=7&domains=30&templates=2")


def test_another_seed_or_name_makes_another_world():
    uuids = [{str(record["uuid"]) for record in listing(url)} for url in ("fake://a", "fake://b", "fake://a?seed=1")]
    assert not uuids[0] & uuids[1]
    assert not uuids[0] & uuids[2]


def test_a_world_is_the_same_in_another_process():
    program = "import hvsdk; print([d.uuid for d in hvsdk.connect('fake://demo?domains=5').domains()])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    with hvsdk.connect("fake://demo?domains=5") as host:
        assert answer.stdout.strip() == str([domain.uuid for domain in host.domains()])


def test_each_connection_is_a_fresh_world():
    with hvsdk.connect("fake://demo") as one, hvsdk.connect("fake://demo") as other:
        one.domain("web-1").power_off()
        assert other.domain("web-1").power_state == "running"


def test_ten_thousand_domains_have_identities_of_their_own():
    with hvsdk.connect("fake://demo?domains=10000&seed=7") as host:
        before = control(host).round_trips()
        domains = host.domains()
        assert control(host).round_trips() == before + 1
        assert len({domain.uuid for domain in domains}) == len({domain.name for domain in domains}) == 10_000
        full = host.domains(full=True)
        assert len({nic.mac for domain in full for nic in domain.nics}) == sum(len(domain.nics) for domain in full)


def test_a_world_holds_all_lasting_states():
    with hvsdk.connect("fake://demo?domains=200") as host:
        states = {domain.power_state for domain in host.domains()}
    assert states == {"running", "shutoff", "paused", "suspended"}


def test_templates_and_control_domains_are_there_when_asked_for():
    with hvsdk.connect("fake://demo?domains=3&templates=2&control=1&nodes=2") as host:
        assert len(host.domains()) == 3
        assert len(host.domains(templates=True)) == 5
        found = host.domains(templates=True, control=True)
        assert len(found) == 7
        template = next(domain for domain in found if domain.is_template)
        with pytest.raises(hvsdk.errors.UnsupportedError, match="template"):
            template.start()
        dom0 = next(domain for domain in found if domain.is_control)
        with pytest.raises(hvsdk.errors.UnsupportedError, match="control domain"):
            dom0.power_off()


def test_domains_start_without_snapshots_unless_asked():
    with hvsdk.connect("fake://demo") as host:
        assert host.domain("web-1").snapshots() == []
    with hvsdk.connect("fake://demo?snapshots=2&domains=2") as host:
        assert [snapshot.name for snapshot in host.domain("web-1").snapshots()] == ["snapshot-1", "snapshot-2"]


def test_nodes_networks_and_pools_are_listed():
    with hvsdk.connect("fake://demo?nodes=3") as host:
        assert [node.name for node in host.nodes()] == ["node-1", "node-2", "node-3"]
        assert all(0 < node.free_memory_bytes < node.memory_bytes for node in host.nodes())
        assert [network.name for network in host.networks()] == ["default", "backend", "dmz"]
        assert [pool.name for pool in host.storage_pools()] == ["default", "fast", "iso"]
        assert host.info().product == "hvsdk fake"


def test_it_has_every_capability_but_multiprocess():
    with hvsdk.connect("fake://demo") as host:
        assert set(hvsdk.Capability) - host.capabilities == {hvsdk.Capability.MULTIPROCESS}


def test_its_domains_can_say_that_they_run_on_another_hypervisor():
    with hvsdk.connect("fake://demo?hypervisor=xen&domains=1") as host:
        assert host.domain("web-1").hypervisor == "xen"


def test_importing_the_backend_imports_no_test_framework_and_no_driver():
    program = (
        "import hvsdk.testing.fake, sys; print(sorted(n for n in sys.modules if 'pytest' in n or '_driver:' in n))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


def test_control_refuses_another_backends_host():
    class Other:
        def native(self) -> object:
            return object()

    with pytest.raises(TypeError, match="no fake:// host"):
        control(Other())  # type: ignore[arg-type]


@pytest.mark.parametrize("query", ["latency=soon", "domains=-1", "fault=nonsense", "fault=start:explode", "nodes=0"])
def test_options_that_make_no_sense_are_refused(query):
    with pytest.raises(hvsdk.errors.InvalidSpecError):
        hvsdk.connect(f"fake://demo?{query}")


def test_stats_count_on_with_the_clock():
    with hvsdk.connect("fake://demo") as host:
        web = host.domain("web-1")
        first = web.stats()
        control(host).advance(100)
        second = web.stats()
        rate = second.rate_since(first)
        assert rate.interval_seconds >= 100
        assert 0 < rate.cpu_ratio <= second.vcpus
        web.reset()
        assert web.stats().cpu_seconds < second.cpu_seconds


def test_bulk_stats_are_of_all_that_run_in_one_round_trip():
    with hvsdk.connect("fake://demo?domains=50") as host:
        running = {domain.native_id for domain in host.domains(state="running")}
        before = control(host).round_trips()
        assert {figures.native_id for figures in host.stats()} == running
        assert control(host).round_trips() == before + 1


def test_a_screenshot_is_a_png_that_differs_by_name():
    with hvsdk.connect("fake://demo?domains=30&seed=3") as host:
        running = host.domains(state="running")[:2]
        pictures = [domain.screenshot() for domain in running]
    assert all(picture.startswith(b"\x89PNG\r\n\x1a\n") for picture in pictures)
    assert pictures[0] != pictures[1]


def test_a_consoles_password_is_in_no_repr():
    with hvsdk.connect("fake://demo") as host:
        console = host.domain("web-1").console()
    assert console.password
    assert console.password not in repr(console)


def test_a_domain_is_found_by_its_uuid_in_either_byte_order():
    with hvsdk.connect("fake://demo") as host:
        web = host.domain("web-1")
        a, b, c, *rest = web.uuid.split("-")
        turned = ["".join(reversed([part[i : i + 2] for i in range(0, len(part), 2)])) for part in (a, b, c)]
        assert host.domain("-".join([*turned, *rest])) == web
        assert host.domain(web.native_id) == web


def test_a_forked_child_goes_on_with_a_copy_of_the_world():
    program = """
import os, sys, threading, warnings
import hvsdk
warnings.simplefilter("ignore")
host = hvsdk.connect("fake://demo")
web = host.domain("web-1")
stop = threading.Event()
def hammer():
    while not stop.is_set():
        host.domains()
thread = threading.Thread(target=hammer)
thread.start()
child = os.fork()
if not child:
    web.power_off()
    os._exit(0 if web.power_state == "shutoff" else 1)
status = os.waitpid(child, 0)[1]
stop.set()
thread.join()
sys.exit(status or (web.refresh().power_state != "running"))
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
