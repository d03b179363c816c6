"""Emptying a host: which VMs can leave it, where to, and the moves themselves."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.hosts.abilities import guests_on
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm.hosts import assert_can_run, is_live, memory_free
from hvsdk_simulators.xapi.vm.migrate import pool_migrate
from hvsdk_simulators.xapi.vm.situation import assert_allowed
from hvsdk_simulators.xapi.world import World


@message("host.assert_can_evacuate(host ref host) -> void", role="pool-operator", since="1.2")
def assert_can_evacuate(call: Call, host: Object) -> None:
    """Raise CANNOT_EVACUATE_HOST with all that keeps VMs on a host, or return."""
    if found := _obstacles(call.world, host):
        raise Failure("CANNOT_EVACUATE_HOST", "|".join(",".join(failure.details) for failure in found.values()))


@message(
    "host.get_vms_which_prevent_evacuation(host ref self) -> (VM ref -> string set) map",
    since="1.3",
)
def get_vms_which_prevent_evacuation(call: Call, self: Object) -> dict[str, list[str]]:
    """The VMs that cannot leave a host, each with the error that tells why."""
    return {vm: failure.details for vm, failure in _obstacles(call.world, self).items()}


@message("host.get_uncooperative_resident_VMs(host ref self) -> VM ref set", since="1.7")
def get_uncooperative_resident_vms(call: Call, self: Object) -> list[str]:
    """The VMs that do not keep to their memory target. There are none."""
    return []


@message(
    "host.retrieve_wlb_evacuate_recommendations(host ref self) -> (VM ref -> string set) map",
    since="1.6",
)
def retrieve_recommendations(call: Call, self: Object) -> dict[str, list[str]]:
    """Refuse: no workload balancing is set up."""
    raise Failure("WLB_NOT_INITIALIZED")


@message(
    "host.evacuate(host ref host, network ref network = OpaqueRef:NULL, int evacuate_batch_size = 0) -> void",
    role="client-cert",
    since="1.2",
)
def evacuate(call: Call, host: Object, network: Object | None, evacuate_batch_size: int) -> None:
    """Move all VMs off a host, one after another; those that cannot go end it before any has gone."""
    with call.operation(host, "evacuate"):
        for failure in _obstacles(call.world, host).values():
            raise failure
        for vm in guests_on(call.world, host):
            if call.world.db.lookup("VM", vm.ref) is vm and vm["resident_on"] == host.ref:
                target = _place_for(call.world, vm, host)
                pool_migrate(call, vm, target, {"live": "true"})


def _obstacles(world: World, host: Object) -> dict[str, Failure]:
    found = {}
    for vm in guests_on(world, host):
        try:
            assert_allowed(world, vm, "pool_migrate")
            _place_for(world, vm, host)
        except Failure as failure:
            found[vm.ref] = failure
    return found


def _place_for(world: World, vm: Object, host: Object) -> Object:
    """The other host with the most memory on which a VM could run."""
    why = Failure("NO_HOSTS_AVAILABLE")
    able = []
    for other in world.db.all("host"):
        if other is host or not is_live(world, other):
            continue
        try:
            assert_can_run(world, vm, other)
            able.append(other)
        except Failure as failure:
            why = failure
    if not able:
        raise why
    return max(able, key=lambda other: memory_free(world, other))
