"""Property collectors of our own to wait with: one is used by one waiting thread at a time, and kept for the next."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hvsdk.driver import Deadline
from pyVmomi import vmodl

if TYPE_CHECKING:
    from hvsdk_vmware._calls import SessionCalls

__all__ = ["Collectors"]

_KEPT = 8


class Collectors:
    """Those of one session; the server forgets them with it."""

    def __init__(self, session: SessionCalls) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._idle: list[tuple[int, vmodl.query.PropertyCollector]] = []

    def take(self, deadline: Deadline) -> vmodl.query.PropertyCollector:
        """Return one that nobody uses, and make one where there is none."""
        stub = self._session.stub
        with self._lock:
            self._idle = [(session, one) for session, one in self._idle if session == stub.generation]
            if self._idle:
                return self._idle.pop()[1]
        return self._session.call(self._session.content.propertyCollector.CreatePropertyCollector, deadline=deadline)

    def give_back(self, collector: vmodl.query.PropertyCollector) -> None:
        """Keep one that has no filter any more."""
        generation = self._session.stub.generation
        with self._lock:
            if len(self._idle) < _KEPT:
                self._idle.append((generation, collector))
