"""What can be set of a host."""

from __future__ import annotations

import re

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message

_ROLE = "pool-operator"
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_LONGEST_HOSTNAME = 255
_GRANULARITY = "sched-gran"


@message("host.set_hostname_live(host ref host, string hostname) -> void", role=_ROLE, since="1.2")
def set_hostname_live(call: Call, host: Object, hostname: str) -> None:
    """Give a host another name in the network, at once."""
    if not hostname or len(hostname) > _LONGEST_HOSTNAME:
        raise Failure("HOST_NAME_INVALID", "hostname empty" if not hostname else "hostname is too long")
    if not _HOSTNAME.fullmatch(hostname):
        raise Failure("HOST_NAME_INVALID", "hostname contains invalid characters")
    call.world.db.update(host, hostname=hostname)


@message("host.set_iscsi_iqn(host ref host, string value) -> void", role=_ROLE, since="2.10")
def set_iscsi_iqn(call: Call, host: Object, value: str) -> None:
    """Set the name by which a host logs in to iSCSI targets; an older key in `other_config` follows."""
    config = {**host["other_config"], "iscsi_iqn": value}
    call.world.db.update(host, iscsi_iqn=value, other_config=config)


@message("host.set_multipathing(host ref host, bool value) -> void", role=_ROLE, since="2.10")
def set_multipathing(call: Call, host: Object, value: bool) -> None:
    """Reach storage by several paths; an older key in `other_config` follows."""
    config = {**host["other_config"], "multipathing": str(value).lower()}
    call.world.db.update(host, multipathing=value, other_config=config)


@message("host.set_ssl_legacy(host ref self, bool value) -> void", role=_ROLE, since="2.5")
def set_ssl_legacy(call: Call, self: Object, value: bool) -> None:
    """Speak old versions of TLS, where the product still can."""
    if value and call.world.options.api >= (2, 15):
        raise Failure("VALUE_NOT_SUPPORTED", "value", "true", "SSL legacy is no longer supported")
    call.world.db.update(self, ssl_legacy=value)


@message("host.enable_display(host ref host) -> enum host_display", role=_ROLE, since="2.4")
def enable_display(call: Call, host: Object) -> str:
    """Use the host's own screen from the next boot on."""
    changed = {"disabled": "enable_on_reboot", "disable_on_reboot": "enabled"}.get(host["display"], host["display"])
    call.world.db.update(host, display=changed)
    return str(changed)


@message("host.disable_display(host ref host) -> enum host_display", role=_ROLE, since="2.4")
def disable_display(call: Call, host: Object) -> str:
    """Leave the host's own screen alone from the next boot on, so that a VM can have its card."""
    changed = {"enabled": "disable_on_reboot", "enable_on_reboot": "disabled"}.get(host["display"], host["display"])
    call.world.db.update(host, display=changed)
    return str(changed)


@message("host.enable_local_storage_caching(host ref host, SR ref sr) -> void", role=_ROLE, since="1.8")
def enable_local_storage_caching(call: Call, host: Object, sr: Object) -> None:
    """Keep a cache of shared disks on a local SR that can."""
    if sr["type"] != "ext" or sr["shared"]:
        raise Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
    if not any(call.world.db.get("PBD", ref)["host"] == host.ref for ref in sr["PBDs"]):
        raise Failure("HOST_CANNOT_SEE_SR", host.ref, sr.ref)
    call.world.db.update(host, local_cache_sr=sr.ref)
    call.world.db.update(sr, local_cache_enabled=True)


@message("host.disable_local_storage_caching(host ref host) -> void", role=_ROLE, since="1.8")
def disable_local_storage_caching(call: Call, host: Object) -> None:
    """Keep no cache."""
    sr = call.world.db.lookup("SR", host["local_cache_sr"])
    call.world.db.update(host, local_cache_sr=NULL)
    if sr is not None:
        call.world.db.update(sr, local_cache_enabled=False)


@message("host.apply_edition(host ref host, string edition, bool force = false) -> void", role=_ROLE, since="1.7")
def apply_edition(call: Call, host: Object, edition: str, force: bool) -> None:
    """Use a licence of an edition that the host knows."""
    if edition not in host["editions"] and edition != host["edition"]:
        raise Failure("INVALID_EDITION", edition)
    call.world.db.update(host, edition=edition)


@message("host.sync_data(host ref host) -> void", role="pool-admin", since="1.3")
def sync_data(call: Call, host: Object) -> None:
    """Copy the pool's files to a host. There are none."""


@message("host.backup_rrds(host ref host, float delay) -> void", role="pool-admin", since="1.3")
def backup_rrds(call: Call, host: Object, delay: float) -> None:
    """Save the statistics. They follow from the time, and need no saving."""


@message("host.syslog_reconfigure(host ref host) -> void", role=_ROLE, since="1.2")
def syslog_reconfigure(call: Call, host: Object) -> None:
    """Log to where `logging` says. Nothing is logged."""


@message("host.refresh_pack_info(host ref host) -> void", role=_ROLE, since="1.7")
def refresh_pack_info(call: Call, host: Object) -> None:
    """Read anew what is installed. It is what it was."""


@message("host.send_debug_keys(host ref host, string keys) -> void", role="pool-admin")
def send_debug_keys(call: Call, host: Object, keys: str) -> None:
    """Let the hypervisor log its state. Nothing is logged."""


@message("host.management_reconfigure(PIF ref pif) -> void", role=_ROLE, since="1.2")
def management_reconfigure(call: Call, pif: Object) -> None:
    """Reach a host by another of its interfaces, which has an address. Who is connected stays so."""
    assert_manageable(pif)
    manage_by(call, pif)


def assert_manageable(pif: Object) -> None:
    """Raise why a host cannot be reached by an interface."""
    if pif["bond_slave_of"] != NULL:
        raise Failure("CANNOT_PLUG_BOND_SLAVE", pif.ref)
    if pif["ip_configuration_mode"] == "None":
        raise Failure("PIF_HAS_NO_NETWORK_CONFIGURATION", pif.ref)


def manage_by(call: Call, pif: Object) -> None:
    """Say that a host is reached by an interface, and no longer by the one before."""
    db = call.world.db
    for ref in db.get("host", pif["host"])["PIFs"]:
        db.update(db.get("PIF", ref), management=ref == pif.ref)


@message("host.get_sched_gran(host ref self) -> enum host_sched_gran", since="2.16")
def get_sched_gran(call: Call, self: Object) -> str:
    """What of a processor is given to a VM at a time."""
    return str(self["cpu_configuration"].get(_GRANULARITY, "cpu"))


@message("host.set_sched_gran(host ref self, enum host_sched_gran value) -> void", role="pool-admin", since="2.16")
def set_sched_gran(call: Call, self: Object, value: str) -> None:
    """Say so for the next boot."""
    call.world.db.update(self, cpu_configuration=self["cpu_configuration"] | {_GRANULARITY: value})
