"""Hosts that go down, come back, die, and leave the pool."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hvsdk_simulators.xapi.actions import action
from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.hosts.abilities import guests_on
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import domain
from hvsdk_simulators.xapi.vm.hosts import is_live
from hvsdk_simulators.xapi.world import Member, World

_ROLE = "pool-operator"
_BOOT_SECONDS = 0.5
_ANSWER_SECONDS = 0.05
_NOTICED_AFTER = 0.2
"""Seconds until the pool says of a host that it no longer answers."""


@message("host.shutdown(host ref host) -> void", role=_ROLE)
def shutdown(call: Call, host: Object) -> None:
    """Switch a host off, which must be disabled and empty."""
    with call.operation(host, "shutdown"):
        after_the_answer(call.world, lambda: go_down(call.world, host))


@message("host.reboot(host ref host) -> void", role=_ROLE)
def reboot(call: Call, host: Object) -> None:
    """Boot a host anew, which must be disabled and empty. It comes back enabled."""
    world = call.world

    def down() -> None:
        go_down(world, host)
        world.later(_BOOT_SECONDS * world.options.duration_scale, lambda: come_up(world, host))

    with call.operation(host, "reboot"):
        after_the_answer(call.world, down)


@message("host.power_on(host ref host) -> void", role=_ROLE, since="1.3")
def power_on(call: Call, host: Object) -> None:
    """Switch a host on, in the way that it is set up for."""
    if host["power_on_mode"] == "":
        raise Failure("HOST_POWER_ON_MODE_DISABLED")
    with call.operation(host, "power_on"):
        call.wait(_BOOT_SECONDS * call.world.options.duration_scale)
        come_up(call.world, host)


@message(
    "host.set_power_on_mode(host ref self, string power_on_mode, (string -> string) map power_on_config) -> void",
    role=_ROLE,
    since="1.8",
)
def set_power_on_mode(call: Call, self: Object, power_on_mode: str, power_on_config: dict[str, str]) -> None:
    """Say how a host is switched on from afar: not at all, `wake-on-lan`, or by a script of that name."""
    call.world.db.update(self, power_on_mode=power_on_mode, power_on_config=dict(power_on_config))


@message("host.declare_dead(host ref host) -> void", role=_ROLE, since="2.0")
def declare_dead(call: Call, host: Object) -> None:
    """Say that a host is certainly off: its VMs are halted, so that they can start elsewhere."""
    set_live(call.world, host, live=False)
    for vm in guests_on(call.world, host):
        call.world.db.update(vm, current_operations={})
        domain.halt(call.world, vm)


@message("host.destroy(host ref self) -> void", role=_ROLE)
def destroy(call: Call, self: Object) -> None:
    """Forget a host that will not come back, with its interfaces and its own storage."""
    world = call.world
    if self.ref == world.pool["master"]:
        raise Failure("HOST_CANNOT_DESTROY_SELF", self.ref)
    if is_live(world, self):
        raise Failure("HOST_IS_LIVE", self.ref)
    if guests_on(world, self):
        raise Failure("HOST_HAS_RESIDENT_VMS", self.ref)
    forget(world, self)


@message("host.restart_agent(host ref host) -> void", role=_ROLE)
def restart_agent(call: Call, host: Object) -> None:
    """Start the toolstack of a host anew: its connections are cut."""
    member = call.world.member_of(host)
    after_the_answer(call.world, lambda: cut(member))


@action("kill-host")
def kill_host(world: World, host: str) -> None:
    """Take the power from a host, by its UUID: its connections end, it listens no longer, nobody is told."""
    found = world.db.find("host", host)
    member = world.member_of(found)
    member.alive = False
    cut(member)
    if found.ref != world.pool["master"]:
        world.later(_NOTICED_AFTER, lambda: _notice(world, member))
    world.lock.notify_all()


@action("revive-host")
def revive_host(world: World, host: str) -> None:
    """Give a host its power back, by its UUID."""
    come_up(world, world.db.find("host", host))


def go_down(world: World, host: Object) -> None:
    """Let a host stop in order: the pool knows of it."""
    member = world.member_of(host)
    member.alive = False
    cut(member)
    set_live(world, host, live=False)


def come_up(world: World, host: Object) -> None:
    """Let a host boot: VMs that ran there when it lost its power do no longer."""
    member = world.member_of(host)
    if member.alive:
        return
    member.alive = True
    for vm in guests_on(world, host):
        domain.halt(world, vm)
    set_live(world, host, live=True)
    world.db.update(host, enabled=True)


def set_live(world: World, host: Object, *, live: bool) -> None:
    """Keep whether the pool hears of a host."""
    world.db.update(world.db.get("host_metrics", host["metrics"]), live=live, last_updated=world.now())
    world.db.touch(host)


def cut(member: Member) -> None:
    """End all connections of a host."""
    for connection in list(member.connections):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def forget(world: World, host: Object) -> None:
    """Remove a host's record and all that is its own."""
    own = (
        ("PBDs", "PBD"),
        ("PIFs", "PIF"),
        ("host_CPUs", "host_cpu"),
        ("PCIs", "PCI"),
        ("PGPUs", "PGPU"),
        ("PUSBs", "PUSB"),
    )
    local = [world.db.get("SR", world.db.get("PBD", ref)["SR"]) for ref in host["PBDs"]]
    for vm in (world.db.get("VM", ref) for ref in list(host["resident_VMs"])):
        world.db.delete(vm)
    for field, cls in own:
        for ref in list(host[field]):
            _delete_with_metrics(world, cls, ref)
    for sr in local:
        if not sr["shared"]:
            for ref in list(sr["VDIs"]):
                world.storage.destroy_vdi(world.db.get("VDI", ref))
            world.db.delete(sr)
    for vm in world.db.all("VM"):
        if vm["affinity"] == host.ref:
            world.db.update(vm, affinity=NULL)
    world.members = [member for member in world.members if member.host is not host]
    world.db.delete(host)


def _delete_with_metrics(world: World, cls: str, ref: str) -> None:
    obj = world.db.get(cls, ref)
    metrics: Any = world.db.lookup("PIF_metrics", obj["metrics"]) if cls == "PIF" else None
    world.db.delete(obj)
    if metrics is not None:
        world.db.delete(metrics)


def _notice(world: World, member: Member) -> None:
    if not member.alive:
        set_live(world, member.host, live=False)


def after_the_answer(world: World, function: Callable[[], None]) -> None:
    """Do what ends connections when the caller has had time to get the answer."""
    world.later(_ANSWER_SECONDS, function)
