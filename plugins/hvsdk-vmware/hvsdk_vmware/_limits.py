"""What a connection or a domain cannot do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hvsdk.driver import Capability, DomainInfo, Unsupported

from hvsdk_vmware._about import AboutReads

__all__ = ["LimitReads"]

C = Capability
_TEMPLATE = (
    *(C.START, C.SHUTDOWN, C.POWER_OFF, C.REBOOT, C.RESET, C.SUSPEND, C.RESUME, C.RECONFIGURE, C.CONSOLE, C.SCREENSHOT),
    *(C.CREATE_SNAPSHOT, C.REVERT_SNAPSHOT, C.ATTACH_DISK, C.DETACH_DISK, C.RESIZE_DISK, C.ATTACH_NIC, C.DETACH_NIC),
    *(C.SET_NIC_LINK, C.INSERT_MEDIA, C.EJECT_MEDIA, C.SET_AUTOSTART),
)


class LimitReads(AboutReads):
    """`domain_limits`; the parts add what they know themselves."""

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        if info.is_template:
            _add(limits, (("it is a template; clone() makes a domain of it", one) for one in _TEMPLATE))
        return limits


def _add(limits: dict[Capability, Unsupported], rules: Iterable[tuple[str, Capability]]) -> None:
    for reason, capability in rules:
        limits.setdefault(capability, Unsupported(reason))
