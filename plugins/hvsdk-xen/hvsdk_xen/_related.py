"""Reading several objects of several classes in one call.

XAPI has no call for that, but `event.from` without a token tells what all objects are that it is asked about: by class, or
each by `class/reference`. It waits for nothing when it is given no time, and says nothing of what does not exist.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from hvsdk.driver import Deadline, errors

from hvsdk_xen._fields import Record, reference, references
from hvsdk_xen._session import XenSession

__all__ = ["Memory", "RelatedReads", "events_of"]

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

    def complete(
        self, vm: Record, include: frozenset[str], found: dict[str, dict[str, Record]], deadline: Deadline
    ) -> list[str]:
        """Read into `found` what one VM refers to and is not there, and return all of it, as it is asked for.

        That takes three calls at most, whatever the VM has: its drives and adapters, their volumes and networks, what these
        lie in.
        """
        asked: set[str] = set()
        while True:
            wanted = list(dict.fromkeys(_wanted(vm, include, found)))
            missing = [one for one in wanted if one not in asked and not _is_there(one, found)]
            if not missing:
                return wanted
            asked.update(missing)
            for cls, objects in self.read_together(missing, deadline).items():
                found.setdefault(cls, {}).update(objects)


_OF_VM = (("vbd", "VBDs"), ("vgpu", "VGPUs"), ("pci", "attached_PCIs"), ("vusb", "VUSBs"))
_LEADS = {
    "vbd": (("vdi", "VDI"),),
    "vif": (("network", "network"),),
    "vdi": (("sr", "SR"),),
    "vgpu": (("vgpu_type", "type"), ("gpu_group", "GPU_group")),
    "vusb": (("usb_group", "USB_group"),),
}
"""What is read of the objects that have been found, by class: the class and the field that refers to it."""


def _wanted(vm: Record, include: frozenset[str], found: dict[str, dict[str, Record]]) -> Iterator[str]:
    """Yield what a VM refers to, and what that refers to as far as it has been found."""
    first = [("vif", ref) for ref in references(vm, "VIFs")] + _one("vm_guest_metrics", vm, "guest_metrics")
    if "config" in include:
        first += [(cls, ref) for cls, field in _OF_VM for ref in references(vm, field)]
        first += _one("vm_metrics", vm, "metrics")
    waiting = deque(first)
    while waiting:
        cls, ref = waiting.popleft()
        yield f"{cls}/{ref}"
        record = found.get(cls, {}).get(ref)
        if record is None or "config" not in include:
            continue
        for other, field in _LEADS.get(cls, ()):
            waiting.extend(_one(other, record, field))
        if cls == "network":
            waiting.extend(("pif", pif) for pif in references(record, "PIFs")[:1])


def _one(cls: str, record: Record, field: str) -> list[tuple[str, str]]:
    ref = reference(record, field)
    return [] if ref is None else [(cls, ref)]


def _is_there(asked: str, found: dict[str, dict[str, Record]]) -> bool:
    cls, _, ref = asked.partition("/")
    return ref in found.get(cls, {})


class Memory:
    """What one VM was last seen to refer to, so that it can be asked for together with the VM."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._known: dict[Hashable, list[str]] = {}
        self._lock = threading.Lock()

    def recall(self, key: Hashable) -> list[str] | None:
        """Return what is remembered, `None` for nothing."""
        return self._known.get(key)

    def remember(self, key: Hashable, asked: list[str]) -> None:
        """Remember it, and forget what was remembered first when that is too much."""
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = asked
            if len(self._known) > self._limit:
                del self._known[next(iter(self._known))]


def events_of(answer: Any) -> list[dict[str, Any]]:
    """Return the events of an answer of `event.from`.

    Raises:
        OperationFailedError: It is none.
    """
    events = answer.get("events") if isinstance(answer, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise errors.OperationFailedError("the server's answer to event.from has no list of events")
    return events
