"""Property collectors of our own to wait with: one is used by one waiting thread at a time, and kept for the next."""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import TYPE_CHECKING

import attrs
from hvsdk.driver import Deadline
from pyVmomi import vmodl

from hvsdk_vmware._calls import FAILURES

if TYPE_CHECKING:
    from hvsdk_vmware._calls import SessionCalls

__all__ = ["Collectors"]

Collector = vmodl.query.PropertyCollector
_KEPT = 8


@attrs.frozen
class _Lent:
    collector: Collector
    session: int
    to: weakref.ref[object]


class Collectors:
    """Those of one session; the server forgets them with it."""

    def __init__(self, session: SessionCalls) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._idle: list[tuple[int, Collector]] = []
        self._lent: list[_Lent] = []

    def take(self, owner: object, deadline: Deadline) -> Collector:
        """Lend one that nobody uses, and make one where there is none.

        Args:
            owner: Who gives it back. One that is forgotten, such as a task that nobody waits for any more, has the server
                destroy its collector when the next one is lent: filters that nobody reads cost the server time.
        """
        generation = self._session.stub.generation
        with self._lock:
            self._idle = [(session, one) for session, one in self._idle if session == generation]
            lent = [(one.to() is not None, one) for one in self._lent if one.session == generation]
            self._lent = [one for is_used, one in lent if is_used]
            found = self._idle.pop()[1] if self._idle else None
        for is_used, one in lent:
            if not is_used:
                with contextlib.suppress(*FAILURES):
                    self._session.call(one.collector.DestroyPropertyCollector, deadline=deadline)
        if found is None:
            make = self._session.content.propertyCollector.CreatePropertyCollector
            found = self._session.call(make, deadline=deadline)
        with self._lock:
            self._lent.append(_Lent(found, generation, weakref.ref(owner)))
        return found

    def give_back(self, collector: Collector) -> None:
        """Keep one that has no filter any more."""
        with self._lock:
            session = next((one.session for one in self._lent if one.collector is collector), None)
            self._lent = [one for one in self._lent if one.collector is not collector]
            if session is not None and len(self._idle) < _KEPT:
                self._idle.append((session, collector))
