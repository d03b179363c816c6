"""The hints that this backend understands, by what they are for. Keys of other products are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hvsdk import driver
from hvsdk.driver import Hint

__all__ = [
    "DISK_HINTS",
    "DOMAIN_HINTS",
    "NIC_HINTS",
    "PREFIX",
    "RECONFIGURE_HINTS",
    "VOLUME_HINTS",
    "read_hints",
]

PREFIX = "vmware."


RECONFIGURE_HINTS: Final[Mapping[str, Hint]] = {
    "vmware.cpu_shares": Hint("weight against other domains; 1000 for each vCPU is normal", int, least=1),
    "vmware.cpu_limit_mhz": Hint("most megahertz that it gets; 0 is no limit", int),
    "vmware.cpu_reservation_mhz": Hint("megahertz that are kept for it", int),
    "vmware.memory_limit_mib": Hint("most MiB of the host's memory that it gets; 0 is no limit", int),
    "vmware.memory_reservation_mib": Hint("MiB of the host's memory that are kept for it", int),
    "vmware.cpu_hot_add": Hint("whether vCPUs can be added while it runs", bool),
    "vmware.memory_hot_add": Hint("whether memory can be added while it runs", bool),
}
"""`Domain.reconfigure(hints=…)`."""

DOMAIN_HINTS: Final[Mapping[str, Hint]] = {
    **RECONFIGURE_HINTS,
    "vmware.folder": Hint("id of the folder that it is in, or its path from the root, such as `Berlin/vm/web`"),
    "vmware.resource_pool": Hint("name or id of the resource pool that it is made in"),
    "vmware.host": Hint("name or id of the host that it is made on"),
    "vmware.datastore": Hint("name or id of the datastore of its configuration, and of disks that have no pool"),
    "vmware.guest_id": Hint("the guest's system in vSphere's words, such as `debian12_64Guest`"),
    "vmware.hardware_version": Hint("version of its virtual hardware, such as `vmx-19`; the host's newest without it"),
    "vmware.nested": Hint("whether the guest can run a hypervisor of its own", bool),
    "vmware.change_tracking": Hint("whether vSphere notes which blocks of its disks change", bool),
    "vmware.extra_config": Hint("further keys of its configuration file and their values", Mapping),
}
"""`DomainSpec.hints`."""

DISK_HINTS: Final[Mapping[str, Hint]] = {
    "vmware.provisioning": Hint("how a new disk takes its space", choices=("thin", "thick", "eager")),
    "vmware.mode": Hint(
        "whether snapshots hold the disk, and whether writes last",
        choices=("persistent", "independent_persistent", "independent_nonpersistent"),
    ),
    "vmware.controller": Hint(
        "the SCSI controller's model", choices=("pvscsi", "lsilogic", "lsilogic-sas", "buslogic")
    ),
}
"""`DiskSpec.hints`."""

VOLUME_HINTS: Final[Mapping[str, Hint]] = {
    "vmware.provisioning": Hint("how a new disk takes its space", choices=("thin", "thick", "eager")),
}
"""`VolumeSpec.hints`."""

NIC_HINTS: Final[Mapping[str, Hint]] = {}
"""`NicSpec.hints`: none."""


def read_hints(hints: Mapping[str, Any], known: Mapping[str, Hint]) -> dict[str, Any]:
    """Return our hints among those given, without their prefix.

    Raises:
        InvalidSpecError: One of ours is not known, or has a value that it does not take.
    """
    return driver.read_hints(hints, known, prefix=PREFIX)
