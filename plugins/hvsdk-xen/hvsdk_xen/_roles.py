"""The roles of a pool, as far as they matter here: which one wants what, and which one a user has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

__all__ = ["is_permitted", "role_of", "wanted_role"]

_ROLES: Final = ("pool-operator", "vm-power-admin", "vm-admin", "vm-operator", "read-only")
"""From the one that may do most; each may do all that the next may. `pool-admin` is left out: no verb wants it."""
_FIRST_OF: Final[Mapping[str, str]] = {
    "pool-operator": "VIF.set_locking_mode VIF.set_ipv4_allowed VM.import VM.set_suspend_VDI pool.add_to_other_config",
    "vm-power-admin": "VM.pool_migrate VM.migrate_send VM.assert_can_migrate host.migrate_receive VM.set_affinity "
    "VDI.pool_migrate VM.snapshot VM.checkpoint VM.snapshot_with_quiesce VM.revert VM.set_memory_limits",
    "vm-admin": "VM.create VM.destroy VM.copy VM.clone VM.provision VM.set_VCPUs_max VM.set_VCPUs_number_live "
    "VM.set_name_label VM.set_name_description VM.add_to_other_config VM.remove_from_other_config "
    "VM.set_blocked_operations VBD.create VBD.destroy VBD.plug VBD.unplug VIF.create VIF.destroy VIF.plug VIF.unplug "
    "VDI.create VDI.destroy VDI.copy VDI.resize VDI.snapshot VDI.enable_cbt VDI.get_nbd_info",
    "vm-operator": "VM.start VM.clean_shutdown VM.hard_shutdown VM.clean_reboot VM.hard_reboot VM.pause VM.unpause "
    "VM.suspend VM.resume VM.set_tags VBD.insert VBD.eject VDI.list_changed_blocks",
}
"""The messages that a role may send and the next one may not."""
_WANTED: Final = {message.lower(): role for role, messages in _FIRST_OF.items() for message in messages.split()}
_SIGN: Final = {
    "pool-operator": "VIF.set_locking_mode",
    "vm-power-admin": "VM.snapshot",
    "vm-admin": "VM.create",
    "vm-operator": "VM.start",
}
"""A message of every version by which a role is known."""


def wanted_role(message: str) -> str | None:
    """Return the least role that may send a message, `Async.` or not; `None` where that is not known here."""
    return _WANTED.get(message.lower().removeprefix("async.").partition("/")[0])


def role_of(permissions: Collection[str]) -> str:
    """Return the role that a session's permissions, in lower case, are those of."""
    return next((role for role in _ROLES if role in _SIGN and is_permitted(_SIGN[role], permissions)), "read-only")


def is_permitted(message: str, permissions: Collection[str]) -> bool:
    """Whether permissions in lower case include a message, if only for some keys of a map."""
    name = message.lower()
    return name in permissions or any(one.startswith(f"{name}/key:") for one in permissions)
