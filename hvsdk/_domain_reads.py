"""What can be asked of a domain without changing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hvsdk._device_lookup import disk_id_of, id_of, say_that_it_is_a_drive
from hvsdk._handle import Handle
from hvsdk._names import READS, capability_named
from hvsdk._operation import CONFIG, check_allowed, operate
from hvsdk.capability import Capability
from hvsdk.errors import (
    DiskNotFoundError,
    DomainNotFoundError,
    HvsdkError,
    InvalidSpecError,
    SnapshotNotFoundError,
)

if TYPE_CHECKING:
    from hvsdk._disk_io import DiskReader
    from hvsdk._domain import Domain
    from hvsdk._snapshot import Snapshot
    from hvsdk.models import Console, Disk, DomainInfo, DomainStats

__all__ = ["Reads"]


class Reads(Handle):
    """Console, screenshot, figures, the disks' content, and what is possible."""

    __slots__ = ()

    def console(self) -> Console:
        """Say where and how its console can be reached. The answer may hold a password or token: its repr does not."""
        native_id = self._info.native_id
        with operate(self._host, "console", needs=(Capability.CONSOLE,), info=self._info, changes=False) as doing:
            return doing.read(lambda driver, limit: driver.console(native_id, deadline=limit))

    def screenshot(self) -> bytes:
        """Return what is on its screen as a PNG.

        Raises:
            PowerStateError: It is not running.
        """
        native_id = self._info.native_id
        return self._host._ask(
            "screenshot", lambda driver, limit: driver.screenshot(native_id, deadline=limit), info=self._info
        )

    def stats(self) -> DomainStats:
        """Return its figures now; `host.stats()` has those of all running domains in one call.

        Raises:
            DomainNotFoundError: It is gone.
        """
        native_id = self._info.native_id
        found = self._host._ask(
            "stats", lambda driver, limit: list(driver.stats([native_id], deadline=limit)), info=self._info
        )
        for stats in found:
            if stats.native_id == native_id:
                return stats
        raise DomainNotFoundError(
            f"{self._host._words(self._info)} has no figures: is it gone?",
            backend=self._host.backend,
            host=self._host.url,
        )

    def open_disk(self, disk: Disk | str, *, snapshot: Snapshot | str | None = None) -> DiskReader:
        """Open a disk for reading, of a domain that is off or suspended, or as a snapshot holds it.

        Args:
            disk: Its record or its id.
            snapshot: A handle, an id or a name, as `snapshot()` takes it. A name costs two round trips more.

        Raises:
            PowerStateError: The domain runs and no snapshot was named.
            SnapshotNotFoundError: It has no such snapshot; the hint has those that are there.
            AmbiguousNameError: Several snapshots have that name.

        Example:
            >>> import hvsdk
            >>> with hvsdk.connect("fake://demo") as host:
            ...     off = host.domains(state="shutoff", full=True)[0]
            ...     with off.open_disk(off.disks[0]) as reader:
            ...         len(reader.read(0, 512)), reader.size == off.disks[0].capacity_bytes
            (512, True)
        """
        from hvsdk._disk_io import DiskReader
        from hvsdk._power import AT_REST, Verdict
        from hvsdk._verbs import refuse_state

        check_allowed(self._host, "open_disk", changes=False)
        snapshot_id = _snapshot_id(self._info, snapshot)
        # A snapshot may hold a disk that the domain has no more.
        disk_id = disk_id_of(self, disk) if snapshot_id is None else id_of(disk)
        needs = [Capability.OPEN_DISK] + ([Capability.DISK_READ_SNAPSHOT] if snapshot_id is not None else [])
        arguments = {"disk": disk_id, "snapshot_id": snapshot_id}
        native_id = self._info.native_id
        with operate(
            self._host, "open_disk", needs=tuple(needs), info=self._info, arguments=arguments, changes=False
        ) as doing:
            if snapshot_id is None:
                info = doing.look(CONFIG)
                if AT_REST.judge(info.power_state) is not Verdict.GO:
                    raise refuse_state(doing, info)
            connection = doing.door.open(doing.deadline)

            def opened(of: str | None) -> DiskReader:
                try:
                    reader = doing.door.on(
                        connection,
                        doing.operation,
                        lambda driver, limit: driver.open_disk(native_id, disk_id, snapshot_id=of, deadline=limit),
                        doing.deadline,
                    )
                except DiskNotFoundError as exc:
                    say_that_it_is_a_drive(self, disk_id, exc)
                    raise
                return DiskReader(self._host, connection, doing.operation, reader)

            try:
                return opened(snapshot_id)
            except SnapshotNotFoundError:
                if not isinstance(snapshot, str) or not self._host.supports(Capability.LIST_SNAPSHOTS):
                    raise
                named = cast("Domain", self).snapshot(snapshot).id  # it was no id: then it is a name
                if named == snapshot_id:
                    raise
            return opened(named)

    def why_not(self, verb: str) -> str | None:
        """Return the reason why a verb is not possible now on this domain, or `None` when nothing is known against it.

        Asks the host for the domain's state. A permission or a lack of space may still show only when it is tried.

        Args:
            verb: A verb (`"start"`, `"create_snapshot"`) or a capability (`"snapshot_memory"`).

        Raises:
            InvalidSpecError: There is no such verb; the hint has the nearest names.
        """
        from hvsdk._power import RULES, VARIANT_RULES, Verdict, advice, state_words
        from hvsdk._while_running import RUNS, WHILE_RUNNING

        capability = capability_named(verb)
        name = capability.value
        try:
            check_allowed(self._host, name, changes=name not in READS)
            self._info = info = self._host._get_config(self._info)
        except HvsdkError as exc:
            return str(exc)
        reason = self._host._why_not(capability, info)
        if reason is not None:
            return reason
        rule = RULES.get(name) or VARIANT_RULES.get(name)
        if rule is not None and rule.judge(info.power_state) in (Verdict.ERROR, Verdict.WAIT):
            return f"it is {state_words(info.power_state)}: {advice(name, info.power_state)}"
        if info.power_state in RUNS and name in WHILE_RUNNING:
            reason = self._host._why_not(WHILE_RUNNING[name], info)
            if reason is not None:
                return f"it is {info.power_state}: {reason}"
        if info.fenced is not None and name in ("start", "resume", "revert_snapshot"):
            return f"it is fenced: {info.fenced.reason}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return what is loaded of the record as JSON values, as `info.to_dict()` does."""
        return self._info.to_dict()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reads):
            return NotImplemented
        return self._host is other._host and self._info.native_id == other._info.native_id

    def __hash__(self) -> int:
        return hash((id(self._host), self._info.native_id))

    def __repr__(self) -> str:
        from hvsdk._display import neutralise

        return f"<Domain {neutralise(repr(self._info.name))} {self._info.power_state}>"


def _snapshot_id(info: DomainInfo, snapshot: Snapshot | str | None) -> str | None:
    """Return the snapshot's id, or the text that may be its name, and refuse what is no snapshot, or one of another domain."""
    from hvsdk._snapshot import Snapshot

    if isinstance(snapshot, Snapshot):
        if snapshot.domain.native_id != info.native_id:
            raise InvalidSpecError(f"{snapshot!r} is a snapshot of another domain")
        return snapshot.id
    if snapshot is not None and not isinstance(snapshot, str):
        raise InvalidSpecError(f"a snapshot is named by its handle, its id or its name, not {snapshot!r}")
    return snapshot
