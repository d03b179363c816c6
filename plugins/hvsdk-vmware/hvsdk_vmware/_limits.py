"""What a connection or a domain cannot do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hvsdk.driver import Capability, Deadline, DomainInfo, Unsupported
from pyVmomi import vim

from hvsdk_vmware._about import AboutReads
from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._details import MARKED_AS_TEMPLATE
from hvsdk_vmware._fields import child

__all__ = ["LimitReads"]

C = Capability
_READS = frozenset(
    (C.LIST_NETWORKS, C.LIST_NODES, C.LIST_STORAGE_POOLS, C.LIST_VOLUMES, C.LIST_SNAPSHOTS, C.STATS, C.CONSOLE)
) | {C.WATCH, C.NATIVE, C.GUEST_INFO, C.MULTIPROCESS, C.OPEN_DISK, C.DISK_RANDOM_READ}
"""What the free edition of ESXi lets a client do."""
_FREE = "esxBasic"
_FREE_REASON = "the host's licence (the free edition of ESXi) makes its API read-only"
_TEMPLATE = (
    *(C.SHUTDOWN, C.POWER_OFF, C.REBOOT, C.RESET, C.SUSPEND, C.RECONFIGURE, C.CONSOLE, C.SCREENSHOT, C.CREATE_SNAPSHOT),
    *(C.ATTACH_DISK, C.DETACH_DISK, C.RESIZE_DISK, C.ATTACH_NIC, C.DETACH_NIC, C.SET_NIC_LINK),
    *(C.INSERT_MEDIA, C.EJECT_MEDIA, C.SET_AUTOSTART, C.SET_METADATA, C.CLONE_LINKED),
)
"""What a template does not do; of what is written on it vSphere lets only name and notes be changed."""
_NOT_FENCED = (C.START, C.RESUME, C.REVERT_SNAPSHOT, C.FENCE)
"""What is refused in words of its own where a fence made the domain a template."""


class LimitReads(AboutReads):
    """`host_limits` and `domain_limits`; the parts add what they know themselves."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if not self.is_vcenter and self._editions(deadline) == {_FREE}:
            _add(limits, ((_FREE_REASON, one) for one in self.offers() - _READS))
        return limits

    def _editions(self, deadline: Deadline) -> set[str]:
        """Return the editions that a host's licences are for; none when this user may not see them."""
        manager = self.content.licenseManager
        if manager is None:
            return set()
        wish: dict[type, tuple[str, ...]] = {vim.LicenseManager: ("licenses",)}
        found = self.read_all([object_spec(manager)], wish, deadline=deadline)
        licences = [one for each in found for value in each.values.values() for one in value]
        return {child(one, "editionKey") for one in licences}

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        known = info.has("config")
        if info.is_template or (known and info.details.get(MARKED_AS_TEMPLATE)):
            mark = info.fenced if known else None
            reason = f"it is fenced: {mark.reason}" if mark else "it is a template; clone() makes a domain of it"
            _add(limits, ((reason, one) for one in _TEMPLATE))
            if not self.is_vcenter:  # whose own tags are no part of the configuration
                _add(limits, [(reason, C.SET_TAGS)])
            if known and info.is_template:
                _add(limits, ((reason, one) for one in _NOT_FENCED))
        return limits


def _add(limits: dict[Capability, Unsupported], rules: Iterable[tuple[str, Capability]]) -> None:
    for reason, capability in rules:
        limits.setdefault(capability, Unsupported(reason))
