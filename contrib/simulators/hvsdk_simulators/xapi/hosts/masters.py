"""Which host answers for the pool, and how another comes to do so."""

from __future__ import annotations

from hvsdk_simulators.xapi import sessions, tasks
from hvsdk_simulators.xapi.actions import action
from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.hosts.life import after_the_answer, cut, set_live
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm.hosts import is_live
from hvsdk_simulators.xapi.world import World

_ROLE = "pool-operator"


@message("pool.designate_new_master(host ref host) -> void", role=_ROLE, since="1.2")
def designate_new_master(call: Call, host: Object) -> None:
    """Let another host answer for the pool. All connections to the old and the new one end soon after."""
    if host.ref == call.world.pool["master"]:
        return
    if not is_live(call.world, host):
        raise Failure("HOST_OFFLINE", host.ref)
    after_the_answer(call.world, lambda: become_master(call.world, host))


@message("pool.emergency_transition_to_master() -> void", role=_ROLE, on_slaves=True, asynchronous=False)
def emergency_transition_to_master(call: Call) -> None:
    """Make the host that is asked the one that answers for the pool, because the old one is gone."""
    if call.member.ref == call.world.pool["master"]:
        raise Failure("HOST_BROKEN")
    after_the_answer(call.world, lambda: become_master(call.world, call.member))


@message("pool.emergency_reset_master(string master_address) -> void", role=_ROLE, on_slaves=True, asynchronous=False)
def emergency_reset_master(call: Call, master_address: str) -> None:
    """Tell a host of the one that answers for the pool now. All hosts know it here."""


@message("pool.recover_slaves() -> host ref set", role=_ROLE)
def recover_slaves(call: Call) -> list[Object]:
    """Tell the other hosts of their new master; return those that heard of it."""
    return [member.host for member in call.world.members if member.alive and member.host is not call.world.master]


@action("change-master")
def change_master(world: World, host: str = "") -> dict[str, str]:
    """Let another host answer for the pool, by its UUID, or the next one that is alive."""
    if host:
        chosen = world.db.find("host", host)
    else:
        hosts = [member.host for member in world.members if member.alive]
        master = world.master
        place = hosts.index(master) if master in hosts else -1
        chosen = hosts[(place + 1) % len(hosts)]
    become_master(world, chosen)
    return {"uuid": str(chosen["uuid"]), "address": str(chosen["address"])}


def become_master(world: World, host: Object) -> None:
    """Hand the pool over. What is kept in memory alone is lost: sessions, tasks, what has been deleted."""
    if not world.member_of(host).alive:
        raise Failure("HOST_OFFLINE", host.ref)
    old = world.master
    world.db.update(world.pool, master=host.ref)
    for task in world.db.all("task"):
        tasks.abandon(world, task)
    for session in world.db.all("session"):
        if not sessions.is_local(world, session):
            sessions.end(world, session)
    world.db.lose_events()
    for member in world.members:
        if member.host in (old, host):
            cut(member)
    if not world.member_of(old).alive:
        set_live(world, old, live=False)
