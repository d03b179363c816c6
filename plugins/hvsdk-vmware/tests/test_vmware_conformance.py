"""The conformance kit on a vCenter and an ESXi host of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import hvsdk
import hvsdk_simulators
import pytest
from hvsdk import Domain, PowerState
from hvsdk.testing import BackendConformance
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vmware_files import write_file
from vmware_support import Raw, connect

AS_ON_A_VCENTER = re.compile(
    "_odd_|why_not|undeclared|readonly|exactly|power_table|asked_for_is|_changing_|cannot_be|no_product|impossible_sizes"
    "|closed|can_be_closed|another_process|each_thread|filter|expired|copied_or_pickled|allowed|secret|frozen|pickle"
)
"""What the core answers by itself, and long rows of alike cases."""


@pytest.fixture(scope="class")
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server of its own for each class, whose domains the kit makes itself."""
    with hvsdk_simulators.start("vcsim", **request.cls.options) as running:
        yield running


@pytest.fixture(scope="session")
def second_server() -> Iterator[Running]:
    """Another vCenter, to which domains move."""
    with hvsdk_simulators.start("vcsim", domains=2, hosts=2, seed=2) as running:
        yield running


class Servers(BackendConformance):
    """A server of its own for each class."""

    options: ClassVar[dict[str, Any]] = {}
    wishes: ClassVar[dict[str, Any]] = {}
    vendor_errors = (vmodl.MethodFault,)
    round_trips_beside_a_call = 6  # a task is waited for with a filter, which is made and let go

    @pytest.fixture
    def host(self, server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[hvsdk.Host]:
        monkeypatch.setenv("HVSDK_KIT_PASSWORD", server.password)
        yield connect(server, password=hvsdk.SecretRef("env:HVSDK_KIT_PASSWORD"), **self.wishes)
        server.clear_faults()

    @pytest.fixture
    def second_host(self, second_server: Running, host: hvsdk.Host) -> Iterator[hvsdk.Host]:
        if not host.supports("migrate"):
            pytest.skip("an ESXi host moves nothing by itself")
        with connect(second_server) as second:
            yield second

    @pytest.fixture
    def other_client(self, server: Running) -> Iterator[Raw]:
        client = Raw(server)
        yield client
        client.close()

    @pytest.fixture
    def spec(self) -> hvsdk.DomainSpec:
        """Changes of its disks are tracked."""
        disks, nics = [hvsdk.DiskSpec(size="16MiB")], [hvsdk.NicSpec()]
        return hvsdk.DomainSpec(
            name="kit", vcpus=1, memory="64MiB", disks=disks, nics=nics, hints={"vmware.change_tracking": True}
        )

    @pytest.fixture
    def image(self, server: Running, other_client: Raw) -> str:
        store = min(one.name for one in other_client.all(vim.Datastore))
        path = f"[{store}] kit.iso"
        write_file(server, other_client, path, bytes(1 << 16))
        return path

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
        domain = make_domain()
        server.act("guest", vm=domain.native_id, tools=guest_agent, obeys_shutdown=True, shutdown_seconds=0.05)
        return domain

    @pytest.fixture
    def guest_ignores(self, server: Running) -> Callable[[Domain, int | None], None]:
        def ignore(domain: Domain, requests: int | None) -> None:
            behaviour = {"obeys_shutdown": False} if requests is None else {"missed_requests": requests}
            server.act("guest", vm=domain.native_id, **behaviour)

        return ignore

    @pytest.fixture
    def force_state(self, server: Running) -> Callable[[Domain, PowerState], None]:
        def force(domain: Domain, state: PowerState) -> None:
            if state is PowerState.UNKNOWN:
                server.act("inaccessible", vm=domain.native_id)
            elif state is PowerState.SHUTOFF:
                client = Raw(server)
                client.vm(domain.native_id).UnregisterVM()  # it cannot be reached again
                client.close()
            else:
                pytest.skip("vSphere tells neither a crash nor what is under way")

        return force

    @pytest.fixture
    def boot_id(self, server: Running) -> Callable[[Domain], object]:
        return lambda domain: server.act("guest", vm=domain.native_id)["boots"]

    @pytest.fixture
    def round_trips(self, server: Running) -> Callable[[], int]:
        """Counts calls, but for goodbyes: a host that an earlier test forgot is logged out whenever it is collected."""
        return lambda: sum(count for method, count in server.counts().items() if method != "Logout")

    @pytest.fixture
    def lose_connection(self, request: pytest.FixtureRequest, server: Running) -> Callable[[str], None]:
        method = "PowerOnVM_Task" if "test_a_change_" in request.node.name else "RetrievePropertiesEx"
        return lambda when: server.fault(f"{method}:drop-{when}:1")

    @pytest.fixture
    def expire_session(self, server: Running) -> Callable[[], None]:
        return lambda: server.act("expire-sessions")

    @pytest.fixture
    def connect_readonly(self, server: Running, domain: Domain) -> Iterator[Callable[..., hvsdk.Host]]:
        hosts: list[hvsdk.Host] = []

        def readonly(**more: Any) -> hvsdk.Host:
            hosts.append(connect(server, readonly=True, **more))
            return hosts[-1]

        yield readonly
        for host in hosts:
            host.close()

    @pytest.fixture
    def secrets(self, server: Running) -> tuple[str, ...]:
        return (server.password,)


class TestCenter(Servers):
    """vCenter 8.0."""

    options: ClassVar[dict[str, Any]] = {"domains": 3, "hosts": 2}


class TestEsxi(Servers):
    """ESXi 8.0. `make test-full` adds what it does as a vCenter does."""

    options: ClassVar[dict[str, Any]] = {"domains": 3, "esx": True}

    @staticmethod
    def left_to_full_runs(name: str) -> bool:
        return AS_ON_A_VCENTER.search(name) is not None


class TestOldCenter(Servers):
    """vCenter 6.5: checked by `make test-full`."""

    options: ClassVar[dict[str, Any]] = {"domains": 3, "hosts": 2, "api": "6.5"}

    @staticmethod
    def left_to_full_runs(name: str) -> bool:
        return True


class TestFiles(Servers):
    """ESXi 6.7, whose disks are read and written as the files they are: checked by `make test-full`."""

    options: ClassVar[dict[str, Any]] = {"domains": 3, "esx": True, "api": "6.7"}
    wishes: ClassVar[dict[str, Any]] = {"disk_io": "datastore"}

    @staticmethod
    def left_to_full_runs(name: str) -> bool:
        return True
