"""The hints that this backend understands, by what they are for. Keys of other products are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
from hvsdk.driver import errors

__all__ = [
    "DISK_HINTS",
    "DOMAIN_HINTS",
    "NIC_HINTS",
    "PREFIX",
    "RECONFIGURE_HINTS",
    "VOLUME_HINTS",
    "Hint",
    "read_hints",
]

PREFIX = "vmware."


@attrs.frozen
class Hint:
    """What a key takes and does."""

    help: str
    type: type = str
    choices: tuple[str, ...] = ()
    least: int = 0

    def check(self, key: str, value: Any) -> Any:
        """Return a value that the key takes, else raise `InvalidSpecError`."""
        right = isinstance(value, self.type) and (self.type is bool or not isinstance(value, bool))
        if right and (not self.choices or value in self.choices) and self._fits(value):
            return value
        words = {bool: "True or False", int: f"a number from {self.least}", Mapping: "texts by their keys"}
        raise errors.InvalidSpecError(
            f"the hint {key!r} cannot be {value!r}",
            hint=f"it takes {' '.join(self.choices) or words.get(self.type, 'a text')}",
        )

    def _fits(self, value: Any) -> bool:
        if self.type is Mapping:
            return all(isinstance(part, str) for pair in value.items() for part in pair)
        return self.type is not int or value >= self.least


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
    """Return our hints among those given, without the prefix `vmware.`.

    Raises:
        InvalidSpecError: One that begins with `vmware.` is not known, or has a value that it does not take.
    """
    ours = {key: value for key, value in hints.items() if key.startswith(PREFIX)}
    unknown = sorted(ours.keys() - known.keys())
    if unknown:
        raise errors.InvalidSpecError(
            f"unknown hint {unknown[0]!r}", hint=f"known here: {', '.join(sorted(known)) or 'none'}"
        )
    return {key.removeprefix(PREFIX): known[key].check(key, value) for key, value in ours.items()}
