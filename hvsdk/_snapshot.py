"""`Snapshot`: a state of a domain that it can go back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hvsdk._device_lookup import id_of
from hvsdk._driver.base import Driver
from hvsdk._operation import CONFIG, Doing, operate
from hvsdk._power import NOT_SUSPENDED, RULES, advice
from hvsdk._power_verbs import check_fence
from hvsdk._verbs import carry_out, fresh, refuse_state
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.errors import HvsdkError, InvalidSpecError, OperationFailedError, PowerStateError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hvsdk._domain import Domain
    from hvsdk._waiting import Cancel, Progress
    from hvsdk.models import Disk, DomainInfo, Extent, SnapshotInfo

__all__ = ["Snapshot", "create"]

REVERT_SECONDS = 300.0


class Snapshot:
    """A snapshot of a domain: a handle with the record it was last seen with."""

    __slots__ = ("_domain", "_info")

    def __init__(self, domain: Domain, info: SnapshotInfo) -> None:
        self._domain = domain
        self._info = info

    @property
    def domain(self) -> Domain:
        """The domain it is of."""
        return self._domain

    @property
    def info(self) -> SnapshotInfo:
        """The record it was last seen with."""
        return self._info

    @property
    def id(self) -> str:
        """The product's own key of it."""
        return self._info.id

    @property
    def name(self) -> str:
        """What it is called."""
        return self._info.name

    @property
    def description(self) -> str:
        """What was written on it."""
        return self._info.description

    @property
    def created_at(self) -> datetime | None:
        """When it was made."""
        return self._info.created_at

    @property
    def parent(self) -> str | None:
        """Id of the snapshot that it was made on."""
        return self._info.parent

    @property
    def is_current(self) -> bool:
        """Whether the domain's present state was made on it, when the snapshot was last read."""
        return self._info.is_current

    @property
    def has_memory(self) -> bool | None:
        """Whether it holds the running state."""
        return self._info.has_memory

    @property
    def quiesced(self) -> bool | None:
        """Whether the guest's file systems were at rest."""
        return self._info.quiesced

    def revert(
        self,
        *,
        timeout: float | None = REVERT_SECONDS,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        """Bring the domain back to it. What the domain was since is lost, a suspended one's saved memory too.

        Afterwards it runs if the snapshot has memory, else it is shut off. Name, notes, tags, metadata and lineage stay as
        they are now, though several products roll them back.

        Raises:
            PermissionDeniedError: The domain is fenced.
            SnapshotNotFoundError: The snapshot is gone.
        """
        domain, snapshot_id = self._domain, self._info.id
        native_id = domain.native_id
        goal = PowerState.RUNNING if self._info.has_memory else PowerState.SHUTOFF
        with operate(
            domain.host,
            "revert_snapshot",
            needs=(Capability.REVERT_SNAPSHOT,),
            info=domain.info,
            arguments={"snapshot": self._info.name, "snapshot_id": snapshot_id},
            timeout=timeout,
        ) as doing:
            check_fence(doing)
            before = doing.look(CONFIG)
            outcome = carry_out(
                doing,
                lambda driver, limit: driver.revert_snapshot(native_id, snapshot_id, deadline=limit),
                rule=RULES["revert_snapshot"],
                progress=progress,
                cancel=cancel,
            )
            info = fresh(doing, outcome.info or outcome.result, lambda now: now.power_state is goal, str(goal))
            doing.info = domain._info = _keep_labels(doing, before, info).without("guest")

    def delete(
        self,
        *,
        children: bool = False,
        timeout: float | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        """Remove it. The domain's present state stays; snapshots made on it go only with `children=True`."""
        domain, snapshot_id = self._domain, self._info.id
        domain._change(
            "delete_snapshot",
            lambda driver, limit: driver.delete_snapshot(
                domain.native_id, snapshot_id, children=children, deadline=limit
            ),
            arguments={"snapshot": self._info.name, "snapshot_id": snapshot_id, "children": children},
            timeout=timeout,
            progress=progress,
            cancel=cancel,
        )

    def changed_blocks(self, since: Snapshot | str, disk: Disk | str) -> list[Extent]:
        """Return what differs on a disk between an earlier snapshot and this one, for a copy of `since` to become one of this.

        Where no times are told and neither was made on the other, which one is earlier is for the caller to know.

        Args:
            since: The earlier snapshot of the same domain, or its id or name.
            disk: One of the domain's disks, or its id.

        Raises:
            InvalidSpecError: `since` is this snapshot, a later one, or one of another domain.
            SnapshotNotFoundError: The domain has none of that name.
        """
        domain = self._domain
        if isinstance(since, str):
            since = domain.snapshot(since)
        if not isinstance(since, Snapshot) or since._domain != domain:
            raise InvalidSpecError(
                f"changed_blocks compares with an earlier snapshot of {domain!r}, not with {since!r}"
            )
        if _is_later(since.info, self._info):
            raise InvalidSpecError(
                f"changed_blocks goes from an earlier snapshot to a later one: {since.name!r} is not earlier than "
                f"{self.name!r}",
                hint="ask the later one: later.changed_blocks(earlier, disk)",
            )
        disk_id = id_of(disk)
        return domain.host._ask(
            "changed_blocks",
            lambda driver, limit: list(
                driver.changed_blocks(domain.native_id, disk_id, self._info.id, since.id, deadline=limit)
            ),
            info=domain.info,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self._domain == other._domain and self._info.id == other._info.id

    def __hash__(self) -> int:
        return hash((self._domain, self._info.id))

    def __repr__(self) -> str:
        memory = " +memory" if self._info.has_memory else ""
        return f"<Snapshot {self._info.name!r} of {self._domain.name!r}{memory}>"


def _is_later(since: SnapshotInfo, until: SnapshotInfo) -> bool:
    """Whether `since` is known not to be the earlier one. The tree goes before the times: clocks are set back."""
    if until.parent == since.id:
        return False
    if since.id == until.id or since.parent == until.id:
        return True
    return since.created_at is not None and until.created_at is not None and since.created_at > until.created_at


def create(
    domain: Domain,
    name: str,
    *,
    memory: bool,
    quiesce: bool,
    description: str,
    timeout: float | None,
    progress: Progress | None,
    cancel: Cancel | None,
) -> Snapshot:
    """Make a snapshot."""
    host, native_id = domain.host, domain.native_id
    needs = [Capability.CREATE_SNAPSHOT]
    needs += [Capability.SNAPSHOT_MEMORY] if memory else []
    needs += [Capability.SNAPSHOT_QUIESCE] if quiesce else []
    arguments = {"name": name, "memory": memory, "quiesce": quiesce}
    with operate(
        host, "create_snapshot", needs=tuple(needs), info=domain.info, arguments=arguments, timeout=timeout
    ) as doing:
        _check_state(doing, memory)
        outcome = carry_out(
            doing,
            lambda driver, limit: driver.create_snapshot(
                native_id, name, memory=memory, quiesce=quiesce, description=description, deadline=limit
            ),
            rule=NOT_SUSPENDED,
            creates=True,
            undo=lambda driver, info, limit: driver.delete_snapshot(native_id, info.id, children=False, deadline=limit),
            progress=progress,
            cancel=cancel,
        )
        made = outcome.result
        assert made is not None
        lacks = "memory" if memory and made.has_memory is False else None
        lacks = "file systems at rest" if quiesce and made.quiesced is False else lacks
        if lacks is not None:
            raise _weakened(doing, native_id, made, lacks)
        domain._info = doing.look(CONFIG, late=True)
        return Snapshot(domain, made)


def _weakened(doing: Doing, native_id: str, made: SnapshotInfo, lacks: str) -> OperationFailedError:
    """Remove a snapshot that is less than what was asked for, and return the error that says so."""
    error = OperationFailedError(
        f"the snapshot {made.name!r} of {doing.subject} was made without {lacks}, which was asked for",
        backend=doing.host.backend,
        host=doing.host.url,
    )
    try:
        carry_out(
            doing, lambda driver, limit: driver.delete_snapshot(native_id, made.id, children=False, deadline=limit)
        )
    except HvsdkError as exc:
        error.message += f", and could not be removed again: {exc}"
        error.hint = f"delete the snapshot {made.id!r} yourself"
    else:
        error.message += "; it is removed again"
    return error


def _check_state(doing: Doing, memory: bool) -> None:
    """Read the state: which kinds of snapshot are possible hangs on it."""
    info = doing.look(CONFIG)
    if info.power_state is PowerState.SUSPENDED:
        raise refuse_state(doing, info)
    if memory and info.power_state is not PowerState.RUNNING:
        raise PowerStateError(
            f"a snapshot with memory needs a running domain: {doing.subject} is {info.power_state}",
            state=info.power_state,
            backend=doing.host.backend,
            host=doing.host.url,
            hint=advice("snapshot_memory", info.power_state),
        )
    runs = info.power_state in (PowerState.RUNNING, PowerState.PAUSED)
    if runs and not memory and (why := doing.host._why_not(Capability.SNAPSHOT_RUNNING, info)) is not None:
        raise UnsupportedError(
            f"a snapshot of the disks alone is not possible while {doing.subject} is {info.power_state}: {why}",
            capability=Capability.SNAPSHOT_RUNNING,
            backend=doing.host.backend,
            host=doing.host.url,
            hint="shut it down first, or use memory=True where there is that capability",
        )


def _keep_labels(doing: Doing, before: DomainInfo, now: DomainInfo) -> DomainInfo:
    """Write again what the product rolled back with the disks."""
    native_id = before.native_id
    calls: list[tuple[Capability, Callable[[Driver, Any], Any]]] = []
    if now.name != before.name:
        calls.append((Capability.RENAME, lambda d, limit: d.rename(native_id, before.name, deadline=limit)))
    if now.notes != before.notes:
        calls.append((Capability.SET_NOTES, lambda d, limit: d.set_notes(native_id, before.notes, deadline=limit)))
    if now.tags != before.tags:
        calls.append((Capability.SET_TAGS, lambda d, limit: d.set_tags(native_id, before.tags, deadline=limit)))
    if now.metadata != before.metadata:
        changes: dict[str, str | None] = dict.fromkeys(now.metadata)
        changes |= before.metadata
        calls.append((Capability.SET_METADATA, lambda d, limit: d.set_metadata(native_id, changes, deadline=limit)))
    done = False
    for capability, call in calls:
        if doing.host.supports(capability):
            try:
                carry_out(doing, call)
            except HvsdkError as exc:
                exc.add_note("hvsdk: the revert itself is done; what is written on the domain was rolled back with it")
                raise
            done = True
    return doing.look(CONFIG, late=True) if done else now
