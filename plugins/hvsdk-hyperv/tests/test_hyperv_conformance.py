"""The conformance kit on hosts of their own: both engines, over TLS with basic and without TLS with NTLM."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import hvsdk
import hvsdk_simulators
import pytest
import requests
from hvsdk import DiskSpec, Domain, DomainSpec, NicSpec, PowerState
from hvsdk.testing import BackendConformance
from hvsdk_simulators import Running
from hyperv_support import connect, powershell
from winrm.exceptions import WinRMError, WinRMTransportError

from hvsdk_hyperv._refused import RefusedError
from hvsdk_hyperv._shell import ShellEndedError

IMAGE = "C:\\ISO\\kit.iso"
LONG_ROWS = re.compile(
    "_odd_|why_not|undeclared|readonly|exactly|power_table|gone_is_not|cannot_see|asked_for_is|_changing_"
)
BY_THE_CORE = re.compile(
    "closed|can_be_closed|watch|events|nothing_happens|change_is_told|name_is_told|another_process|each_thread|filter"
    "|cannot_be|no_product|impossible_sizes|fence|follows_the_state|come_and_go|expired|lost|copied_or_pickled|allowed"
)
WHATEVER_THE_ENGINE = re.compile(
    "_costs?_|_comes_with|suspended_domain|secret|pickle|frozen|fields_of|repr|_record|_uuid|_not_loaded|_texts|twice"
    "|is_not_found|not_attached|not_opened|is_refused|found_by|readings|bytes|fixtures|known_failures|hints|_asked"
    "|shutdown_|unfencing|a_clone_|wait_for|waiting|threads|_host|ambiguous|not_touch|no_place|adapter_is_gone|copied"
    "|leaves_the_domain|without_memory|saved_memory|refusal|link_goes|quiesc|nowhere|grows|no_byte|stays_within"
)
"""Tests whose scripts others send as well, in the kit or in the tests of this plugin, to a real PowerShell too."""
LABELS = {PowerState.UNKNOWN: "OffCritical", PowerState.CHANGING: "Saving", PowerState.SHUTOFF: "Off"}


@pytest.fixture(scope="class")
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A host of its own for each class, whose domains the kit makes itself."""
    options = request.cls.options
    if options["engine"] == "powershell":
        powershell()
    with hvsdk_simulators.start("hyperv", domains=3, **options) as running:
        yield running


