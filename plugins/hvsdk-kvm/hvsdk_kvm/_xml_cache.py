"""Domains' XML as it was last read, kept true by events."""

from __future__ import annotations

import threading
import time
from typing import Any

import libvirt

from hvsdk_kvm._errors import is_lost
from hvsdk_kvm._events import EventHub

__all__ = ["XmlCache"]

_MAX_AGE = 300.0
"""Seconds after which XML is read again: some changes (a cable, vCPUs) are told by no event."""
_SETTLE = 10.0
"""Seconds after a change of our own in which nothing is remembered: it may still be going on."""


class XmlCache:
    """Texts by UUID. Without events it remembers nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, tuple[str, float]] = {}
        self._changed: dict[str, float] = {}
        self._follows = False
        self._live = False
        """Whether events arrive: set after they were asked for, so that none is missed for what is remembered."""

    def follow(self, events: EventHub | None) -> None:
        """Begin to remember, and to forget what events say has changed. Doing so twice is harmless."""
        with self._lock:
            if self._follows or events is None:
                return
            self._follows = True
        try:
            events.listen(self._told, closed=self._lost)
        except libvirt.libvirtError as exc:
            if is_lost(exc):
                raise
            return  # a hypervisor without events, or a user who may not have them
        with self._lock:
            self._live = self._follows

    def get(self, uuid: str) -> str | None:
        """Return the XML, if it is known and true."""
        found = self._texts.get(uuid)
        return found[0] if found is not None and time.monotonic() - found[1] < _MAX_AGE else None

    def put(self, uuid: str, text: str, *, asked_at: float) -> None:
        """Remember XML that was asked for at that moment, unless the domain has changed since."""
        with self._lock:
            if self._live and self._changed.get(uuid, 0.0) < asked_at:
                self._texts[uuid] = (text, asked_at)

    def keep_only(self, uuids: set[str]) -> None:
        """Forget all other domains."""
        with self._lock:
            for known in (self._texts, self._changed):
                for uuid in known.keys() - uuids:
                    del known[uuid]

    def touch(self, uuid: str) -> None:
        """Say that a domain is about to be changed from here."""
        self._forget(uuid, time.monotonic() + _SETTLE)

    def _told(self, uuid: str, kind: int, details: tuple[Any, ...]) -> None:
        self._forget(uuid, time.monotonic())

    def _forget(self, uuid: str, at: float) -> None:
        with self._lock:
            self._texts.pop(uuid, None)
            self._changed[uuid] = max(at, self._changed.get(uuid, 0.0))

    def _lost(self) -> None:
        with self._lock:
            self._follows = self._live = False
            self._texts.clear()
