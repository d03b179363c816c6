"""The hints that this backend understands, by what they are for. Keys of other products are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hvsdk import driver
from hvsdk.driver import Hint

__all__ = ["DISK_HINTS", "DOMAIN_HINTS", "NIC_HINTS", "RECONFIGURE_HINTS", "VOLUME_HINTS", "read_hints"]

PREFIX = "xen."


RECONFIGURE_HINTS: Final[Mapping[str, Hint]] = {
    "xen.cpu_weight": Hint("weight against other domains; 256 is normal", int, least=1),
    "xen.cpu_cap": Hint("most CPU time in per cent of one processor; 0 is no limit", int),
    "xen.memory_dynamic_min": Hint(
        "bytes that the host may take the memory down to while others need it", int, least=1
    ),
}
"""`Domain.reconfigure(hints=…)`."""

DOMAIN_HINTS: Final[Mapping[str, Hint]] = {
    **RECONFIGURE_HINTS,
    "xen.template_copy": Hint("copy the template's disks in full; without it they share their blocks with it", bool),
    "xen.affinity": Hint("name or UUID of the node that it starts on where there is a choice"),
    "xen.nested": Hint("whether the guest can run a hypervisor of its own", bool),
    "xen.viridian": Hint("whether the guest sees Hyper-V's interfaces; so it is for Windows", bool),
    "xen.vga": Hint("the graphics card", choices=("std", "cirrus")),
}
"""`DomainSpec.hints`."""

DISK_HINTS: Final[Mapping[str, Hint]] = {}
"""`DiskSpec.hints`: none."""

VOLUME_HINTS: Final[Mapping[str, Hint]] = {}
"""`VolumeSpec.hints`: none."""

NIC_HINTS: Final[Mapping[str, Hint]] = {
    "xen.rate_kbps": Hint("most kilobytes in a second that the guest sends", int, least=1),
}
"""`NicSpec.hints`."""


def read_hints(hints: Mapping[str, Any], known: Mapping[str, Hint]) -> dict[str, Any]:
    """Return our hints among those given, without their prefix.

    Raises:
        InvalidSpecError: One of ours is not known, or has a value that it does not take.
    """
    return driver.read_hints(hints, known, prefix=PREFIX)
