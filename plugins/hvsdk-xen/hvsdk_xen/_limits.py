"""What a connection or a domain cannot do: the role of the user, the licence, the version of XAPI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hvsdk.driver import Capability, Deadline, DomainInfo, Unsupported

from hvsdk_xen._about import AboutReads
from hvsdk_xen._roles import is_permitted, role_of, wanted_role

__all__ = ["LimitReads"]

C = Capability

NEEDS: Mapping[Capability, str] = {
    C.START: "VM.start",
    C.SHUTDOWN: "VM.clean_shutdown",
    C.POWER_OFF: "VM.hard_shutdown",
    C.REBOOT: "VM.clean_reboot",
    C.RESET: "VM.hard_reboot",
    C.PAUSE: "VM.pause",
    C.UNPAUSE: "VM.unpause",
    C.SUSPEND: "VM.suspend",
    C.RESUME: "VM.resume",
    C.CREATE_DOMAIN: "VM.create",
    C.DELETE: "VM.destroy",
    C.CLONE: "VM.copy",
    C.CLONE_LINKED: "VM.clone",
    C.MIGRATE: "VM.pool_migrate",
    C.MIGRATE_LIVE: "VM.pool_migrate",
    C.MIGRATE_NODE: "VM.pool_migrate",
    C.MIGRATE_STORAGE: "VM.migrate_send",
    C.RECONFIGURE: "VM.set_VCPUs_max",
    C.ATTACH_DISK: "VBD.create",
    C.DETACH_DISK: "VBD.destroy",
    C.HOTPLUG_DISK: "VBD.plug",
    C.RESIZE_DISK: "VDI.resize",
    C.ATTACH_NIC: "VIF.create",
    C.DETACH_NIC: "VIF.destroy",
    C.HOTPLUG_NIC: "VIF.plug",
    C.SET_NIC_LINK: "VIF.set_locking_mode",
    C.RECONFIGURE_RUNNING: "VM.set_VCPUs_number_live",
    C.INSERT_MEDIA: "VBD.insert",
    C.EJECT_MEDIA: "VBD.eject",
    C.CREATE_SNAPSHOT: "VM.snapshot",
    C.SNAPSHOT_RUNNING: "VM.snapshot",
    C.SNAPSHOT_MEMORY: "VM.checkpoint",
    C.SNAPSHOT_QUIESCE: "VM.snapshot_with_quiesce",
    C.REVERT_SNAPSHOT: "VM.revert",
    C.DELETE_SNAPSHOT: "VM.destroy",
    C.CHANGED_BLOCKS: "VDI.list_changed_blocks",
    C.RENAME: "VM.set_name_label",
    C.SET_NOTES: "VM.set_name_description",
    C.SET_TAGS: "VM.set_tags",
    C.SET_METADATA: "VM.add_to_other_config",
    C.SET_AUTOSTART: "VM.add_to_other_config",
    C.FENCE: "VM.set_blocked_operations",
    C.UNFENCE: "VM.set_blocked_operations",
    C.CREATE_VOLUME: "VDI.create",
    C.DELETE_VOLUME: "VDI.destroy",
}
"""One message without which a capability is not there."""
_LICENCE: Mapping[str, tuple[Capability, ...]] = {
    "restrict_checkpoint": (C.SNAPSHOT_MEMORY,),
    "restrict_xen_motion": (C.MIGRATE_LIVE,),
    "restrict_storage_xen_motion": (C.MIGRATE_STORAGE,),
    "restrict_cbt": (C.CHANGED_BLOCKS,),
    "restrict_vss": (C.SNAPSHOT_QUIESCE,),
}
_UEFI_SINCE = (2, 13)
_SECURE_BOOT_SINCE = (2, 14)
_CONTROL = (
    *(C.START, C.SHUTDOWN, C.POWER_OFF, C.REBOOT, C.RESET, C.PAUSE, C.UNPAUSE, C.SUSPEND, C.RESUME, C.DELETE, C.CLONE),
    *(C.CLONE_LINKED, C.MIGRATE, C.CREATE_SNAPSHOT, C.REVERT_SNAPSHOT, C.FENCE, C.UNFENCE, C.RENAME, C.SET_AUTOSTART),
    *(C.RECONFIGURE, C.ATTACH_DISK, C.DETACH_DISK, C.RESIZE_DISK, C.ATTACH_NIC, C.DETACH_NIC, C.SET_NIC_LINK),
    *(C.INSERT_MEDIA, C.EJECT_MEDIA),
)
_TEMPLATE = (
    *(C.START, C.SHUTDOWN, C.POWER_OFF, C.REBOOT, C.RESET, C.PAUSE, C.UNPAUSE, C.SUSPEND, C.RESUME),
    *(C.MIGRATE, C.MIGRATE_LIVE, C.MIGRATE_NODE, C.CONSOLE, C.SCREENSHOT),
)


class LimitReads(AboutReads):
    """`host_limits` and `domain_limits`; the parts add what they know themselves."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        session = self.call("session.get_record", self.session_ref, deadline=deadline)
        if not session.get("is_local_superuser", True):
            _add(limits, self._without_role({str(name).lower() for name in session.get("rbac_permissions", ())}))
        _add(limits, self._without_message())
        _add(limits, self._without_licence())
        return limits

    def _without_role(self, permissions: set[str]) -> Iterable[tuple[str, Capability]]:
        """Say what the user's role leaves out; a server that lists no permissions limits nothing beforehand."""
        if permissions:
            mine = role_of(permissions)
            for capability, message in NEEDS.items():
                if not is_permitted(message, permissions):
                    wanted = wanted_role(message) or "another role"
                    yield f"the role of the user, {mine}, does not include {message}: {wanted} does", capability

    def _without_message(self) -> Iterable[tuple[str, Capability]]:
        version = "{}.{}".format(*self.api_version)
        for capability, message in NEEDS.items():
            if not self.has_message(message):
                yield f"this version of the product (API {version}) has no {message}", capability
        if self.api_version < _UEFI_SINCE:
            yield f"this version of the product (API {version}) knows no UEFI", C.UEFI
        if self.api_version < _SECURE_BOOT_SINCE:
            yield f"this version of the product (API {version}) knows no secure boot", C.SECURE_BOOT

    def _without_licence(self) -> Iterable[tuple[str, Capability]]:
        licence = self.around.master.get("license_params", {})
        for name, capabilities in _LICENCE.items():
            if str(licence.get(name, "")).lower() == "true":
                for capability in capabilities:
                    yield f"the pool's licence has {name}", capability

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        if info.is_control:
            _add(limits, (("it is a control domain, which is part of its host", one) for one in _CONTROL))
        elif info.is_template:
            _add(limits, (("it is a template; clone() makes a domain of it", one) for one in _TEMPLATE))
            if info.has("config") and info.details.get("xen.is_default_template"):
                _add(limits, [("it is a template of the product, which cannot be removed", C.DELETE)])
        return limits


def _add(limits: dict[Capability, Unsupported], rules: Iterable[tuple[str, Capability]]) -> None:
    for reason, capability in rules:
        limits.setdefault(capability, Unsupported(reason))
