"""Fixtures of the kit, each of them there to be overridden by whoever subclasses `BackendConformance`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import DiskSpec, DomainSpec, NicSpec, VolumeSpec
from hvsdk.testing.conformance._expected import EXPECTED, check_fixture, overridden
from hvsdk.testing.conformance._helpers import Names, begin, reach, remove, requires, unchecked

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host
    from hvsdk._storage import StoragePool, Volume

__all__ = ["Kit", "MakeDomain", "Reach"]

ENOUGH = 3
"""Failures to open a host after which no more is tried."""


class MakeDomain(Protocol):
    """Makes a domain that is removed after the test; arguments replace fields of the fixture `spec`."""

    def __call__(self, **changes: Any) -> Domain: ...


class Reach(Protocol):
    """Brings a domain to a power state, or skips the test where the backend cannot."""

    def __call__(self, domain: Domain, state: PowerState) -> Domain: ...


class Kit:
    """Fixtures that all tests of the kit share."""

    known_failures: ClassVar[Mapping[str, str]] = {}
    """Reason by name of test, with or without its parameters: strict xfails, so that a fixed one asks to be removed."""
    shared_host: ClassVar[bool] = False
    """Set it where the fixture `host` has a wider scope than one test: the kit then leaves closing to you."""
    round_trips_beside_a_call: ClassVar[int] = 0
    """How many a verb takes beside its call and its looks, where the client library needs a look-up first."""
    may_create: ClassVar[bool] = True
    """Whether the kit may make domains, volumes and snapshots of its own."""
    vendor_errors: ClassVar[tuple[type[BaseException], ...]] = ()
    """Classes of the client library's errors, which must stay the cause of ours."""

    _unopened: ClassVar[int] = 0
    """Tests in a row for which the fixture `host` gave nothing."""

    @pytest.fixture(autouse=True)
    def _known_failure(self, request: pytest.FixtureRequest) -> None:
        kit = type(self)
        if kit._unopened >= ENOUGH:  # hundreds of times the same error would hide it
            pytest.skip(f"the fixture host failed {ENOUGH} times in a row: the first errors say why")
        kit._unopened += 1
        begin(request.node)
        name = request.node.name
        reason = self.known_failures.get(name) or self.known_failures.get(name.partition("[")[0])
        if reason:
            reason = f"{reason} (should it pass: remove its entry from known_failures)"
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    @pytest.fixture
    def host(self) -> Host:
        """Return the connection under test. Every subclass has its own."""
        raise NotImplementedError("override the fixture `host`: return hvsdk.connect(…) to the backend under test")

    @pytest.fixture(autouse=True)
    def _open_host(self, _known_failure: None, host: Host) -> Iterator[None]:
        check_fixture("host", host)
        type(self)._unopened = 0
        if host.closed and not self.shared_host:
            pytest.fail("host is closed already; set shared_host = True where its fixture is not made for each test")
        yield
        if not self.shared_host:
            host.close()

    @pytest.fixture(autouse=True)
    def _fitting_fixtures(self, request: pytest.FixtureRequest, _open_host: None) -> None:
        for name in overridden(type(self), EXPECTED):
            if name in request.fixturenames:
                check_fixture(name, request.getfixturevalue(name))

    @pytest.fixture
    def patience(self) -> float:
        """Return the seconds that one verb may take on this backend."""
        return 60.0

    @pytest.fixture
    def guest_obeys(self) -> bool | None:
        """Return whether the guest of the fixture `domain` switches off when asked; `None` where that is not known."""
        return None

    @pytest.fixture
    def guest_agent(self) -> bool | None:
        """Return whether an agent runs in the guest of the fixture `domain`; `None` where that is not known."""
        return None

    @pytest.fixture
    def force_state(self) -> Callable[[Domain, PowerState], None] | None:
        """Return what brings a domain to CRASHED, CHANGING or UNKNOWN (and back to SHUTOFF), where something can."""
        return None

    @pytest.fixture
    def guest_ignores(self) -> Callable[[Domain, int | None], None] | None:
        """Return what makes a guest miss its next requests to shut down (`None`: all), where something can."""
        return None

    @pytest.fixture
    def boot_id(self) -> Callable[[Domain], object]:
        """Return what tells one boot of a guest from another: the same value as long as its memory lives."""
        unchecked("no fixture boot_id: whether a guest kept its memory cannot be seen")

    @pytest.fixture
    def round_trips(self) -> Callable[[], int]:
        """Return what counts the requests that went to the server so far."""
        unchecked("no fixture round_trips: nothing counts the requests")

    @pytest.fixture
    def second_host(self) -> Host:
        """Return a host of the same product that domains can be moved to."""
        unchecked("no fixture second_host: there is nowhere to move a domain to")

    @pytest.fixture
    def connect_readonly(self) -> Callable[..., Host]:
        """Return a function `(allow=frozenset()) -> Host`: read-only connections that see at least one domain."""
        unchecked("no fixture connect_readonly: there is no second, read-only connection")

    @pytest.fixture
    def spare_host(self, host: Host) -> Host:
        """Return a connection that the test may close."""
        if self.shared_host:
            unchecked("no fixture spare_host: the shared host must not be closed")
        return host

    @pytest.fixture
    def secrets(self) -> tuple[str, ...]:
        """Return the secrets that the host was given, which must be seen nowhere."""
        unchecked("no fixture secrets: the host was given none")

    @pytest.fixture
    def lose_connection(self) -> Callable[[str], None]:
        """Return a function that breaks the next call's connection, `"before"` or `"after"` it is carried out."""
        unchecked("no fixture lose_connection: nothing breaks a connection")

    @pytest.fixture
    def expire_session(self) -> Callable[[], None]:
        """Return a function that makes the server forget the session."""
        unchecked("no fixture expire_session: nothing makes the server forget a session")

    @pytest.fixture
    def image(self) -> str:
        """Return a CD-ROM image as `insert_media` takes it."""
        unchecked("no fixture image: there is no CD-ROM image to insert")

    @pytest.fixture
    def names(self) -> Names:
        """Return a maker of names that no other test has."""
        return Names()

    @pytest.fixture
    def spec(self, host: Host) -> DomainSpec:
        """Return a small domain that boots on this backend; its name is replaced."""
        disks = [DiskSpec(size="16MiB")] if host.supports(Capability.ATTACH_DISK) else []
        nics = [NicSpec()] if host.supports(Capability.ATTACH_NIC) else []
        return DomainSpec(name="kit", vcpus=1, memory="64MiB", disks=disks, nics=nics)

    @pytest.fixture
    def clean(
        self,
        host: Host,
        names: Names,
        patience: float,
        force_state: Callable[[Domain, PowerState], None] | None,
    ) -> Iterator[list[Volume]]:
        """Yield a list of volumes to remove; afterwards remove them and every new domain with one of this test's names."""
        volumes: list[Volume] = []
        before = {domain.native_id for domain in host.domains(templates=True, control=True, superseded=True)}
        yield volumes
        if host.closed:
            return
        left: list[Exception] = []
        mine = host.domains(
            where=lambda info: names.owns(info.name) and info.native_id not in before, templates=True, superseded=True
        )
        for domain in sorted(mine, key=lambda domain: len(domain.name), reverse=True):
            try:
                remove(domain, patience=patience, force=force_state)
            except errors.HvsdkError as exc:
                left.append(exc)
        for volume in reversed(volumes):
            try:
                volume.delete()
            except errors.VolumeNotFoundError:
                continue
            except errors.HvsdkError as exc:
                left.append(exc)
        if left:
            raise ExceptionGroup("the kit could not remove all that it made", left)

    @pytest.fixture
    def make_domain(self, host: Host, spec: DomainSpec, names: Names, clean: list[Volume]) -> MakeDomain:
        """Return the function that makes domains."""
        if not self.may_create:
            pytest.skip("this run makes no domains")
        requires(host, Capability.CREATE_DOMAIN)
        made = iter(range(1000))

        def make(**changes: Any) -> Domain:
            number = next(made)
            changes.setdefault("name", names("domain" if number == 0 else f"domain-{number}"))
            return host.create_domain(spec.replace(**changes))

        return make

    @pytest.fixture
    def domain(self, make_domain: MakeDomain) -> Domain:
        """Return a domain that is off and may be driven in every way but `delete`."""
        return make_domain()

    @pytest.fixture
    def reach(self, patience: float, force_state: Callable[[Domain, PowerState], None] | None) -> Reach:
        """Return the function that brings a domain to a state."""

        def bring(domain: Domain, state: PowerState) -> Domain:
            return reach(domain, state, patience=patience, force=force_state)

        return bring

    @pytest.fixture
    def running(self, domain: Domain, reach: Reach) -> Domain:
        """Return a domain that runs."""
        return reach(domain, PowerState.RUNNING)

    @pytest.fixture
    def deaf(self, running: Domain, guest_obeys: bool | None, guest_ignores: Any) -> Domain:
        """Return a running domain whose guest ignores all requests."""
        if guest_ignores is not None:
            guest_ignores(running, None)
        elif guest_obeys is not False:
            unchecked("no fixture guest_ignores: no guest is known to ignore the power button")
        return running

    @pytest.fixture
    def pool(self, host: Host) -> StoragePool:
        """Return the storage pool that the kit makes its volumes in: of the active ones, that with the most room."""
        requires(host, Capability.LIST_STORAGE_POOLS)
        active = [pool for pool in host.storage_pools() if pool.info.active is not False]
        if active:
            return max(active, key=lambda pool: pool.info.free_bytes or 0)
        pytest.skip("the host has no active storage pool")

    @pytest.fixture
    def make_volume(self, host: Host, pool: StoragePool, names: Names, clean: list[Volume]) -> Callable[..., Volume]:
        """Return a function that makes volumes, removed after the test."""
        if not self.may_create:
            pytest.skip("this run makes no volumes")
        requires(host, Capability.CREATE_VOLUME)

        def make(rest: str = "volume", size: int | str = "4MiB", format: str | None = None) -> Volume:
            volume = pool.create_volume(VolumeSpec(name=names(rest), size=size, format=format))
            clean.append(volume)
            return volume

        return make
