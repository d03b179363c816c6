"""Clones: full copies that owe the original nothing, or new disks on the same blocks."""

from __future__ import annotations

from typing import Any

from hvsdk.driver import Deadline, DomainInfo, Steps, Task

from hvsdk_xen._fence import FenceVerbs, is_fenced
from hvsdk_xen._labels import METADATA_PREFIX
from hvsdk_xen._making import MARK, Making
from hvsdk_xen._values import NULL
from hvsdk_xen._verbs import VerbSession

__all__ = ["CloneVerbs"]

_OF_ONE_DOMAIN = METADATA_PREFIX + "hvsdk."
"""Marks such as a fence or where a domain came from, which a copy must not bear."""


class CloneVerbs(FenceVerbs, VerbSession):
    """`clone`."""

    def clone(self, native_id: str, name: str, *, linked: bool, deadline: Deadline) -> Task[DomainInfo]:
        """Copy a domain that is off. A copy that fails, or is given up before its end was told, is removed again.

        A full copy's disks lie each in the SR of its original. XAPI gives the copy another UUID and its adapters other
        MACs, also in place of such as were chosen by hand.
        """
        ref = self.vm_ref(native_id, deadline)
        making = Making(self)
        return making.begin(lambda: self._clone(making, ref, name, linked=linked))

    def _clone(self, making: Making, ref: str, name: str, *, linked: bool) -> Steps[DomainInfo]:
        message, *more = ("VM.clone",) if linked else ("VM.copy", NULL)
        working_name = making.working_name
        made = yield from making.run("VM", message, ref, working_name, *more, name=working_name)
        record = self.call("VM.get_record", made, deadline=self.soon())
        self._clear_marks(made, record)
        making.check()
        self.call("VM.set_name_label", made, name, deadline=self.soon())
        return self.get_domain(record["uuid"], frozenset({"config"}), deadline=self.soon())

    def _clear_marks(self, made: str, record: dict[str, Any]) -> None:
        for key in record.get("other_config", {}):
            if key.startswith(_OF_ONE_DOMAIN) or key == MARK:
                self.call("VM.remove_from_other_config", made, key, deadline=self.soon())
        if is_fenced(record):
            self.unblock(made, record, self.soon())
