"""Hosts: read-only ones, time limits, sharing, copies, what closing means."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import time

import pytest

import hvsdk
from hvsdk import Capability, DiskSpec, DomainSpec, NicSpec, errors
from hvsdk.driver import Backend, Driver, hookimpl
from hvsdk.testing.fake import control
from hvsdk.testing.fake._driver import FakeDriver

CHANGES = {
    "start": lambda d: d.start(),
    "power_off": lambda d: d.power_off(),
    "shutdown": lambda d: d.shutdown(),
    "delete": lambda d: d.delete(),
    "clone": lambda d: d.clone("copy"),
    "rename": lambda d: d.rename("other"),
    "set_notes": lambda d: d.set_notes("x"),
    "set_tags": lambda d: d.set_tags(["x"]),
    "set_metadata": lambda d: d.set_metadata({"x": "y"}),
    "set_autostart": lambda d: d.set_autostart(True),
    "fence": lambda d: d.fence("moved"),
    "unfence": lambda d: d.unfence(),
    "reconfigure": lambda d: d.reconfigure(vcpus=2),
    "attach_disk": lambda d: d.attach_disk(DiskSpec(size="1GiB")),
    "detach_disk": lambda d: d.detach_disk(d.disks[0]),
    "attach_nic": lambda d: d.attach_nic(NicSpec()),
    "insert_media": lambda d: d.insert_media("/x.iso"),
    "eject_media": lambda d: d.eject_media(),
    "create_snapshot": lambda d: d.create_snapshot("x"),
    "set_lineage": lambda d: d.set_lineage(),
    "create_domain": lambda d: d.host.create_domain(DomainSpec(name="x", memory="1GiB")),
    "create_volume": lambda d: d.host.storage_pools()[0].create_volume(name="x", size="1GiB"),
    "open_volume": lambda d: d.host.storage_pools()[0].volumes()[0].open_writer(),
    "delete_volume": lambda d: d.host.storage_pools()[0].volumes()[0].delete(),
}
HANDOUTS = {
    "console": lambda d: d.console(),
    "native": lambda d: d.host.native(),
    "open_disk": lambda d: d.open_disk(d.disks[0]).close(),
}


@pytest.fixture
def host():
    with hvsdk.connect("fake://demo") as host:
        yield host


@pytest.mark.parametrize("verb", CHANGES)
def test_a_read_only_host_refuses_changes_before_they_reach_the_driver(verb):
    with hvsdk.connect("fake://demo", readonly=True, allow={"native"}) as host:
        domain = host.domains(state="running", full=True)[0]
        calls = control(host).calls
        with pytest.raises(errors.PermissionDeniedError, match="read-only"):
            CHANGES[verb](domain)
        made = {m: n - calls.get(m, 0) for m, n in control(host).calls.items() if n != calls.get(m, 0)}
        assert set(made) <= {"native", "list_storage_pools", "list_volumes"}


@pytest.mark.parametrize("verb", HANDOUTS)
def test_a_read_only_host_hands_out_what_can_change_things_only_when_allowed(verb):
    state = "running" if verb == "console" else "shutoff"
    with hvsdk.connect("fake://demo", readonly=True) as host:
        domain = host.domains(state=state, full=True)[0]
        with pytest.raises(errors.PermissionDeniedError, match=f"allow={{'{verb}'}}"):
            HANDOUTS[verb](domain)
    with hvsdk.connect("fake://demo", readonly=True, allow={verb}) as host:
        HANDOUTS[verb](host.domains(state=state, full=True)[0])


def test_a_read_only_refusal_comes_before_idempotence():
    with hvsdk.connect("fake://demo", readonly=True) as host, pytest.raises(errors.PermissionDeniedError):
        host.domains(state="shutoff")[0].power_off()


def test_the_deadline_of_connect_bounds_every_operation():
    with hvsdk.connect("fake://demo", deadline=0.4) as host:
        control(host).fail("list_domains", "slow", seconds=20.0)
        began = time.monotonic()
        with pytest.raises(errors.OperationTimeoutError):
            host.domains()
        assert time.monotonic() - began < 5


def test_a_server_that_hangs_costs_the_timeout_of_connect():
    with hvsdk.connect("fake://demo", timeout=0.3) as host:
        controls = control(host)
        controls.fail("get_domain", "hang")
        with pytest.raises(errors.OperationTimeoutError):
            host.domain("web-1")
        assert host.domain("web-1").name == "web-1"
        controls.heal()


def test_a_refused_login_is_an_authentication_error():
    with pytest.raises(errors.AuthenticationError):
        hvsdk.connect("fake://demo", login_password="right", password="wrong")


def test_one_host_serves_many_threads(host):
    wrong = []

    def work(number: int) -> None:
        domain = host.domains()[number]
        try:
            for _ in range(20):
                domain.power_off()
                domain.start()
        except BaseException as exc:
            wrong.append(exc)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_copies_keep_the_host(host):
    domain = host.domain("web-1")
    assert copy.copy(host) is host
    assert copy.deepcopy({"h": host})["h"] is host
    assert copy.deepcopy(domain) == domain
    assert copy.deepcopy(domain).host is host


def test_unpickled_in_the_same_process_they_are_bound_to_the_live_host(host):
    domain = host.domain("web-1")
    again = pickle.loads(pickle.dumps(domain))
    assert again == domain
    assert again.host is host
    assert again.info == domain.info


def test_a_world_in_memory_cannot_be_attached_from_another_process(host):
    program = (
        "import pickle, sys, hvsdk\n"
        "try:\n pickle.load(sys.stdin.buffer)\n"
        "except hvsdk.errors.UnsupportedError as exc:\n print(exc.capability)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(host), capture_output=True, timeout=60)
    assert done.stdout.decode().strip() == "multiprocess"


def test_a_forked_child_can_use_the_host(host):
    host.domains()
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if len(host.domains()) == 10 else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert control(host).open_sessions == 1


def test_a_host_that_nobody_holds_logs_out():
    host = hvsdk.connect("fake://demo")
    controls = control(host)
    assert controls.open_sessions == 1
    del host
    gc.collect()
    end = time.monotonic() + 10
    while controls.open_sessions and time.monotonic() < end:
        time.sleep(0.01)
    assert controls.open_sessions == 0


def test_a_closed_host_says_so(host):
    domain = host.domain("web-1")
    host.close()
    host.close()
    assert host.closed
    for use in (host.domains, domain.start, domain.refresh, host.info, host.watch, host.native):
        with pytest.raises(errors.HostClosedError):
            use()
    assert "closed" in repr(host)


def test_capabilities_have_reasons(host):
    assert Capability.START in host.capabilities
    assert Capability.MULTIPROCESS not in host.capabilities
    assert host.why_not("start") is None
    assert host.why_not("multiprocess")
    with pytest.raises(errors.InvalidSpecError, match="'fly'"):
        host.supports("fly")


@pytest.mark.parametrize(
    ("typed", "meant"), [("puase", "'pause'"), ("snapshot_memroy", "'snapshot_memory'"), ("power-off", "'power_off'")]
)
def test_a_mistyped_capability_is_answered_with_the_nearest_ones(host, typed, meant):
    for ask in (host.supports, host.why_not, host.domain("web-1").why_not):
        with pytest.raises(errors.InvalidSpecError, match=f"did you mean .*{meant}") as caught:
            ask(typed)
        assert len(str(caught.value)) < 150


def test_a_readonly_host_supports_no_verb_that_changes_something():
    with hvsdk.connect("fake://demo", readonly=True, allow={"console"}) as host:
        domain = host.domain("web-1")
        for capability in Capability:
            refused = "the connection is read-only" in (host.why_not(capability) or "")
            assert host.supports(capability) == (host.why_not(capability) is None)
            if refused:
                assert "the connection is read-only" in str(domain.why_not(capability))
        assert host.why_not("pause") == host.why_not("open_disk") == "the connection is read-only"
        assert host.supports("console")
        assert host.supports("stats")
        assert host.supports("guest_info")
        assert not host.supports("fence_mark")
        assert not host.supports("native")
        with pytest.raises(errors.PermissionDeniedError):
            domain.migrate(host)


def test_finding_by_native_id_uuid_in_both_byte_orders_and_name(host):
    import uuid

    domain = host.domain("web-1")
    other = str(uuid.UUID(bytes=uuid.UUID(domain.uuid).bytes_le))
    for key in (domain.native_id, domain.uuid, domain.uuid.upper(), other, "web-1"):
        assert host.domain(key) == domain
    with pytest.raises(errors.DomainNotFoundError, match="nope"):
        host.domain("nope")
    with pytest.raises(errors.InvalidSpecError):
        host.domain("")


def test_filters(host):
    everything = host.domains()
    assert {d.name for d in host.domains(state=["running", "shutoff"])} <= {d.name for d in everything}
    assert all(d.power_state == "running" for d in host.domains(state="running"))
    assert [d.name for d in host.domains(name="web-?")] == ["web-1"]
    assert host.domains(name="WEB-1") == []
    assert host.domains(where=lambda info: info.name == "db-1")[0].name == "db-1"
    with pytest.raises(errors.NotLoadedError):
        host.domains(where=lambda info: bool(info.disks))
    assert host.domains(where=lambda info: bool(info.disks), include="config")
    with pytest.raises(errors.InvalidSpecError, match="running"):
        host.domains(state="on")
    with pytest.raises(errors.InvalidSpecError, match="config"):
        host.domains(include=["disks"])


def test_a_superseded_domain_is_left_out_where_the_listing_can_tell(host):
    domain = host.domain("web-1")
    domain.set_lineage(superseded_by=hvsdk.Lineage(uuid=domain.uuid, host="qemu:///system"))
    assert domain.superseded_by.host == "qemu:///system"
    assert "web-1" not in [d.name for d in host.domains(full=True)]
    assert "web-1" in [d.name for d in host.domains(full=True, superseded=True)]
    domain.set_lineage()
    assert domain.superseded_by is None


class Listing(FakeDriver):
    """A fake that finds domains in its listing only."""

    find_domains = Driver.find_domains


class ListingPlugin:
    @hookimpl
    def hvsdk_backends(self):
        return [Backend(name="listing", schemes=("listing",), driver=f"{__name__}:Listing")]


def test_a_name_that_is_not_there_is_answered_with_near_ones_where_all_were_read(register):
    register(ListingPlugin())
    with hvsdk.connect("listing://demo") as host:
        with pytest.raises(errors.DomainNotFoundError, match=r"did you mean 'web-1'"):
            host.domain("web-9")
        with pytest.raises(errors.DomainNotFoundError, match="domains\\(\\) lists what is there"):
            host.domain("entirely different")


def test_a_domain_that_is_gone_is_named_as_it_was_last_seen(host):
    domain = host.domains(state="shutoff")[0]
    host.domain(domain.native_id).delete()
    for act in (domain.refresh, domain.start, domain.snapshots, domain.delete):
        with pytest.raises(errors.DomainNotFoundError) as caught:
            act()
        assert str(caught.value).count(repr(domain.name)) == 1
        assert domain.native_id in str(caught.value)
