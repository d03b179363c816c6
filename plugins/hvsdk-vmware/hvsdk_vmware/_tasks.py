"""Tasks of vSphere's: read once, then waited for with a filter that tells each change."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from hvsdk.driver import Deadline, Task, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._asked import pending
from hvsdk_vmware._bulk import object_spec, paths_of
from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._stub import notable

if TYPE_CHECKING:
    from hvsdk_vmware._session import VmwareSession

__all__ = ["VmwareTask"]

T = TypeVar("T")
Collector = vmodl.query.PropertyCollector
_PATHS = ("info.state", "info.progress", "info.error", "info.result")
_QUESTION = "runtime.question"
_OVER = (vmodl.fault.ManagedObjectNotFound, vmodl.query.InvalidCollectorVersion, vmodl.query.InvalidProperty)
"""What the server says of filters and collectors that went with their session."""


class VmwareTask(Task[T]):
    """A task of vSphere's, as `start_task` begins it."""

    def __init__(
        self,
        session: VmwareSession,
        task: vim.Task,
        result: Callable[[Any], T] | None = None,
        asking: str | None = None,
    ) -> None:
        self.task = task
        self._session = session
        self._result = result
        self._asking = asking
        self._known: dict[str, Any] = {}
        self._seen = False
        self._collector: Any = None
        self._filter: Any = None
        self._version = ""
        self._end: tuple[T | None] | BaseException | None = None

    def poll(self) -> tuple[bool, float | None, T | None]:
        if self._end is None:
            if not self._seen:
                self._read()
            self._seen = False
            state = str(self._known.get("info.state"))
            if state not in ("success", "error"):
                self._raise_question()
                share = self._known.get("info.progress")
                return False, share / 100 if isinstance(share, int) else None, None
            self._finish(state)
        if isinstance(self._end, BaseException):
            raise self._end
        assert self._end is not None
        return True, 1.0, self._end[0]

    def wait(self, seconds: float) -> None:
        if self._end is not None:
            return
        limit = Deadline(seconds + self._session.target.timeout)
        try:
            if self._filter is None:
                self._begin_waiting(limit)
                self._take(0, limit)
                if self._known.get("info.state") in ("success", "error") or self._known.get(_QUESTION):
                    return
            self._take(max(1, math.ceil(seconds)), limit)
        except _OVER:  # the session was renewed, or the domain is gone: the next poll reads how it is
            self._collector = self._filter = None
            self._version, self._seen = "", False

    @property
    def over(self) -> bool:
        """Whether the server has said how it ended: what failed otherwise may still be carried out."""
        return self._end is not None

    def cancel(self) -> None:
        if self._end is not None:
            return
        try:
            self._session.call(self.task.CancelTask, deadline=self._session.soon())
        except (vmodl.fault.NotSupported, vim.fault.InvalidState, vmodl.fault.ManagedObjectNotFound):
            return  # it cannot be cancelled, or is over

    # ---- inside ------------------------------------------------------------------------------------------

    def _wish(self) -> Any:
        objects = [object_spec(self.task)]
        paths: dict[type, tuple[str, ...]] = {vim.Task: _PATHS}
        if self._asking is not None:
            objects.append(object_spec(self._session.vm(self._asking)))
            paths[vim.VirtualMachine] = (_QUESTION,)
        return Collector.FilterSpec(propSet=paths_of(paths), objectSet=objects, reportMissingObjectsInResults=True)

    def _read(self) -> None:
        """Read how it is now."""
        read = self._session.content.propertyCollector.RetrievePropertiesEx
        page = self._session.call(read, [self._wish()], Collector.RetrieveOptions(), deadline=self._session.soon())
        found = page.objects if page is not None else []
        self._known = {entry.name: entry.val for one in found for entry in one.propSet}
        if "info.state" not in self._known:
            raise errors.ConnectionLostError(
                "vSphere has forgotten the task: it keeps one for ten minutes, and none across a restart"
            )

    def _begin_waiting(self, limit: Deadline) -> None:
        collectors = self._session.collectors
        self._collector = collectors.take(self, limit)
        self._filter = self._session.call(self._collector.CreateFilter, self._wish(), False, deadline=limit)

    def _take(self, seconds: int, limit: Deadline) -> None:
        """Note what has changed since the last time, at most so many seconds later."""
        wait, more = self._collector.WaitForUpdatesEx, True
        while more:
            options = Collector.WaitOptions(maxWaitSeconds=seconds)
            updates = self._session.call(wait, self._version, options, deadline=limit)
            if updates is None:
                return
            self._version = updates.version
            for one in (change for part in updates.filterSet for change in part.objectSet):
                if one.kind == "leave" and isinstance(one.obj, vim.Task):
                    return
                self._known.update((entry.name, entry.val) for entry in one.changeSet)
                self._seen = "info.state" in self._known
            more = bool(updates.truncated)

    def _raise_question(self) -> None:
        question = self._known.get(_QUESTION)
        if question is not None:
            raise pending(question, "; what was begun goes on then")

    def _finish(self, state: str) -> None:
        """Let the filter go, and keep what came of the task."""
        self._stop_waiting()
        if state == "success":
            value = self._known.get("info.result")
            self._end = (self._result(value) if self._result is not None else None,)
            return
        error = self._known.get("info.error")
        self._end = (
            notable(error)
            if isinstance(error, Exception)
            else errors.OperationFailedError("it failed without a reason")
        )

    def _stop_waiting(self) -> None:
        filter_, self._filter = self._filter, None
        collector, self._collector = self._collector, None
        if filter_ is None:
            return
        try:
            self._session.call(filter_.DestroyPropertyFilter, deadline=self._session.soon())
        except FAILURES:
            return  # it went with its session, and so did the collector; else the session ends them
        self._session.collectors.give_back(collector)
