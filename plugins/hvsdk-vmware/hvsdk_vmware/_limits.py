"""What a connection or a domain cannot do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hvsdk.driver import Capability, DomainInfo, Unsupported

from hvsdk_vmware._about import AboutReads

__all__ = ["LimitReads"]

C = Capability
_TEMPLATE = (
    *(C.SHUTDOWN, C.POWER_OFF, C.REBOOT, C.RESET, C.SUSPEND, C.RECONFIGURE, C.CONSOLE, C.SCREENSHOT, C.CREATE_SNAPSHOT),
    *(C.ATTACH_DISK, C.DETACH_DISK, C.RESIZE_DISK, C.ATTACH_NIC, C.DETACH_NIC, C.SET_NIC_LINK),
    *(C.INSERT_MEDIA, C.EJECT_MEDIA, C.SET_AUTOSTART, C.SET_TAGS, C.SET_METADATA, C.CLONE_LINKED),
)
"""What a template does not do; of what is written on it vSphere lets only name and notes be changed."""
_NOT_FENCED = (C.START, C.RESUME, C.REVERT_SNAPSHOT, C.FENCE)
"""What is refused in words of its own where a fence made the domain a template."""


class LimitReads(AboutReads):
    """`domain_limits`; the parts add what they know themselves."""

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        if info.is_template:
            mark = info.fenced if info.has("config") else None
            reason = f"it is fenced: {mark.reason}" if mark else "it is a template; clone() makes a domain of it"
            _add(limits, ((reason, one) for one in _TEMPLATE))
            if info.has("config") and mark is None:
                _add(limits, ((reason, one) for one in _NOT_FENCED))
        return limits


def _add(limits: dict[Capability, Unsupported], rules: Iterable[tuple[str, Capability]]) -> None:
    for reason, capability in rules:
        limits.setdefault(capability, Unsupported(reason))
