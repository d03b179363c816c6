"""The side door: what no client of a hypervisor can do, and tests need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

from hvsdk.enums import EventKind, PowerState
from hvsdk.testing.fake._domain import Config, FakeDomain
from hvsdk.testing.fake._faults import Rule
from hvsdk.testing.fake._power import boot, switch_off

if TYPE_CHECKING:
    from hvsdk.testing.fake._world import World

__all__ = ["FakeControl"]


class _Handle(Protocol):
    @property
    def native_id(self) -> str: ...


class FakeControl:
    """Controls of one fake world, as `control(host)` and `host.native()` return them.

    Nothing done here counts as a round trip. Domains are named by a handle, a record, a native id or a name.

    Example:
        >>> import hvsdk
        >>> from hvsdk.testing.fake import control
        >>> with hvsdk.connect("fake://demo") as host:
        ...     control(host).fail("start", "NO_MEMORY")
        ...     host.domain("web-1").power_off()
        ...     try:
        ...         host.domain("web-1").start()
        ...     except hvsdk.errors.InsufficientResourcesError as error:
        ...         print(error.native_code)
        NO_MEMORY
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<FakeControl of {self._world.name!r}, {len(self._world.domains)} domains>"

    def __reduce__(self) -> NoReturn:
        from hvsdk._recipe import refuse_pickle

        refuse_pickle(repr(self), "pickle the host, and call control(host) over there")

    # ---- counts ------------------------------------------------------------------------------------------

    def round_trips(self) -> int:
        """Return how many calls have reached the world, logins and polls included."""
        return sum(self._world.calls.values())

    @property
    def calls(self) -> dict[str, int]:
        """How many calls of each method there were, `open` and `poll` included."""
        return dict(self._world.calls)

    def reset_counts(self) -> None:
        """Count from zero again."""
        with self._world.lock:
            self._world.calls.clear()

    @property
    def logins(self) -> int:
        """How many logins succeeded."""
        return self._world.logins

    @property
    def open_sessions(self) -> int:
        """How many sessions are neither closed nor expired."""
        return len(self._world.sessions)

    # ---- what goes wrong ---------------------------------------------------------------------------------

    def fail(
        self,
        verb: str,
        kind: str,
        *,
        times: int = 1,
        after: int = 0,
        seconds: float = 1.0,
        domain: _Handle | str | None = None,
    ) -> None:
        """Let calls go wrong from now on.

        Args:
            verb: A method of the driver such as `"start"` or `"list_domains"`, `"open"`, `"poll"`, or `"*"` for any.
            kind: A kind of `_faults.KINDS` such as `"drop-after"`, or an error code of `_errors.CODES`.
            times: How many calls it hits.
            after: How many calls it lets pass first.
            seconds: How much longer `"slow"` takes.
            domain: Only calls that concern this domain.

        Raises:
            InvalidSpecError: There is no such verb or kind.
        """
        native_id = None if domain is None else self._domain(domain).native_id
        rule = Rule(verb, kind, times, after=after, seconds=seconds, native_id=native_id)
        with self._world.lock:
            self._world.faults.rules.append(rule)

    def heal(self) -> None:
        """Let nothing go wrong any more, and let go of the calls that hang."""
        with self._world.lock:
            self._world.faults.rules.clear()
        self.release()

    def release(self) -> None:
        """Break the connections of calls that hang, so that their threads end."""
        with self._world.lock:
            hanging, self._world.hanging = self._world.hanging, set()
        for gone in hanging:
            gone.set()

    def expire_sessions(self) -> None:
        """Forget all sessions, as a server does after a while."""
        with self._world.lock:
            self._world.sessions.clear()

    def drop_connections(self) -> None:
        """Break all connections now; new ones can be made."""
        with self._world.lock:
            self._world.outages += 1
            self._world.sessions.clear()
            self._world.changes.condition.notify_all()

    def go_down(self) -> None:
        """Be unreachable until `come_back`."""
        self._world.down = True
        self.drop_connections()

    def come_back(self) -> None:
        """Be reachable again; nothing is lost."""
        self._world.down = False

    def lost_events(self) -> None:
        """Drop the history of changes, so that every watch learns that it has missed some."""
        with self._world.lock:
            self._world.changes.lose()

    @property
    def latency(self) -> float:
        """Seconds that each round trip takes."""
        return self._world.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._world.latency = seconds

    def advance(self, seconds: float) -> None:
        """Let the world's clock jump: guests boot, switch off and count as if that time had passed."""
        with self._world.lock:
            self._world.skip(seconds)

    # ---- guests ------------------------------------------------------------------------------------------

    def guest(
        self,
        domain: _Handle | str,
        *,
        shutdown: Literal["obeys", "ignores"] | None = None,
        agent: Literal["running", "absent", "stopped", "starting"] | None = None,
        unplug: Literal["obeys", "ignores"] | None = None,
        boot_seconds: float | None = None,
        shutdown_seconds: float | None = None,
        dies: bool | None = None,
    ) -> None:
        """Say how the system in a domain behaves; what is not given stays.

        Args:
            domain: The domain.
            shutdown: Whether it obeys a request to switch off or restart.
            agent: `"stopped"` is installed but disabled, `"starting"` is not running yet.
            unplug: Whether it lets go of devices.
            boot_seconds: How long its next boot takes, in which it hears nothing.
            shutdown_seconds: How long it takes to switch off.
            dies: Whether it switches off right after each start.
        """
        wanted = {
            "shutdown": shutdown,
            "agent": agent,
            "unplug": unplug,
            "boot_seconds": boot_seconds,
            "shutdown_seconds": shutdown_seconds,
            "dies": dies,
        }
        with self._world.lock:
            guest = self._world.guest(self._domain(domain))
            for name, value in wanted.items():
                if value is not None:
                    setattr(guest, name, value)

    def crash(self, domain: _Handle | str) -> None:
        """Let the guest of a running domain crash."""
        with self._world.lock:
            self._world.set_state(self._domain(domain), PowerState.CRASHED, EventKind.CRASHED)

    def set_state(self, domain: _Handle | str, state: PowerState | str) -> None:
        """Put a domain into any state, `CHANGING` and `UNKNOWN` too."""
        with self._world.lock:
            found, wanted = self._domain(domain), PowerState(state)
            if wanted is PowerState.SHUTOFF:
                switch_off(self._world, found)
                return
            if wanted is not PowerState.UNKNOWN and found.memory is None:
                boot(self._world, found)
            self._world.set_state(found, wanted)

    # ---- another client ----------------------------------------------------------------------------------

    def rename(self, domain: _Handle | str, name: str) -> None:
        """Rename a domain behind the back of everybody who is connected."""
        with self._world.lock:
            found = self._domain(domain)
            found.name = name
            self._world.changed(found)

    def define(self, name: str, *, vcpus: int = 1, memory_bytes: int = 2**30, uuid: str | None = None) -> str:
        """Make a domain as another client would, and return its native id."""
        world = self._world
        with world.lock:
            number = world.next_number()
            domain = FakeDomain(
                number,
                f"vm-{number}",
                uuid or world.new_uuid(number),
                name,
                PowerState.SHUTOFF,
                world.nodes[number % len(world.nodes)],
                vcpus,
                memory_bytes,
            )
            config = domain.config = Config(world.utc())
            config.max_vcpus, config.max_memory = vcpus, memory_bytes
            world.add(domain)
            return domain.native_id

    def remove(self, domain: _Handle | str) -> None:
        """Remove a domain, whatever its state, as another client would. Its volumes stay."""
        with self._world.lock:
            self._world.remove(self._domain(domain))

    def set_capacity(self, pool: str, capacity_bytes: int) -> None:
        """Give a storage pool another size, such as less than is in use."""
        with self._world.lock:
            self._world.pool(pool).capacity = capacity_bytes

    def boot_id(self, domain: _Handle | str) -> int | None:
        """Return which boot's memory a domain has, running, paused or saved; `None` when it has none.

        It is the same after a pause, a resume or a migration, and another one after each start and reset.
        """
        with self._world.lock:
            return self._domain(domain).memory

    def cloud_init(self, domain: _Handle | str) -> Any:
        """Return the `CloudInit` that a domain was made with, `None` without."""
        with self._world.lock:
            return self._world.config(self._domain(domain)).cloud_init

    def _domain(self, domain: _Handle | str) -> FakeDomain:
        key = domain if isinstance(domain, str) else domain.native_id
        found = self._world.domains.get(key)
        if found is None:
            found = next((one for one in self._world.domains.values() if one.name == key), None)
        if found is None:
            raise LookupError(f"the fake world has no domain {key!r}")
        return found
