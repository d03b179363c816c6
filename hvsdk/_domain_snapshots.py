"""Snapshots of a domain, as its verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hvsdk._handle import Handle
from hvsdk.errors import AmbiguousNameError, InvalidSpecError, SnapshotNotFoundError
from hvsdk.models._checks import check_name, check_text

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._snapshot import Snapshot
    from hvsdk._waiting import Cancel, Progress

__all__ = ["SnapshotVerbs"]


class SnapshotVerbs(Handle):
    """Making and finding snapshots."""

    __slots__ = ()

    def create_snapshot(
        self,
        name: str,
        *,
        memory: bool = False,
        quiesce: bool = False,
        description: str = "",
        timeout: float | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Snapshot:
        """Make a snapshot of exactly the kind that is asked for, or raise: it is never silently weakened.

        Args:
            memory: Keep the running state too; the domain must run and goes on running.
            quiesce: Have the guest bring its file systems to rest; needs its agent. `False` means "not required".

        Raises:
            UnsupportedError: This kind cannot be made here, or could not be reverted.
            GuestAgentError: `quiesce` was asked for and the agent does not answer.
            InvalidSpecError: Both `memory` and `quiesce` were asked for.
            PowerStateError: The state does not allow it: `memory` needs a running domain.

        Example:
            >>> import hvsdk
            >>> with hvsdk.connect("fake://demo") as host:
            ...     web = host.domains(state="running")[0]
            ...     snapshot = web.create_snapshot("before-upgrade", memory=True)
            ...     snapshot.revert()
            ...     print(snapshot.has_memory, web.power_state)
            True running
        """
        from hvsdk._snapshot import create

        check_name(name)
        check_text("a description", description)
        if memory and quiesce:
            raise InvalidSpecError("memory and quiesce exclude each other: saved memory needs no resting file systems")
        return create(
            cast("Domain", self),
            name,
            memory=memory,
            quiesce=quiesce,
            description=description,
            timeout=timeout,
            progress=progress,
            cancel=cancel,
        )

    def snapshots(self) -> list[Snapshot]:
        """Return its snapshots, parents before children."""
        from hvsdk._record_list import RecordList
        from hvsdk._snapshot import Snapshot

        domain = cast("Domain", self)
        native_id = self._info.native_id
        found = self._host._ask(
            "list_snapshots", lambda d, limit: list(d.list_snapshots(native_id, deadline=limit)), info=self._info
        )
        return RecordList([Snapshot(domain, info) for info in found])

    def snapshot(self, key: str) -> Snapshot:
        """Return one snapshot by id or name.

        Raises:
            SnapshotNotFoundError: There is none.
            AmbiguousNameError: Several have that name.
        """
        snapshots = self.snapshots()
        found = [s for s in snapshots if s.id == key] or [s for s in snapshots if s.name == key]
        where = {"backend": self._host.backend, "host": self._host.url}
        if not found:
            names = ", ".join(repr(s.name) for s in snapshots[:10]) or "none"
            raise SnapshotNotFoundError(
                f"{self._host._words(self._info)} has no snapshot {key!r}", hint=f"it has: {names}", **where
            )
        if len(found) > 1:
            ids = ", ".join(
                f"{s.id} of {s.info.created_at:%Y-%m-%d %H:%M}" if s.info.created_at else s.id for s in found
            )
            raise AmbiguousNameError(
                f"{self._host._words(self._info)} has {len(found)} snapshots {key!r}",
                candidates=[(s.id, None, None) for s in found],
                hint=f"ask by id: {ids}",
                **where,
            )
        return found[0]
