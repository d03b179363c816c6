"""What can be done with the pool as a whole."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.hosts.abilities import guests_on
from hvsdk_simulators.xapi.hosts.life import cut, forget
from hvsdk_simulators.xapi.hosts.settings import assert_manageable, manage_by
from hvsdk_simulators.xapi.hosts.settings import disable_local_storage_caching as disable_caching
from hvsdk_simulators.xapi.hosts.settings import enable_local_storage_caching as enable_caching
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import World

_ROLE = "pool-operator"
_OPERATIONS = ("cluster_create", "designate_new_master", "ha_enable")


@derived("pool", "allowed_operations")
def allowed_operations(world: World, pool: Object) -> list[str]:
    """The operations that may begin now."""
    known = _OPERATIONS if world.options.api >= (2, 16) else _OPERATIONS[-1:]
    return [] if pool["current_operations"] else list(known)


@message("pool.sync_database() -> void", role=_ROLE)
def sync_database(call: Call) -> None:
    """Copy the database to the other hosts. They share it here."""


@message("pool.set_default_SR(pool ref self, SR ref value) -> void", role=_ROLE)
def set_default_sr(call: Call, self: Object, value: Object | None) -> None:
    """Say where disks go that nobody gives a place."""
    call.world.db.update(self, default_SR=value.ref if value else NULL)


@message("pool.set_suspend_image_SR(pool ref self, SR ref value) -> void", role=_ROLE)
def set_suspend_image_sr(call: Call, self: Object, value: Object | None) -> None:
    """Say where the memory of suspended VMs goes; all hosts follow."""
    ref = value.ref if value else NULL
    call.world.db.update(self, suspend_image_SR=ref)
    for host in call.world.db.all("host"):
        call.world.db.update(host, suspend_image_sr=ref)


@message("pool.set_crash_dump_SR(pool ref self, SR ref value) -> void", role=_ROLE)
def set_crash_dump_sr(call: Call, self: Object, value: Object | None) -> None:
    """Say where crash dumps go; all hosts follow."""
    ref = value.ref if value else NULL
    call.world.db.update(self, crash_dump_SR=ref)
    for host in call.world.db.all("host"):
        call.world.db.update(host, crash_dump_sr=ref)


@message("pool.eject(host ref host) -> void", role=_ROLE)
def eject(call: Call, host: Object) -> None:
    """Put a host out of the pool: it loses its own storage, and is a pool of its own that nobody sees here."""
    world = call.world
    if host.ref == world.pool["master"]:
        raise Failure("HOST_IS_ITS_OWN_MASTER" if len(world.members) == 1 else "HOST_CANNOT_DESTROY_SELF", host.ref)
    if guests_on(world, host):
        raise Failure("HOST_HAS_RESIDENT_VMS", host.ref)
    member = world.member_of(host)
    member.alive = False
    cut(member)
    forget(world, host)


@message("pool.get_license_state(pool ref self) -> (string -> string) map", since="2.0")
def get_license_state(call: Call, self: Object) -> dict[str, str]:
    """The least licence of the hosts, and when it ends."""
    hosts = call.world.db.all("host")
    return {"edition": hosts[0]["edition"], "expiry": hosts[0]["license_params"].get("expiry", "never")}


@message("pool.apply_edition(pool ref self, string edition) -> void", role=_ROLE, since="2.0")
def apply_edition(call: Call, self: Object, edition: str) -> None:
    """Use a licence of an edition on all hosts."""
    hosts = call.world.db.all("host")
    if any(edition not in (*host["editions"], host["edition"]) for host in hosts):
        raise Failure("INVALID_EDITION", edition)
    for host in hosts:
        call.world.db.update(host, edition=edition)


@message("pool.has_extension(pool ref self, string name) -> bool", role="pool-admin", since="2.5")
def has_extension(call: Call, self: Object, name: str) -> bool:
    """Whether all hosts know a call beside the API: there are none."""
    return False


@message(
    "pool.add_to_guest_agent_config(pool ref self, string key, string value) -> void", role="pool-admin", since="2.5"
)
def add_to_guest_agent_config(call: Call, self: Object, key: str, value: str) -> None:
    """Tell the agents of Windows guests how to behave."""
    if key in self["guest_agent_config"]:
        raise Failure("MAP_DUPLICATE_KEY", "pool", "guest_agent_config", self.ref, key)
    call.world.db.update(self, guest_agent_config=self["guest_agent_config"] | {key: value})


@message("pool.remove_from_guest_agent_config(pool ref self, string key) -> void", role="pool-admin", since="2.5")
def remove_from_guest_agent_config(call: Call, self: Object, key: str) -> None:
    """Tell them no longer."""
    left = {name: value for name, value in self["guest_agent_config"].items() if name != key}
    call.world.db.update(self, guest_agent_config=left)


@message("pool.set_igmp_snooping_enabled(pool ref self, bool value) -> void", role=_ROLE, since="2.8")
def set_igmp_snooping_enabled(call: Call, self: Object, value: bool) -> None:
    """Send multicast packets only where somebody listens."""
    call.world.db.update(self, igmp_snooping_enabled=value)
    for pif in call.world.db.all("PIF"):
        call.world.db.update(pif, igmp_snooping_status="enabled" if value else "disabled")


@message("pool.retrieve_wlb_configuration() -> (string -> string) map", since="1.6")
def retrieve_wlb_configuration(call: Call) -> dict[str, str]:
    """Refuse: no workload balancing is set up."""
    raise Failure("WLB_NOT_INITIALIZED")


@message("pool.retrieve_wlb_recommendations() -> (VM ref -> string set) map", since="1.6")
def retrieve_wlb_recommendations(call: Call) -> dict[str, list[str]]:
    """Refuse: no workload balancing is set up."""
    raise Failure("WLB_NOT_INITIALIZED")


@message("pool.deconfigure_wlb() -> void", role=_ROLE, since="1.6")
def deconfigure_wlb(call: Call) -> None:
    """Use workload balancing no longer."""
    call.world.db.update(call.world.pool, wlb_enabled=False, wlb_url="", wlb_username="")


@message("pool.enable_local_storage_caching(pool ref self) -> void", role=_ROLE, since="1.8")
def enable_local_storage_caching(call: Call, self: Object) -> None:
    """Keep caches of shared disks on all hosts that have local storage which can."""
    failed = []
    for host in call.world.db.all("host"):
        local = [call.world.db.get("SR", call.world.db.get("PBD", ref)["SR"]) for ref in host["PBDs"]]
        sr = next((one for one in local if one["type"] == "ext" and not one["shared"]), None)
        if sr is None:
            failed.append(host.ref)
        else:
            enable_caching(call, host, sr)
    if failed:
        raise Failure("HOSTS_FAILED_TO_ENABLE_CACHING", *failed)


@message("pool.disable_local_storage_caching(pool ref self) -> void", role=_ROLE, since="1.8")
def disable_local_storage_caching(call: Call, self: Object) -> None:
    """Keep no caches."""
    for host in call.world.db.all("host"):
        disable_caching(call, host)


@message("pool.rotate_secret() -> void", role="pool-admin", since="2.15")
def rotate_secret(call: Call) -> None:
    """Let the hosts agree on another secret among them. Nobody sees it."""
    if call.world.pool["ha_enabled"]:
        raise Failure("HA_IS_ENABLED")


@message("pool.management_reconfigure(network ref network) -> void", role=_ROLE, since="2.8")
def management_reconfigure(call: Call, network: Object) -> None:
    """Reach all hosts on another network, on which each has an address."""
    db = call.world.db
    found = {}
    for host in db.all("host"):
        pif = next((one for ref in network["PIFs"] if (one := db.get("PIF", ref))["host"] == host.ref), None)
        if pif is None:
            raise Failure("PIF_NOT_PRESENT", host.ref, network.ref)
        found[host.ref] = pif
    for pif in found.values():
        assert_manageable(pif)
    for pif in found.values():
        manage_by(call, pif)


@message("pool.certificate_list() -> string set", role=_ROLE, since="1.6")
def certificate_list(call: Call) -> list[str]:
    """Names of the installed certificates of others."""
    return [one["name"] for one in call.world.db.all("Certificate") if one["type"] == "ca"]


@message("pool.certificate_sync() -> void", role=_ROLE, since="1.6")
def certificate_sync(call: Call) -> None:
    """Copy these certificates to all hosts. They share them here."""


@message("pool.crl_list() -> string set", role=_ROLE, since="1.6")
def crl_list(call: Call) -> list[str]:
    """Names of the lists of revoked certificates. There are none."""
    return []


@message("pool.enable_tls_verification() -> void", role="pool-admin", since="2.16")
def enable_tls_verification(call: Call) -> None:
    """Let the hosts check each other's certificates."""
    call.world.db.update(call.world.pool, tls_verification_enabled=True)
    for host in call.world.db.all("host"):
        call.world.db.update(host, tls_verification_enabled=True)
