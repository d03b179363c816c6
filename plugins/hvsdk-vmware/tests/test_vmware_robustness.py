"""What goes wrong between a client and a server in years of service: restarts, broken wires, expired sessions, silence."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import hvsdk
import pytest
from hvsdk import PowerState
from hvsdk.driver import Operation, errors
from hvsdk_simulators import Running
from hvsdk_testbed.proxy import FaultProxy
from vmware_support import Raw, connect, eventually, opened, some, soon

from hvsdk_vmware._driver import VmwareDriver

EVERYTHING = frozenset(("config", "guest"))


@pytest.fixture
def own(make_center: Callable[..., Running]) -> Running:
    """A vCenter of the test's own."""
    return make_center()


@pytest.fixture
def proxy(own: Running) -> Iterator[FaultProxy]:
    """Stands between the client and the vCenter of the test's own."""
    port = urlsplit(own.url).port
    assert port is not None
    with FaultProxy(port) as proxy:
        yield proxy


def through(proxy: FaultProxy, center: Running, **more: Any) -> hvsdk.Host:
    """Connect through the proxy."""
    url = urlsplit(center.url)
    there = f"{url.scheme}://{url.username}@127.0.0.1:{proxy.port}"
    wishes: dict[str, Any] = {"password": center.password, "verify": center.fingerprint, "timeout": 10.0}
    return hvsdk.connect(there, **wishes | more)


def test_parts_of_the_driver_do_not_hide_each_others_private_methods() -> None:
    homes = defaultdict(list)
    for cls in VmwareDriver.__mro__:
        if cls.__module__.startswith("hvsdk_vmware"):
            for name, value in vars(cls).items():
                if callable(value) and name.startswith("_") and not name.startswith("__"):
                    homes[name].append(cls.__name__)
    assert {name: classes for name, classes in homes.items() if len(classes) > 1} == {}


def test_the_order_of_the_drivers_parts_does_not_matter() -> None:
    homes = defaultdict(list)
    for cls in VmwareDriver.__mro__:
        if cls.__module__.startswith("hvsdk_vmware"):
            for name, value in vars(cls).items():
                if inspect.isfunction(value):
                    homes[name].append((cls, value))
    for name, found in homes.items():
        for (upper, method), (lower, _) in itertools.pairwise(found):
            leads_on = "__class__" in method.__code__.co_freevars  # it says super()
            assert leads_on or issubclass(upper, lower), f"{upper.__name__} hides {name} of {lower.__name__}"


# ---- restarts --------------------------------------------------------------------------------------------


def test_a_restart_between_calls_is_not_noticed(own: Running) -> None:
    with connect(own) as host:
        domain = some(host)
        own.act("restart")
        assert len(host.domains()) == 4
        own.act("restart")
        domain.start()
        own.act("restart")
        assert domain.refresh().power_state == "running"
        own.act("restart")
        domain.set_tags({"after"})
        assert domain.tags == {"after"}
        own.act("restart")
        assert {node.name for node in host.nodes()}


def test_a_restart_during_a_task_has_its_outcome_read(own: Running) -> None:
    with connect(own) as host:
        domain = some(host)
        own.fault("PowerOnVM_Task:task-slow=1:1")
        restart = threading.Timer(0.3, lambda: own.act("restart"))
        restart.start()
        with contextlib.suppress(errors.OutcomeUnknownError):
            domain.start(timeout=20)  # its task is gone: its state tells, unless it is too early for that
        restart.join()
        assert eventually(lambda: domain.refresh().power_state == "running")


def test_a_server_that_is_gone_is_said_to_be_and_taken_up_again(own: Running, proxy: FaultProxy) -> None:
    with through(proxy, own) as host:
        assert host.domains()
        proxy.refuse()
        with pytest.raises(errors.ConnectError):
            host.domains()
        proxy.repair()
        assert host.domains()


# ---- broken wires ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 100, 2000, 20_000])
def test_a_listing_that_breaks_off_anywhere_is_read_again(own: Running, proxy: FaultProxy, count: int) -> None:
    with through(proxy, own) as host:
        whole = host.domains(full=True)
        proxy.cut_after(count)
        assert host.domains(full=True) == whole


def test_connections_that_all_break_are_made_anew(own: Running, proxy: FaultProxy) -> None:
    with through(proxy, own) as host:
        domain = some(host)
        for _ in range(3):
            proxy.drop()
            assert domain.refresh().power_state == "shutoff"
        proxy.drop()
        domain.start()
        assert domain.power_state == "running"
        assert len(own.sessions()) == 1, "the session outlives its connections"


def test_a_watch_goes_on_after_its_connection_broke(own: Running, proxy: FaultProxy) -> None:
    client = Raw(own)
    with through(proxy, own) as host, host.watch() as watch:
        domain = some(host)
        for name in ("one", "two"):
            proxy.drop()
            client.rename(domain.native_id, name)
            event = watch.get(timeout=20)
            while event is not None and (event.after is None or event.after.name != name):
                event = watch.get(timeout=20)
            assert event is not None
    client.close()


