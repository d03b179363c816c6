"""Clones: full copies that owe the original nothing, or new disks on the same blocks.

A copy is a machine made anew with the settings of the original, so its id and the MACs of its adapters are new. What a copy
would lack, such as a virtual TPM whose keys stay behind, is refused. Checkpoints are not carried over.

Disks of a full clone are copied with all that they lie on; while the domain runs, from a checkpoint that is made for it and
removed again. Disks of a linked clone lie on those of the original, which goes on with new disks on the same: the files
below are set read-only, since whoever writes them breaks both.
"""

from __future__ import annotations

import attrs
from hvsdk.driver import FENCE_KEY, Deadline, DomainInfo, Task

from hvsdk_hyperv._labels import refuse_name
from hvsdk_hyperv._listing import ListingReads
from hvsdk_hyperv._notes import read_notes

__all__ = ["CloneVerbs"]

_OF_ONE_DOMAIN = FENCE_KEY.partition(".")[0] + "."
"""What metadata of hvsdk itself begins with: it is about one domain, and no copy bears it."""


class CloneVerbs(ListingReads):
    """`clone`."""

    def clone(self, native_id: str, name: str, *, linked: bool, deadline: Deadline) -> Task[DomainInfo]:
        """Copy a domain. What fails, or is cancelled, leaves no file and no machine, and the original as it was."""
        refuse_name(name)
        record = self.call("domains.get", {"id": native_id, "include": ["config"]}, deadline=deadline)
        arguments = {"id": native_id, "name": name, "linked": linked, "notes": _for_a_copy(record["config"]["notes"])}
        return self.begin("clone.make", arguments, deadline=deadline, result=self.domain_info)


def _for_a_copy(stored: str) -> str:
    """Return the notes that a copy gets: what is said of this one domain, such as a fence, is left out.

    Adapters are named there by the original's ids; the script puts those of the copy in their place.
    """
    notes = read_notes(stored)
    kept = {key: value for key, value in notes.metadata.items() if not key.startswith(_OF_ONE_DOMAIN)}
    return stored if len(kept) == len(notes.metadata) else attrs.evolve(notes, metadata=kept).write()
