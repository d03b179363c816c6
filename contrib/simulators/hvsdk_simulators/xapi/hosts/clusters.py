"""Clusters of hosts, and controllers of their networks."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import World

_ROLE = "pool-operator"
_STACK = "corosync"


@derived("Cluster", "allowed_operations")
def cluster_operations(world: World, cluster: Object) -> list[str]:
    """The operations that may begin now."""
    return [] if cluster["current_operations"] else ["add", "remove", "enable", "disable", "destroy"]


@derived("Cluster_host", "allowed_operations")
def cluster_host_operations(world: World, cluster_host: Object) -> list[str]:
    """The operations that may begin now."""
    if cluster_host["current_operations"]:
        return []
    return ["disable", "destroy"] if cluster_host["enabled"] else ["enable", "destroy"]


@message(
    "Cluster.pool_create(network ref network, string cluster_stack, float token_timeout = 20.0, "
    "float token_timeout_coefficient = 1.0) -> Cluster ref",
    role=_ROLE,
    since="2.11",
)
def pool_create(
    call: Call, network: Object, cluster_stack: str, token_timeout: float, token_timeout_coefficient: float
) -> Object:
    """Make a cluster of all hosts of the pool, on a network that each has an address on."""
    db = call.world.db
    if db.count("Cluster"):
        raise Failure("CLUSTER_ALREADY_EXISTS")
    if cluster_stack != _STACK:
        raise Failure("INVALID_CLUSTER_STACK", cluster_stack)
    pifs = {host.ref: _interface(call.world, host, network) for host in db.all("host")}
    cluster = db.create(
        "Cluster",
        cluster_stack=cluster_stack,
        token_timeout=token_timeout,
        token_timeout_coefficient=token_timeout_coefficient,
        cluster_token=db.new_uuid(),
    )
    for host, pif in pifs.items():
        db.create("Cluster_host", cluster=cluster.ref, host=host, PIF=pif.ref, enabled=True, joined=True)
    return cluster


@message("Cluster.pool_destroy(Cluster ref self) -> void", role=_ROLE, since="2.11")
def pool_destroy(call: Call, self: Object) -> None:
    """Take a cluster apart that no storage needs."""
    db = call.world.db
    if any(sr["type"] == "gfs2" and sr["PBDs"] for sr in db.all("SR")):
        raise Failure("CLUSTER_STACK_IN_USE", self["cluster_stack"])
    for ref in list(self["cluster_hosts"]):
        db.delete(db.get("Cluster_host", ref))
    db.delete(self)


@message("Cluster.pool_force_destroy(Cluster ref self) -> void", role=_ROLE, since="2.11")
def pool_force_destroy(call: Call, self: Object) -> None:
    """Take a cluster apart whatever needs it."""
    for ref in list(self["cluster_hosts"]):
        call.world.db.delete(call.world.db.get("Cluster_host", ref))
    call.world.db.delete(self)


@message(
    "Cluster.create(PIF ref PIF, string cluster_stack, bool pool_auto_join, float token_timeout = 20.0, "
    "float token_timeout_coefficient = 1.0) -> Cluster ref",
    role=_ROLE,
    since="2.11",
)
def create(
    call: Call,
    PIF: Object,
    cluster_stack: str,
    pool_auto_join: bool,
    token_timeout: float,
    token_timeout_coefficient: float,
) -> Object:
    """Make a cluster of one host, on an interface that stays up."""
    if call.world.db.count("Cluster"):
        raise Failure("CLUSTER_ALREADY_EXISTS")
    if cluster_stack != _STACK:
        raise Failure("INVALID_CLUSTER_STACK", cluster_stack)
    _assert_stays_up(PIF)
    cluster = call.world.db.create(
        "Cluster",
        cluster_stack=cluster_stack,
        pool_auto_join=pool_auto_join,
        token_timeout=token_timeout,
        token_timeout_coefficient=token_timeout_coefficient,
        cluster_token=call.world.db.new_uuid(),
    )
    _join(call, cluster, PIF)
    return cluster


@message("Cluster.destroy(Cluster ref self) -> void", role=_ROLE, since="2.11")
def destroy(call: Call, self: Object) -> None:
    """Take a cluster apart that has one host left."""
    if len(self["cluster_hosts"]) > 1:
        raise Failure("CLUSTER_DOES_NOT_HAVE_ONE_NODE", str(len(self["cluster_hosts"])))
    pool_destroy(call, self)


@message(
    "Cluster_host.create(Cluster ref cluster, host ref host, PIF ref pif) -> Cluster_host ref", role=_ROLE, since="2.11"
)
def create_host(call: Call, cluster: Object, host: Object, pif: Object) -> Object:
    """Let a host join a cluster."""
    if pif["host"] != host.ref:
        raise Failure("PIF_NOT_ATTACHED_TO_HOST", pif.ref, host.ref)
    return _join(call, cluster, pif)


@message("Cluster_host.destroy(Cluster_host ref self) -> void", role=_ROLE, since="2.11")
def destroy_host(call: Call, self: Object) -> None:
    """Let a host leave its cluster, in which others stay."""
    if len(call.world.db.get("Cluster", self["cluster"])["cluster_hosts"]) == 1:
        raise Failure("CLUSTER_HOST_IS_LAST", self.ref)
    call.world.db.delete(self)


@message("Cluster_host.force_destroy(Cluster_host ref self) -> void", role=_ROLE, since="2.11")
def force_destroy_host(call: Call, self: Object) -> None:
    """Let a host leave its cluster, even as the last one."""
    call.world.db.delete(self)


@message("Cluster.get_network(Cluster ref self) -> network ref", since="2.11")
def get_network(call: Call, self: Object) -> str:
    """The network that the hosts of a cluster talk on."""
    db = call.world.db
    member = db.get("Cluster_host", self["cluster_hosts"][0])
    return str(db.get("PIF", member["PIF"])["network"])


@message("Cluster.pool_resync(Cluster ref self) -> void", role=_ROLE, since="2.11")
def pool_resync(call: Call, self: Object) -> None:
    """Let all hosts join again that are not in their cluster."""
    for ref in self["cluster_hosts"]:
        call.world.db.update(call.world.db.get("Cluster_host", ref), enabled=True, joined=True)


@message("Cluster_host.enable(Cluster_host ref self) -> void", role=_ROLE, since="2.11")
def enable(call: Call, self: Object) -> None:
    """Let a host take part in its cluster."""
    call.world.db.update(self, enabled=True)


@message("Cluster_host.disable(Cluster_host ref self) -> void", role=_ROLE, since="2.11")
def disable(call: Call, self: Object) -> None:
    """Let a host take no part in its cluster for now."""
    call.world.db.update(self, enabled=False)


@message(
    'SDN_controller.introduce(enum sdn_controller_protocol protocol = "ssl", string address = , int port = 0) '
    "-> SDN_controller ref",
    role=_ROLE,
    since="2.7",
)
def introduce_controller(call: Call, protocol: str, address: str, port: int) -> Object:
    """Let a controller rule the networks, of which there is one at most."""
    if call.world.db.count("SDN_controller"):
        raise Failure("OPERATION_NOT_ALLOWED", "SDN controller has been introduced already")
    return call.world.db.create("SDN_controller", protocol=protocol, address=address, port=port)


@message("SDN_controller.forget(SDN_controller ref self) -> void", role=_ROLE, since="2.7")
def forget_controller(call: Call, self: Object) -> None:
    """Let a controller rule no longer."""
    call.world.db.delete(self)


def _join(call: Call, cluster: Object, pif: Object) -> Object:
    _assert_stays_up(pif)
    return call.world.db.create(
        "Cluster_host", cluster=cluster.ref, host=pif["host"], PIF=pif.ref, enabled=True, joined=True
    )


def _assert_stays_up(pif: Object) -> None:
    if not pif["disallow_unplug"]:
        raise Failure("PIF_ALLOWS_UNPLUG", pif.ref)
    if not pif["currently_attached"]:
        raise Failure("REQUIRED_PIF_IS_UNPLUGGED", pif.ref)


def _interface(world: World, host: Object, network: Object) -> Object:
    for ref in network["PIFs"]:
        pif = world.db.get("PIF", ref)
        if pif["host"] == host.ref:
            if pif["ip_configuration_mode"] == "None":
                raise Failure("PIF_HAS_NO_NETWORK_CONFIGURATION", pif.ref)
            return pif
    raise Failure("PIF_NOT_PRESENT", host.ref, network.ref)