# ---- silence ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", ["domains", "nodes", "networks", "storage_pools", "info"])
def test_a_server_that_freezes_holds_up_no_read_longer_than_its_limit(
    own: Running, proxy: FaultProxy, read: str
) -> None:
    with through(proxy, own, timeout=1.0) as host:
        host.domains()
        proxy.freeze()
        began = time.monotonic()
        with pytest.raises(errors.OperationTimeoutError):
            getattr(host, read)()
        assert time.monotonic() - began < 8
        proxy.repair()
        assert getattr(host, read)()


def test_a_change_without_an_answer_has_an_unknown_outcome(own: Running, proxy: FaultProxy) -> None:
    with through(proxy, own, timeout=1.0) as host:
        domain = some(host)
        freeze = threading.Timer(0.2, proxy.freeze)
        own.fault("PowerOnVM_Task:slow=0.5:1")
        freeze.start()
        with pytest.raises((errors.OutcomeUnknownError, errors.OperationTimeoutError)):
            domain.start(timeout=3)
        freeze.join()
        proxy.repair()
        assert eventually(lambda: domain.refresh().power_state == "running")


def test_closing_a_host_whose_server_is_frozen_ends(own: Running, proxy: FaultProxy) -> None:
    host = through(proxy, own, timeout=1.0)
    host.domains()
    proxy.freeze()
    began = time.monotonic()
    host.close()
    assert time.monotonic() - began < 8
    proxy.repair()


# ---- odd domains -----------------------------------------------------------------------------------------


def test_a_template_says_what_it_cannot_do(host: hvsdk.Host) -> None:
    template = next(one for one in host.domains(templates=True) if one.is_template)
    assert template.native_id not in {one.native_id for one in host.domains()}
    for verb in ("start", "suspend", "reset", "shutdown"):
        with pytest.raises(errors.UnsupportedError, match="template"):
            getattr(template, verb)()
    assert "template" in str(template.why_not("start"))


@pytest.mark.parametrize("state", ["inaccessible", "orphaned", "disconnected", "invalid"])
def test_a_domain_that_vsphere_cannot_see_is_not_touched(own: Running, state: str) -> None:
    with connect(own) as host:
        domain = some(host)
        own.act("inaccessible", vm=domain.native_id, state=state)
        own.reset_counts()
        for verb in ("start", "power_off", "suspend"):
            with pytest.raises(errors.PowerStateError) as caught:
                getattr(domain, verb)(timeout=5)
            assert caught.value.state in (PowerState.UNKNOWN, None)
        assert domain.refresh().power_state == PowerState.UNKNOWN


def test_a_domain_that_is_removed_meanwhile_is_not_found(own: Running) -> None:
    with connect(own) as host:
        domain = some(host)
        client = Raw(own)
        client.remove_vm(domain.native_id)
        client.close()
        for use in (domain.refresh, domain.start, lambda: domain.set_notes("x"), lambda: host.domain(domain.native_id)):
            with pytest.raises(errors.DomainNotFoundError):
                use()


def test_reading_is_no_more_than_a_user_may(own: Running) -> None:
    with opened(own) as driver:
        own.fault("RetrievePropertiesEx:error=NoPermission:1")
        with pytest.raises(Exception, match="NoPermission") as caught:
            list(driver.list_domains(EVERYTHING, deadline=soon()))
        error = driver.translate(caught.value, Operation(id="1", verb="list_domains"))
        assert isinstance(error, errors.PermissionDeniedError)


def test_the_free_edition_of_esxi_says_why_it_changes_nothing(make_center: Callable[..., Running]) -> None:
    center = make_center(esx=True)
    with connect(center) as host:
        assert host.why_not("start") is None
    center.act("license", edition="esxBasic")
    with connect(center) as host:
        domain = some(host)
        assert "free edition" in str(host.why_not("start"))
        for change in (domain.start, lambda: domain.set_notes("x"), lambda: domain.create_snapshot("x")):
            with pytest.raises(errors.UnsupportedError, match="free edition"):
                change()
        assert host.storage_pools()
        assert host.supports("watch")


# ---- what the server's own log gets ----------------------------------------------------------------------


class Overheard:
    """Passes what is said between a client and a server that speak without TLS, and keeps the client's part."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.said = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if from_client:
                    self.said += data
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def test_each_call_of_an_operation_says_which_it_is_of_and_for_whom(make_center: Callable[..., Running]) -> None:
    center = make_center(tls=False)
    port = urlsplit(center.url).port
    assert port is not None
    between = Overheard(port)
    seen: list[str] = []

    class Audit:
        @hvsdk.hookimpl
        def hvsdk_before_operation(self, operation: Operation) -> None:
            if operation.verb == "start":
                seen.append(operation.id)

    audit = Audit()
    hvsdk.register(audit)
    try:
        url = f"vmware+http://{urlsplit(center.url).username}@127.0.0.1:{between.port}"
        with hvsdk.connect(url, password=center.password, timeout=20) as host:
            domain = some(host)
            between.said = b""
            with hvsdk.context(ticket="OPS-77", on_behalf_of="mia <x>"):
                domain.start()
    finally:
        hvsdk.unregister(audit)
        between.close()
    (operation,) = seen
    ids = re.findall(rb"<operationID[^>]*>([^<]*)</operationID>", between.said)
    of_start = [one.decode() for one in ids if operation in one.decode()]
    assert len(of_start) >= 2, "the call and what waits for its task"
    assert all("-start-" in one and "OPS-77" in one and "<" not in one for one in of_start)
    assert any("mia" in one for one in of_start)