@pytest.fixture(scope="class")
def open_host(request: pytest.FixtureRequest, server: Running) -> Iterator[hvsdk.Host]:
    """A connection for all tests of a class."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HVSDK_KIT_PASSWORD", server.password)
        secret = hvsdk.SecretRef("env:HVSDK_KIT_PASSWORD")
        with connect(server, password=secret, **request.cls.wishes) as host:
            yield host


@pytest.fixture(scope="session")
def second_server() -> Iterator[Running]:
    """Another host, to which domains move."""
    with hvsdk_simulators.start("hyperv", domains=2, seed=2, engine="python") as running:
        yield running


class Servers(BackendConformance):
    """A server of its own for each class."""

    options: ClassVar[dict[str, Any]] = {}
    wishes: ClassVar[dict[str, Any]] = {}
    vendor_errors = (RefusedError, ShellEndedError, WinRMError, WinRMTransportError, requests.RequestException)
    round_trips_beside_a_call = 1  # what is sent is one request, and its answer another

    @pytest.fixture
    def host(self, server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[hvsdk.Host]:
        monkeypatch.setenv("HVSDK_KIT_PASSWORD", server.password)
        yield connect(server, password=hvsdk.SecretRef("env:HVSDK_KIT_PASSWORD"), **self.wishes)
        server.clear_faults()

    @pytest.fixture
    def second_host(self, server: Running, second_server: Running) -> Iterator[hvsdk.Host]:
        second_server.act("name", node="HV-9")
        server.act("peer", node="HV-9", control=second_server.control)
        with connect(second_server) as second:
            yield second

    @pytest.fixture
    def spec(self) -> DomainSpec:
        """Of generation 2: the first disk of the other one is on IDE, which takes and gives nothing while it is on."""
        return DomainSpec(
            name="kit", vcpus=1, memory="64MiB", disks=[DiskSpec(size="16MiB")], nics=[NicSpec()], firmware="uefi"
        )

    @pytest.fixture
    def image(self, server: Running) -> str:
        server.act("file", path=IMAGE, size=1 << 16)
        return IMAGE

    @pytest.fixture
    def patience(self) -> float:
        return 60.0

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
            if state not in LABELS:
                pytest.skip("Hyper-V does not tell a crash")
            server.act("state", vm=domain.native_id, state=LABELS[state])

        return force

    @pytest.fixture
    def boot_id(self, server: Running) -> Callable[[Domain], object]:
        return lambda domain: server.act("guest", vm=domain.native_id)["boots"]

    @pytest.fixture
    def round_trips(self, server: Running) -> Callable[[], int]:
        return lambda: sum(count for name, count in server.counts().items() if "/" not in name)

    @pytest.fixture
    def lose_connection(self, request: pytest.FixtureRequest, server: Running) -> Callable[[str], None]:
        """What is lost before is the request, and after it the answer; of a change it is not the look before it."""
        looks = "test_a_change_" in request.node.name

        def lose(when: str) -> None:
            action = "Send" if when == "before" else "Receive"
            if looks:
                server.fault(f"{action}:slow=0:1")
            server.fault(f"{action}:drop-{when}:1")

        return lose

    @pytest.fixture
    def expire_session(self, server: Running) -> Callable[[], None]:
        return lambda: server.act("kill-shells")

    @pytest.fixture
    def connect_readonly(self, server: Running, domain: Domain) -> Iterator[Callable[..., hvsdk.Host]]:
        hosts: list[hvsdk.Host] = []

        def readonly(**more: Any) -> hvsdk.Host:
            hosts.append(connect(server, readonly=True, **self.wishes, **more))
            return hosts[-1]

        yield readonly
        for host in hosts:
            host.close()

    @pytest.fixture
    def secrets(self, server: Running) -> tuple[str, ...]:
        return (server.password,)


class TestPythonOverHttps(Servers):
    """The engine in Python, over TLS with basic."""

    options: ClassVar[dict[str, Any]] = {"engine": "python"}
    wishes: ClassVar[dict[str, Any]] = {"transport": "basic"}


class TestPythonOverHttp(Servers):
    """The engine in Python, without TLS: NTLM, each message encrypted. Checked by `make test-full`."""

    options: ClassVar[dict[str, Any]] = {"engine": "python", "tls": False}

    @staticmethod
    def left_to_full_runs(name: str) -> bool:
        return True


class OneConnection(Servers):
    """One connection for all tests of a class: PowerShell takes a second or two to start."""

    shared_host = True

    @pytest.fixture
    def host(self, open_host: hvsdk.Host, server: Running) -> Iterator[hvsdk.Host]:
        yield open_host
        server.clear_faults()

    @pytest.fixture
    def spare_host(self, server: Running, host: hvsdk.Host) -> Iterator[hvsdk.Host]:
        with connect(server, password=hvsdk.SecretRef("env:HVSDK_KIT_PASSWORD"), **self.wishes) as spare:
            yield spare


class RealPowerShell(OneConnection):
    """A real PowerShell, whose answers may come in pieces: each more is a round trip more."""

    round_trips_beside_a_call = 3


class Variant(OneConnection):
    """Another kind of host, for `make test-full` alone."""

    @staticmethod
    def left_to_full_runs(name: str) -> bool:
        return True


class TestWindowsServer2012R2(Variant):
    """The older module, which lacks much and tells little of what is wrong."""

    options: ClassVar[dict[str, Any]] = {"engine": "python", "version": 2012}


class TestWindowsServer2025(Variant):
    """The newest one."""

    options: ClassVar[dict[str, Any]] = {"engine": "python", "version": 2025}


class TestCluster(Variant):
    """A host of a cluster: other nodes have domains too, and all see its storage."""

    options: ClassVar[dict[str, Any]] = {"engine": "python", "nodes": 2}


class TestGeneration1(Variant):
    """Domains with a BIOS, whose first disk is on IDE."""

    options: ClassVar[dict[str, Any]] = {"engine": "python"}

    @pytest.fixture
    def spec(self) -> DomainSpec:
        return DomainSpec(name="kit", vcpus=1, memory="64MiB", disks=[DiskSpec(size="16MiB")], nics=[NicSpec()])


class TestPowerShellOverHttps(RealPowerShell):
    """A real PowerShell, over TLS with basic: checked by `make test-full`."""

    options: ClassVar[dict[str, Any]] = {"engine": "powershell"}
    wishes: ClassVar[dict[str, Any]] = {"transport": "basic"}

    @staticmethod
    def left_to_full_runs(name: str) -> bool:
        return True


class TestPowerShellOverHttp(RealPowerShell):
    """A real PowerShell, without TLS: one of each kind. `make test-full` adds long rows of alike cases, and the rest."""

    options: ClassVar[dict[str, Any]] = {"engine": "powershell", "tls": False}

    @staticmethod
    def left_to_full_runs(name: str) -> bool:
        return any(rows.search(name) for rows in (LONG_ROWS, BY_THE_CORE, WHATEVER_THE_ENGINE))
