"""The conformance kit on pools of three ages, over both ways of writing calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import hvsdk_simulators
import pytest
import XenAPI
from hvsdk import Domain, PowerState, StoragePool, errors
from hvsdk.testing import BackendConformance
from hvsdk_simulators import Running
from xen_support import Raw, connect


@pytest.fixture(scope="class")
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A pool of its own for each class, whose domains the kit makes itself."""
    kit: type[Pools] = request.cls
    with hvsdk_simulators.start("xapi", domains=3, hosts=2, api=kit.api, duration_scale=kit.pace) as running:
        yield running


@pytest.fixture(scope="class")
def second_server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Another pool of the same age, to move domains to."""
    with hvsdk_simulators.start("xapi", domains=1, hosts=1, seed=7, api=request.cls.api) as running:
        yield running


class Pools(BackendConformance):
    """A pool of its own for each class, whose domains the kit makes itself."""

    api = "2.21"
    rpc = "json"
    pace = 1.0
    """What the time that operations take is multiplied by."""
    vendor_errors = (XenAPI.Failure,)
    round_trips_beside_a_call = 8  # a task tells its progress, and is taken away; a look is one call

    @pytest.fixture
    def host(self, server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[hvsdk.Host]:
        monkeypatch.setenv("HVSDK_KIT_PASSWORD", server.password)
        yield connect(server, password=hvsdk.SecretRef("env:HVSDK_KIT_PASSWORD"), rpc=self.rpc)
        server.clear_faults()

    @pytest.fixture
    def other_client(self, server: Running) -> Iterator[Raw]:
        with Raw(server) as client:
            yield client

    @pytest.fixture
    def second_host(self, second_server: Running) -> Iterator[hvsdk.Host]:
        with connect(second_server, rpc=self.rpc) as host:
            yield host

    @pytest.fixture
    def patience(self) -> float:
        return 20.0

    @pytest.fixture
    def guest_obeys(self) -> bool:
        return True

    @pytest.fixture
    def guest_agent(self, request: pytest.FixtureRequest) -> bool:
        return "without_an_agent" not in request.node.name

    @pytest.fixture
    def domain(self, make_domain: Callable[..., Domain], server: Running, guest_agent: bool) -> Domain:
        """Its guest brings its file systems to rest, where the product asks for that."""
        domain = make_domain()
        server.act("guest", vm=domain.native_id, tools=guest_agent, quiesces=guest_agent)
        return domain

    @pytest.fixture
    def guest_ignores(self, server: Running) -> Callable[[Domain, int | None], None]:
        def ignore(domain: Domain, requests: int | None) -> None:
            behaviour = {"obeys_shutdown": False} if requests is None else {"missed_requests": requests}
            server.act("guest", vm=domain.native_id, **behaviour)

        return ignore

    @pytest.fixture
    def force_state(self, server: Running) -> Callable[[Domain, PowerState], None]:
        """An operation that does not end, and a host that loses its power."""
        held: dict[str, str] = {}
        dead: dict[str, str] = {}

        def force(domain: Domain, state: PowerState) -> None:
            key = domain.native_id
            if state is PowerState.SHUTOFF and key in dead:
                server.act("revive-host", host=dead.pop(key))
            elif state is PowerState.SHUTOFF:
                server.act("operation", vm=key, operation=held.pop(key), on=False)
            elif state is PowerState.CHANGING:
                held[key] = "start" if domain.power_state is PowerState.SHUTOFF else "pool_migrate"
                server.act("operation", vm=key, operation=held[key])
            elif state is PowerState.UNKNOWN:
                with Raw(server) as raw:
                    dead[key] = raw.lose_host_of(key, server)
            else:
                pytest.skip("XAPI tells no crash: the domain is paused where it is kept, else off or booted anew")

        return force

    @pytest.fixture
    def boot_id(self, server: Running) -> Callable[[Domain], object]:
        return lambda domain: server.act("guest", vm=domain.native_id)["boots"]

    @pytest.fixture
    def round_trips(self, server: Running) -> Callable[[], int]:
        return lambda: sum(server.counts().values())

    @pytest.fixture
    def lose_connection(self, request: pytest.FixtureRequest, server: Running) -> Callable[[str], None]:
        # A test of changes starts a domain, and what is read before that does not count.
        method = "Async.VM.start" if "test_a_change_" in request.node.name else "event.from"
        return lambda when: server.fault(f"{method}:drop-{when}:1")

    @pytest.fixture
    def expire_session(self, server: Running) -> Callable[[], None]:
        return lambda: server.act("expire-sessions")

    @pytest.fixture
    def connect_readonly(self, server: Running, domain: Domain) -> Iterator[Callable[..., hvsdk.Host]]:
        hosts: list[hvsdk.Host] = []

        def readonly(**more: Any) -> hvsdk.Host:
            hosts.append(connect(server, rpc=self.rpc, readonly=True, **more))
            return hosts[-1]

        yield readonly
        for host in hosts:
            host.close()

    @pytest.fixture
    def secrets(self, server: Running) -> tuple[str, ...]:
        return (server.password,)

    @pytest.fixture
    def pool(self, host: hvsdk.Host) -> StoragePool:
        """The default one: others hold images, or are one host's own."""
        return next(pool for pool in host.storage_pools() if pool.info.details.get("xen.is_default"))

    @pytest.fixture
    def image(self, host: hvsdk.Host) -> str:
        libraries = [pool for pool in host.storage_pools() if pool.type == "iso"]
        return next(volume.name for pool in libraries for volume in pool.volumes() if volume.name.endswith(".iso"))


class TestToday(Pools):
    """API 2.21 as XCP-ng 8.3 and XenServer 8 speak it, over JSON-RPC: checked each time, and in less time."""

    pace = 0.25


class Full(Pools):
    """Checked by `make test-full`."""

    @staticmethod
    def left_to_full_runs(name: str) -> bool:
        return True


class TestTodayXml(Full):
    """The same over XML-RPC."""

    rpc = "xml"


class TestNext(Full):
    """API 2.23 over JSON-RPC."""

    api = "2.23"


class TestNextXml(Full):
    """API 2.23 over XML-RPC."""

    api, rpc = "2.23", "xml"


class TestStockholm(Full):
    """API 2.15 (Citrix Hypervisor 8.2) over JSON-RPC."""

    api = "2.15"


class TestStockholmXml(Full):
    """API 2.15 over XML-RPC."""

    api, rpc = "2.15", "xml"


class Clearwater(Full):
    """API 2.0 (XenServer 6.2), which sends only domains that run to another pool."""

    api = "2.0"

    @pytest.mark.parametrize("state", [PowerState.SHUTOFF, PowerState.RUNNING], ids=lambda state: state.name)
    def test_a_moved_domain_is_there_and_not_here(
        self, host: hvsdk.Host, target: hvsdk.Host, make_domain: Any, reach: Any, state: PowerState
    ) -> None:
        if state is PowerState.RUNNING:
            super().test_a_moved_domain_is_there_and_not_here(host, target, make_domain, reach, state)
            return
        domain = reach(make_domain(), state)
        with pytest.raises(errors.UnsupportedError, match="start it first"):
            domain.migrate(target)
        assert host.domain(domain.native_id).power_state is state


class TestClearwater(Clearwater):
    """Over JSON-RPC where it has it."""

    rpc = "auto"


class TestClearwaterXml(Clearwater):
    """Over XML-RPC."""

    rpc = "xml"
