"""The power machine: which verb the product carries out in which state, and what becomes of memory.

The product refuses all that the table of `docs/power-states.md` calls an error, and also the verbs whose goal is reached
already ("done" in the table): that the state is the wanted one then is the core's finding, from one read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvsdk.enums import PowerState
from hvsdk.testing.fake._connection import Connection
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._records import domain_info

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk._driver.base import Result
    from hvsdk.models import DomainInfo
    from hvsdk.testing.fake._domain import FakeDomain
    from hvsdk.testing.fake._tasks import Work
    from hvsdk.testing.fake._world import World

__all__ = ["PowerVerbs", "require", "switch_off", "switch_on"]

_RUNNING, _PAUSED, _SUSPENDED = PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED
_SHUTOFF, _CRASHED = PowerState.SHUTOFF, PowerState.CRASHED
_NOT_SUSPENDED = (_RUNNING, _PAUSED, _SHUTOFF, _CRASHED)

ALLOWED = {
    "start": (_SHUTOFF, _SUSPENDED),
    "shutdown": (_RUNNING,),
    "power_off": (_RUNNING, _PAUSED, _CRASHED),
    "reboot": (_RUNNING,),
    "reset": (_RUNNING, _CRASHED),
    "pause": (_RUNNING,),
    "unpause": (_PAUSED,),
    "suspend": (_RUNNING,),
    "resume": (_SUSPENDED,),
    "delete": (_SHUTOFF,),
    "create_snapshot": _NOT_SUSPENDED,
    "revert_snapshot": (*_NOT_SUSPENDED, _SUSPENDED),
    "clone": _NOT_SUSPENDED,
    "migrate": (_RUNNING, _PAUSED, _SHUTOFF),
    "reconfigure": _NOT_SUSPENDED,
    "resize_disk": _NOT_SUSPENDED,
    "attach_disk": _NOT_SUSPENDED,
    "detach_disk": _NOT_SUSPENDED,
    "attach_nic": _NOT_SUSPENDED,
    "detach_nic": _NOT_SUSPENDED,
    "open_disk": (_SHUTOFF, _SUSPENDED),
    "screenshot": (_RUNNING, _PAUSED),
    "console": (_RUNNING, _PAUSED),
}
"""The states in which the product carries a verb out; one that is not here does not look at the state."""


def require(domain: FakeDomain, verb: str, *also: PowerState) -> None:
    """Refuse a verb in the wrong state, before anything changes."""
    state = domain.state
    if state is PowerState.CHANGING:
        raise FakeError("BUSY", f"domain {domain.name!r} is being changed by another task")
    if state not in ALLOWED[verb] and state not in also:
        raise FakeError("BAD_POWER_STATE", f"{verb} of domain {domain.name!r}, which is {state}", state=state)


def require_unfenced(domain: FakeDomain, verb: str) -> None:
    """Refuse to bring a fenced domain to life."""
    if domain.blocked:
        raise FakeError("FENCED", f"domain {domain.name!r} is fenced: {verb} is blocked")


def require_tools(world: World, domain: FakeDomain) -> None:
    """Refuse what needs the guest's tools where they do not run."""
    agent = world.guest(domain).agent
    if agent in ("absent", "stopped"):
        raise FakeError("NO_TOOLS", f"the guest tools of domain {domain.name!r} are {agent}")
    if agent == "starting":
        raise FakeError("TOOLS_NOT_READY", f"the guest tools of domain {domain.name!r} do not run yet")


def switch_on(world: World, domain: FakeDomain, *, memory: int | None = None) -> None:
    """Let a domain run: with the memory of an earlier boot, or booting anew."""
    needed = domain.memory_bytes
    if needed > node_memory(world):
        raise FakeError("NO_MEMORY", f"node {domain.node} has no {needed} bytes for domain {domain.name!r}")
    if memory is None:
        boot(world, domain)
    else:
        domain.memory = memory
    world.set_state(domain, _RUNNING)
    if world.guest(domain).dies:
        world.plan(0, lambda: switch_off(world, domain))


