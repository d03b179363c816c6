"""High availability as settings: on and off, and how many hosts may fail."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm.hosts import is_live, sees

_ROLE = "pool-operator"


@message(
    "pool.enable_ha(SR ref set heartbeat_srs, (string -> string) map configuration) -> void",
    role="client-cert",
    since="1.2",
)
def enable_ha(call: Call, heartbeat_srs: list[Object], configuration: dict[str, str]) -> None:
    """Let the hosts watch each other by files on storage that all of them see."""
    world, pool = call.world, call.world.pool
    if pool["ha_enabled"]:
        raise Failure("HA_IS_ENABLED")
    chosen = heartbeat_srs or [sr for sr in world.db.all("SR") if sr["shared"] and sr["content_type"] != "iso"][:1]
    hosts = world.db.all("host")
    for sr in chosen:
        for host in hosts:
            if not is_live(world, host):
                raise Failure("HOST_OFFLINE", host.ref)
            if not sr["shared"] or not sees(world, host, sr.ref):
                raise Failure("HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", sr.ref)
    files = [world.storage.create_vdi(sr, 4 << 20, type="ha_statefile", name="Statefile for HA") for sr in chosen]
    refs = [vdi.ref for vdi in files]
    for host in hosts:
        peers = [other["uuid"] for other in hosts]
        world.db.update(host, ha_statefiles=refs, ha_network_peers=peers)
    world.db.update(pool, ha_enabled=True, ha_configuration=dict(configuration), ha_statefiles=refs)
    set_failures_to_tolerate(call, pool, max_failures(call))


@message("pool.disable_ha() -> void", role="client-cert", since="1.2")
def disable_ha(call: Call) -> None:
    """Let the hosts watch each other no longer."""
    world, pool = call.world, call.world.pool
    if not pool["ha_enabled"]:
        return
    for ref in pool["ha_statefiles"]:
        vdi = world.db.lookup("VDI", ref)
        if vdi is not None:
            world.storage.destroy_vdi(vdi)
    for host in world.db.all("host"):
        world.db.update(host, ha_statefiles=[], ha_network_peers=[])
    world.db.update(
        pool,
        ha_enabled=False,
        ha_configuration={},
        ha_statefiles=[],
        ha_host_failures_to_tolerate=0,
        ha_plan_exists_for=0,
    )


@message("pool.set_ha_host_failures_to_tolerate(pool ref self, int value) -> void", role=_ROLE, since="1.3")
def set_failures_to_tolerate(call: Call, self: Object, value: int) -> None:
    """Say for how many dead hosts there shall be room."""
    if value < 0:
        raise Failure("INVALID_VALUE", "ha_host_failures_to_tolerate", str(value))
    most = max_failures(call)
    if value > most and not self["ha_allow_overcommit"]:
        raise Failure("HA_NO_PLAN")
    call.world.db.update(
        self, ha_host_failures_to_tolerate=value, ha_plan_exists_for=min(value, most), ha_overcommitted=value > most
    )


@message("pool.ha_compute_max_host_failures_to_tolerate() -> int", role=_ROLE, since="1.3")
def max_failures(call: Call) -> int:
    """How many hosts may fail while the rest can run what is protected."""
    return max(0, len(call.world.members) - 1)


@message("pool.ha_failover_plan_exists(int n) -> bool", role=_ROLE, since="1.3")
def plan_exists(call: Call, n: int) -> bool:
    """Whether so many hosts may fail."""
    return n <= max_failures(call)


@message(
    "pool.ha_compute_hypothetical_max_host_failures_to_tolerate((VM ref -> string) map configuration) -> int",
    since="1.3",
)
def hypothetical_max_failures(call: Call, configuration: dict[Object, str]) -> int:
    """The same, if VMs were protected as is said."""
    return max_failures(call)


@message("pool.ha_prevent_restarts_for(int seconds) -> void", role=_ROLE, since="1.3")
def prevent_restarts_for(call: Call, seconds: int) -> None:
    """Start no VM of a dead host for a time. None is started anyway."""
