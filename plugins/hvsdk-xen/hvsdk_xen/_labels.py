"""Name, notes, tags, metadata and autostart.

XAPI has fields for the first three. Metadata lie in `other_config`, where the product and other clients keep things of
their own: each key of ours begins with `METADATA_PREFIX`, and is written by itself. Writing the whole map after reading it
would lose what somebody else wrote in between.
"""

from __future__ import annotations

from collections.abc import Mapping

import XenAPI
from hvsdk.driver import Deadline

from hvsdk_xen._login import code_of
from hvsdk_xen._session import XenSession

__all__ = ["AUTO_POWERON", "METADATA_PREFIX", "LabelVerbs"]

METADATA_PREFIX = "hvsdk:"
"""What `Domain.metadata` calls `team.owner` is the key `hvsdk:team.owner` of the VM's `other_config`."""
AUTO_POWERON = "auto_poweron"

_TRIES = 5


class LabelVerbs(XenSession):
    """`rename` to `set_autostart`."""

    def rename(self, native_id: str, name: str, *, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.set_name_label", name, deadline=deadline)

    def set_notes(self, native_id: str, notes: str, *, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.set_name_description", notes, deadline=deadline)

    def set_tags(self, native_id: str, tags: frozenset[str], *, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.set_tags", sorted(tags), deadline=deadline)

    def set_metadata(self, native_id: str, changes: Mapping[str, str | None], *, deadline: Deadline) -> None:
        entries = {METADATA_PREFIX + key: value for key, value in changes.items()}
        self.write_other_config(native_id, entries, deadline=deadline)

    def set_autostart(self, native_id: str, enabled: bool, *, deadline: Deadline) -> None:
        """Say whether it starts with the pool.

        The pool has a switch of its own, without which no VM's is obeyed: it is switched on with the first VM's, and left
        alone afterwards.
        """
        if enabled:
            self.let_pool_start_domains(deadline)
        self.write_other_config(native_id, {AUTO_POWERON: "true" if enabled else None}, deadline=deadline)

    def let_pool_start_domains(self, deadline: Deadline) -> None:
        """Switch on the pool's own switch, without which no domain starts with it."""
        for ref, pool in self.call("pool.get_all_records", deadline=deadline).items():
            present = pool.get("other_config", {}).get(AUTO_POWERON)
            if present == "true":
                continue
            if present is not None:
                self.call("pool.remove_from_other_config", ref, AUTO_POWERON, deadline=deadline)
            self.call("pool.add_to_other_config", ref, AUTO_POWERON, "true", deadline=deadline)

    def write_other_config(self, native_id: str, changes: Mapping[str, str | None], *, deadline: Deadline) -> None:
        """Write these keys of the VM's `other_config`, remove those whose value is `None`, and touch no other.

        A new key takes one call, one that is replaced three: XAPI adds only what is not there. Of two clients that write
        one key at the same time the last one's value stays.
        """
        for key, value in changes.items():
            if value is None:
                self.on_vm(native_id, "VM.remove_from_other_config", key, deadline=deadline)
            else:
                self._write_entry(native_id, key, value, deadline)

    def _write_entry(self, native_id: str, key: str, value: str, deadline: Deadline) -> None:
        for left in reversed(range(_TRIES)):
            try:
                self.on_vm(native_id, "VM.add_to_other_config", key, value, deadline=deadline)
            except XenAPI.Failure as exc:
                if code_of(exc) != "MAP_DUPLICATE_KEY" or not left:
                    raise
            else:
                return
            self.on_vm(native_id, "VM.remove_from_other_config", key, deadline=deadline)
