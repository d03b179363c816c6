"""Moving a domain from one libvirt daemon to another."""

from __future__ import annotations

import threading
from typing import Any, cast

import libvirt
from hvsdk.driver import BackgroundTask, Capability, Deadline, Driver, Task, errors

from hvsdk_kvm._errors import code_of
from hvsdk_kvm._migrate_checks import disks_to_copy, refuse_states, why_not
from hvsdk_kvm._power import job_cancel, job_progress
from hvsdk_kvm._session import Session

__all__ = ["MigrateVerbs"]


class MigrateVerbs(Session):
    """`check_migrate` and `migrate`.

    The two daemons talk to each other; where they find the other is libvirt's own choice unless the target was
    connected to with `migrate_uri=`.
    """

    def check_migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> str | None:
        domain = self.find(native_id)
        refuse_states(domain, live=live)
        return why_not(self, domain, cast("Session", target))

    def migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> Task[str]:
        domain = self.lookup(native_id)
        there = cast("Session", target)
        refuse_states(domain, live=live)
        lasts = libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
        flags = lasts if domain.isPersistent() else 0
        parameters: dict[str, Any] = {}
        uri = there.target.options.get("migrate_uri")
        if uri:
            parameters[libvirt.VIR_MIGRATE_PARAM_URI] = uri
        if there.target.options.get("migrate_unsafe"):
            flags |= libvirt.VIR_MIGRATE_UNSAFE
        if not domain.isActive():
            flags |= libvirt.VIR_MIGRATE_OFFLINE
        else:
            flags |= libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_AUTO_CONVERGE
            copied = disks_to_copy(self, domain, there)
            if copied:
                flags |= libvirt.VIR_MIGRATE_NON_SHARED_DISK
                parameters[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = copied
        autostart = bool(domain.autostart()) if domain.isPersistent() else False
        stop = _Stop(domain)

        def work() -> str:
            stop.check()
            return _move(domain, there.connection, parameters, flags, autostart=autostart)

        return BackgroundTask(work, progress=stop.progress, cancel=stop.ask)


class _Stop:
    """A wish to end a migration, kept up until there is a job to end: libvirt forgets one that comes too early."""

    def __init__(self, domain: libvirt.virDomain) -> None:
        self._progress = job_progress(domain)
        self._cancel = job_cancel(domain)
        self._asked = threading.Event()

    def ask(self) -> None:
        self._asked.set()
        self._cancel()

    def check(self) -> None:
        if self._asked.is_set():
            raise BackgroundTask.cancelled()

    def progress(self) -> float | None:
        if self._asked.is_set():
            self._cancel()
        return self._progress()


def _move(
    domain: libvirt.virDomain,
    there: libvirt.virConnect,
    parameters: dict[str, Any],
    flags: int,
    *,
    autostart: bool,
) -> str:
    try:
        moved = domain.migrate3(there, cast("Any", parameters), flags)
    except libvirt.libvirtError as exc:
        if code_of(exc) != libvirt.VIR_ERR_MIGRATE_UNSAFE:
            raise
        raise errors.UnsupportedError(
            f"libvirt does not trust the storage or cache of a disk of {domain.name()!r}: {exc.get_error_message()}",
            capability=Capability.MIGRATE_LIVE,
            hint="use cache='none', or connect to the target with migrate_unsafe=True if both see the same data",
        ) from exc
    if autostart:
        try:
            moved.setAutostart(1)
        except libvirt.libvirtError as exc:
            raise errors.OperationFailedError(
                f"{moved.name()!r} has moved, but could not be made to start with its new host: {exc.get_error_message()}",
                hint="set_autostart(True) there",
            ) from exc
    return str(moved.UUIDString())
