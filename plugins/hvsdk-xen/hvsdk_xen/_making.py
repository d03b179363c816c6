"""Making things that are made whole or not at all.

All that is made bears a mark, so that it is found again when the answer to the call that made it was lost.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

import XenAPI
from hvsdk.connections import UnreachableError
from hvsdk.driver import Deadline, Steps, Task, Undoable, current_operation, errors, finish

from hvsdk_xen._login import code_of
from hvsdk_xen._rpc import AnswerError
from hvsdk_xen._values import is_ref
from hvsdk_xen._verbs import FAILURES, VerbSession

__all__ = ["MARK", "Making"]

MARK = "hvsdk-making"
"""Key of `other_config` that holds the id of the operation that made the object."""
UNDO_SECONDS = 60.0
LATE_SECONDS = 5.0
"""How long is looked for what a slow server may still make."""
_LOOK_AGAIN_SECONDS = 0.25
LOST = (ConnectionError, HTTPException, AnswerError)
"""What a call raises whose answer was lost, though the server may well answer the next one."""
_GONE = frozenset(("HANDLE_INVALID", "UUID_INVALID"))


class Making(Undoable):
    """What one verb has made so far.

    Args:
        session: The connection.
    """

    def __init__(self, session: VerbSession) -> None:
        super().__init__()
        operation = current_operation.get()
        self.mark: str = (operation.id if operation is not None else "") or secrets.token_hex(8)
        self._session = session
        self._made: list[tuple[str, str]] = []
        self._asked: tuple[str, Mapping[str, Any]] | None = None
        self._foreign: set[str] = set()
        self._copies_disks = False
        """Whether a domain came with volumes that were not made one by one."""
        self._back: list[tuple[str, tuple[Any, ...]]] = []

    # ---- making ------------------------------------------------------------------------------------------

    def create(self, cls: str, record: Mapping[str, Any]) -> str:
        """Create an object with our mark in its `other_config`, and return its reference."""
        self.check()
        marked = {**record, "other_config": {**record.get("other_config", {}), MARK: self.mark}}
        self._asked = cls, marked
        try:
            ref = str(self._session.call(f"{cls}.create", marked, deadline=self._session.soon()))
        except UnreachableError:
            self._asked = None  # it was never sent
            raise
        except LOST:
            found = self._marked(cls, marked)
            self._asked = None
            if not found:
                raise
            ref = found[0]
        self.note(cls, ref)
        return ref

    def run(self, cls: str, method: str, *arguments: Any, name: str = "") -> Steps[str]:
        """See a task through that makes an object, and return its reference.

        Args:
            name: What the object is called, and nothing else is: by that it is found when the task is lost.
        """
        self.check()
        self._asked = cls, {"name_label": name}
        self._copies_disks = self._copies_disks or cls == "VM"
        ref = str((yield self._session.start_task(method, *arguments, deadline=self._session.soon())))
        self.note(cls, ref)
        return ref

    @property
    def working_name(self) -> str:
        """What a copy is called until it is found to be there: nothing else has that name."""
        return f"hvsdk-{self.mark}"

    def note(self, cls: str, ref: str) -> None:
        """Note what was made."""
        self._asked = None
        self._made.append((cls, ref))

    def spare(self, vdi: str) -> None:
        """Note a volume that was there before, and stays when the rest is taken back."""
        self._foreign.add(vdi)

    def change(self, method: str, *arguments: Any, back: tuple[Any, ...]) -> None:
        """Make a call that changes what was there before; `back` are its arguments when all is taken back."""
        self.check()
        self._session.call(method, *arguments, deadline=self._session.soon())
        self._back.append((method, back))

    # ---- taking back -------------------------------------------------------------------------------------

    def take_back(self, exc: BaseException) -> None:
        """Remove what was made, the last first.

        Raises:
            OperationFailedError: In place of a connection that was lost, when nothing is left of what was made.
        """
        lost = isinstance(exc, (*LOST, TimeoutError, errors.ConnectError)) and not isinstance(exc, UnreachableError)
        late = isinstance(exc, (TimeoutError, errors.ConnectError))
        left = self._find_lost(LATE_SECONDS if late else 0.0) if lost else []
        for cls, ref in reversed(self._made):
            try:
                self._remove(cls, ref)
            except FAILURES as failure:
                left.append(f"{cls} {ref} ({failure})")
        for method, arguments in reversed(self._back):
            try:
                self._session.call(method, *arguments, deadline=self._session.soon())
            except FAILURES as failure:
                left.append(f"{method} ({failure})")
        if left:
            exc.add_note(f"hvsdk: what was made could not be removed again: {'; '.join(left)}")
        elif lost and isinstance(exc, LOST):  # after a timeout the server may still carry it out
            raise errors.OperationFailedError(
                f"the connection was lost half-way ({exc or type(exc).__name__}); what had been made is removed again"
            ) from exc

    def _find_lost(self, seconds: float) -> list[str]:
        """Find what the last call made, whose answer did not come; return what could not be looked for.

        Args:
            seconds: How long to look for it: a server that is slow, or has forgotten a task, may still go on with it.
        """
        if self._asked is None:
            return []
        cls, record = self._asked
        limit = Deadline(seconds)
        try:
            while not (found := self._marked(cls, record)) and not limit.expired:
                time.sleep(_LOOK_AGAIN_SECONDS)
        except FAILURES as failure:
            return [f"{cls} {record.get('name_label', '')!r}, which may be there ({failure})"]
        self._made += [(cls, ref) for ref in found]
        return []

    def _marked(self, cls: str, record: Mapping[str, Any]) -> list[str]:
        """Return those that bear our mark, or the name that is a mark itself, and are not known yet."""
        session, limit = self._session, self._session.soon()
        if cls in ("VBD", "VIF"):
            refs = session.call(f"VM.get_{cls}s", record["VM"], deadline=limit)
        elif record["name_label"]:
            refs = session.call(f"{cls}.get_by_name_label", record["name_label"], deadline=limit)
        else:
            refs = []
        known = {ref for _, ref in self._made}
        sure = record.get("name_label") == self.working_name
        return [ref for ref in refs if ref not in known and (sure or self._bears_mark(cls, ref))]

    def _bears_mark(self, cls: str, ref: str) -> bool:
        config = self._session.call(f"{cls}.get_other_config", ref, deadline=self._session.soon())
        return bool(config.get(MARK) == self.mark)

    def _remove(self, cls: str, ref: str) -> None:
        try:
            if cls == "VM":
                self._remove_vm(ref)
            elif cls == "VDI":
                finish(self._session.start_task("VDI.destroy", ref, deadline=self._session.soon()), UNDO_SECONDS)
            else:
                self._remove_device(cls, ref)
        except XenAPI.Failure as exc:
            if code_of(exc) not in _GONE:
                raise

    def _remove_vm(self, ref: str) -> None:
        """Remove a new domain, with the volumes that came to it from its template; what others have too stays."""
        session = self._session
        vbds = session.call("VM.get_VBDs", ref, deadline=session.soon()) if self._copies_disks else ()
        for vbd in vbds:
            drive = session.call("VBD.get_record", vbd, deadline=session.soon())
            vdi = drive.get("VDI")
            if drive.get("type") != "Disk" or not is_ref(vdi) or vdi in self._foreign:
                continue
            if set(session.call("VDI.get_VBDs", vdi, deadline=session.soon())) <= set(vbds):
                self._remove("VDI", vdi)
        session.call("VM.destroy", ref, deadline=session.soon())

    def _remove_device(self, cls: str, ref: str) -> None:
        session = self._session
        if session.call(f"{cls}.get_currently_attached", ref, deadline=session.soon()):
            task: Task[None] = session.start_task(f"{cls}.unplug", ref, deadline=session.soon())
            finish(task, UNDO_SECONDS)
        session.call(f"{cls}.destroy", ref, deadline=session.soon())
