"""Reading several objects of several classes in one call.

XAPI has no call for that, but `event.from` without a token tells what all objects are that it is asked about: by class, or
each by `class/reference`. It waits for nothing when it is given no time, and says nothing of what does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hvsdk.driver import Deadline, errors

from hvsdk_xen._fields import Record, Related, reference, references
from hvsdk_xen._session import XenSession

__all__ = ["RelatedReads", "events_of"]

_AT_ONCE = 1000
"""References in one call: XAPI takes no request of more than 300 KiB."""


class RelatedReads(XenSession):
    """Reads objects together."""

    def read_together(self, asked: Iterable[str], deadline: Deadline) -> dict[str, dict[str, Record]]:
        """Return what is asked for (`network`, `vbd/OpaqueRef:…`) by class and reference, in one call."""
        wanted = list(dict.fromkeys(asked))
        found: dict[str, dict[str, Record]] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            answer = self.call("event.from", wanted[start : start + _AT_ONCE], "", 0.0, deadline=deadline)
            for event in events_of(answer):
                snapshot = event.get("snapshot")
                if isinstance(snapshot, dict):
                    found.setdefault(str(event.get("class")).lower(), {})[str(event.get("ref"))] = snapshot
        return found

    def read_related(self, vm: Record, include: frozenset[str], deadline: Deadline) -> Related:
        """Return what one VM refers to: three calls at most, whatever it has.

        The first reads drives and adapters, the second their volumes and networks, the third what these lie in.
        """
        asked = [f"vif/{ref}" for ref in references(vm, "VIFs")] + _one("vm_guest_metrics", vm, "guest_metrics")
        if "config" in include:
            asked += [f"vbd/{ref}" for ref in references(vm, "VBDs")] + _one("vm_metrics", vm, "metrics")
            asked += [f"vgpu/{ref}" for ref in references(vm, "VGPUs")]
            asked += [f"pci/{ref}" for ref in references(vm, "attached_PCIs")]
            asked += [f"vusb/{ref}" for ref in references(vm, "VUSBs")]
        found: dict[str, dict[str, Record]] = {}
        for _ in range(3):
            if not asked:
                break
            new = self.read_together(asked, deadline)
            for cls, objects in new.items():
                found.setdefault(cls, {}).update(objects)
            asked = list(_next(new)) if "config" in include else []
        return Related(found)


_LEADS = {
    "vbd": (("vdi", "VDI"),),
    "vif": (("network", "network"),),
    "vdi": (("sr", "SR"),),
    "vgpu": (("vgpu_type", "type"), ("gpu_group", "GPU_group")),
    "vusb": (("usb_group", "USB_group"),),
}
"""What is read of the objects that have been found, by class: the class and the field that refers to it."""


def _next(new: dict[str, dict[str, Record]]) -> Iterable[str]:
    for cls, objects in new.items():
        for record in objects.values():
            for other, field in _LEADS.get(cls, ()):
                yield from _one(other, record, field)
            if cls == "network":
                yield from (f"pif/{ref}" for ref in references(record, "PIFs")[:1])


def _one(cls: str, record: Record, field: str) -> list[str]:
    ref = reference(record, field)
    return [] if ref is None else [f"{cls}/{ref}"]


def events_of(answer: Any) -> list[dict[str, Any]]:
    """Return the events of an answer of `event.from`.

    Raises:
        OperationFailedError: It is none.
    """
    events = answer.get("events") if isinstance(answer, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise errors.OperationFailedError("the server's answer to event.from has no list of events")
    return events