def boot(world: World, domain: FakeDomain) -> None:
    """Begin a boot: new memory, and a guest that hears nothing until it is up."""
    domain.boot += 1
    domain.memory = domain.boot
    domain.up_at = world.now() + world.guest(domain).boot_seconds
    domain.started_at = world.utc()
    domain.run_seconds, domain.run_since = 0.0, world.now()
    domain.live_vcpus, domain.live_memory = domain.vcpus, domain.memory_bytes


def switch_off(world: World, domain: FakeDomain) -> None:
    """Let a domain be off, its memory gone."""
    world.set_state(domain, _SHUTOFF)
    domain.memory = None
    domain.started_at = None


def node_memory(world: World) -> int:
    """Return the memory of each node, enough for all domains of the settings at twice their size."""
    share = -(-world.settings.domains // len(world.nodes))
    return max(256, 16 * share) * 1024**3


class PowerVerbs(Connection):
    """start, shutdown, power_off, reboot, reset, pause, unpause, suspend, resume."""

    def start(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Boot, or restore the saved memory."""
        return self._switch_on("start", native_id, deadline)

    def resume(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Restore the saved memory."""
        return self._switch_on("resume", native_id, deadline)

    def _switch_on(self, verb: str, native_id: str, deadline: Deadline) -> DomainInfo:
        with self.round_trip(verb, deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, verb)
            require_unfenced(domain, verb)
            saved = (domain.memory or 0) if domain.state is _SUSPENDED else None
            switch_on(world, domain, memory=saved)
            return domain_info(world, domain)

    def shutdown(self, native_id: str, *, deadline: Deadline) -> None:
        """Ask the guest. One that is still booting does not hear it, and the product does not know that."""
        with self.round_trip("shutdown", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "shutdown")
            require_tools(world, domain)
            guest = world.guest(domain)
            if guest.shutdown == "obeys" and world.now() >= domain.up_at:
                number = domain.boot

                def end() -> None:
                    if domain.boot == number and domain.state is _RUNNING:
                        switch_off(world, domain)

                world.plan(guest.shutdown_seconds, end)

    def power_off(self, native_id: str, *, discard_memory: bool, deadline: Deadline) -> DomainInfo:
        """Cut the power; saved memory is given up only when that is said."""
        with self.round_trip("power_off", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "power_off", *([_SUSPENDED] if discard_memory else []))
            switch_off(world, domain)
            return domain_info(world, domain)

    def reboot(self, native_id: str, *, deadline: Deadline) -> None:
        """Ask the guest; the product has taken the request when this returns."""
        with self.round_trip("reboot", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "reboot")
            require_tools(world, domain)
            guest = world.guest(domain)
            if guest.shutdown == "obeys" and world.now() >= domain.up_at:
                number = domain.boot

                def again() -> None:
                    if domain.boot == number and domain.state is _RUNNING:
                        boot(world, domain)
                        world.changed(domain)

                world.plan(guest.shutdown_seconds, again)

    def reset(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Cut and restart."""
        with self.round_trip("reset", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "reset")
            switch_on(world, domain)
            return domain_info(world, domain)

    def pause(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Stop the vCPUs."""
        with self.round_trip("pause", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "pause")
            world.set_state(domain, _PAUSED)
            return domain_info(world, domain)

    def unpause(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Let the vCPUs go on."""
        with self.round_trip("unpause", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "unpause")
            world.set_state(domain, _RUNNING)
            return domain_info(world, domain)

    def suspend(self, native_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Save the memory to disk; meanwhile the domain is CHANGING."""
        with self.round_trip("suspend", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "suspend")
            return self.carry_out("suspend", native_id, _suspend(world, domain))


def _suspend(world: World, domain: FakeDomain) -> Work[DomainInfo | None]:
    world.set_state(domain, PowerState.CHANGING)
    try:
        yield
    except FakeError:
        world.set_state(domain, _RUNNING)
        raise
    world.set_state(domain, _SUSPENDED)
    return domain_info(world, domain)
