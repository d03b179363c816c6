"""What a connection or a domain cannot do, in words that complete "not possible: …"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hvsdk.driver import Capability, Deadline, DomainInfo, Unsupported

from hvsdk_kvm._session import Session

__all__ = ["LimitReads"]

C = Capability

_TEST = (
    (
        "libvirt's test driver has no devices that could be changed",
        (
            *(C.ATTACH_DISK, C.DETACH_DISK, C.ATTACH_NIC, C.DETACH_NIC, C.SET_NIC_LINK, C.INSERT_MEDIA, C.EJECT_MEDIA),
            *(C.RESIZE_DISK, C.RESIZE_DISK_RUNNING, C.HOTPLUG_DISK, C.HOTPLUG_NIC),
        ),
    ),
    (
        "libvirt's test driver keeps no contents of disks and volumes",
        (
            *(C.OPEN_DISK, C.OPEN_VOLUME, C.DISK_RANDOM_READ, C.DISK_READ_SNAPSHOT, C.CHANGED_BLOCKS),
            *(C.CLONE, C.CLONE_LINKED, C.CLOUD_INIT),
        ),
    ),
    ("libvirt's test driver cannot migrate", (C.MIGRATE, C.MIGRATE_LIVE)),
    ("domains of libvirt's test driver have no console", (C.CONSOLE,)),
    ("domains of libvirt's test driver have no guest agent", (C.SNAPSHOT_QUIESCE,)),
    ("libvirt's test driver has no firmware", (C.UEFI, C.SECURE_BOOT)),
    ("libvirt's test driver refuses snapshots of a running domain's disks alone", (C.SNAPSHOT_RUNNING,)),
    ("libvirt's test driver knows no statistics", (C.STATS,)),
)
_XEN = (
    ("libvirt's Xen driver cannot reset a domain", (C.RESET,)),
    ("libvirt's Xen driver makes no screenshots", (C.SCREENSHOT,)),
    ("libvirt's Xen driver has no bulk statistics", (C.STATS,)),
    (
        "libvirt's Xen driver has no snapshots",
        (
            *(C.LIST_SNAPSHOTS, C.CREATE_SNAPSHOT, C.REVERT_SNAPSHOT, C.DELETE_SNAPSHOT, C.CHANGED_BLOCKS),
            *(C.SNAPSHOT_RUNNING, C.SNAPSHOT_MEMORY, C.SNAPSHOT_QUIESCE, C.DISK_READ_SNAPSHOT),
        ),
    ),
    ("libvirt's Xen driver cannot resize disks", (C.RESIZE_DISK, C.RESIZE_DISK_RUNNING)),
)
_IN_PROCESS = (("it runs in this process, and no other can attach to it", (C.MULTIPROCESS,)),)
_EMBEDDED = (
    ("an embedded driver has no daemon that another host could send a domain to", (C.MIGRATE, C.MIGRATE_LIVE)),
)
_NO_EVENTS = (("libvirt's event loop does not survive a fork", (C.WATCH,)),)

Rules = Iterable[tuple[str, tuple[Capability, ...]]]


class LimitReads(Session):
    """`host_limits` and `domain_limits`; the parts add what they know themselves."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        for applies, rules in (
            (self.is_test, _TEST),
            (self.kind == "xen", _XEN),
            (not self.remote, _IN_PROCESS),
            (self.embedded, _EMBEDDED),
            (self.events is None, _NO_EVENTS),
        ):
            if applies:
                _add(limits, rules)
        return limits

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        if not info.has("config"):
            return limits
        details = info.details
        if self.kind == "qemu" and details.get("kvm.video", "none") == "none":
            _add(limits, (("the domain has no graphics card", (C.SCREENSHOT,)),))
        return limits


def _add(limits: dict[Capability, Unsupported], rules: Rules) -> None:
    for reason, capabilities in rules:
        for capability in capabilities:
            limits.setdefault(capability, Unsupported(reason))
