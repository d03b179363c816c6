"""What one pool sends another of a VM, beside the content of its disks."""

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Parcel:
    """A VM with its snapshots, as JSON has it.

    Attributes:
        host: Reference of the host that takes it in.
        source: Reference of the VM where it comes from, by which refusals name it.
        records: The text of all records, in which they name each other.
        vm: The VM's name in that text.
        repositories: References of the SRs that its disks go to.
        disks: References of the disks made for it, by their names in the text; none in a rehearsal.
        networks: References of the networks for its interfaces, by the interfaces' names.
        groups: References of the GPU groups for its virtual GPUs, by their names.
        guests: How the guests behave, by the VMs' names.
        uuids: For a copy, the new UUIDs by the VMs' names.
        rehearsal: Nothing is to be made.
    """

    host: str
    source: str
    records: str
    vm: str
    repositories: list[str]
    disks: dict[str, str]
    networks: dict[str, str]
    groups: dict[str, str]
    guests: dict[str, dict[str, Any]]
    uuids: dict[str, str]
    rehearsal: bool

    @property
    def copies(self) -> bool:
        """Whether the VM stays where it is, and this is another one."""
        return bool(self.uuids)
