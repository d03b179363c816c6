"""The power verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import libvirt
from hvsdk.driver import BackgroundTask, Deadline, DomainInfo, Task, errors

from hvsdk_kvm._errors import code_of, is_lost
from hvsdk_kvm._session import Session
from hvsdk_kvm._states import domain_state

__all__ = ["GUARDED_BY_CORE", "PowerVerbs", "job_cancel", "job_progress"]

GUARDED_BY_CORE = frozenset(
    (
        *("shutdown", "reboot", "reset", "pause", "unpause", "suspend", "delete"),
        *("create_snapshot", "clone", "reconfigure", "resize_disk"),
        *("attach_disk", "detach_disk", "attach_nic", "detach_nic"),
    )
)
"""Verbs that libvirt carries out in states in which hvsdk does not."""

_STOPPED = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_CRASHED)


class PowerVerbs(Session):
    """`start` to `resume`."""

    def start(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        domain = self.lookup(native_id)
        restores = bool(domain.hasManagedSaveImage())
        progress = job_progress(domain) if restores else None  # a boot is no job that could be asked for
        return BackgroundTask(lambda: _start(domain, restores=restores), progress=progress)

    def shutdown(self, native_id: str, *, deadline: Deadline) -> None:
        self.lookup(native_id).shutdown()

    def power_off(self, native_id: str, *, discard_memory: bool, deadline: Deadline) -> None:
        domain = self.lookup(native_id)
        if discard_memory and domain.hasManagedSaveImage():
            domain.managedSaveRemove()
            self.tell_change(native_id)  # libvirt has no event for it
        else:
            domain.destroy()

    def reboot(self, native_id: str, *, deadline: Deadline) -> None:
        self.lookup(native_id).reboot()

    def reset(self, native_id: str, *, deadline: Deadline) -> None:
        domain = self.lookup(native_id)
        domain.reset()
        if domain_state(domain)[0] in _STOPPED:  # QEMU leaves a crashed domain's vCPUs as they were
            domain.resume()

    def pause(self, native_id: str, *, deadline: Deadline) -> None:
        self.lookup(native_id).suspend()

    def unpause(self, native_id: str, *, deadline: Deadline) -> None:
        domain = self.lookup(native_id)
        try:
            domain.resume()
        except libvirt.libvirtError as exc:
            asleep = libvirt.VIR_DOMAIN_PMSUSPENDED  # by its own wish
            if code_of(exc) != libvirt.VIR_ERR_OPERATION_INVALID or domain_state(domain)[0] != asleep:
                raise
            domain.pMWakeup()

    def suspend(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        domain = self.lookup(native_id)
        return BackgroundTask(lambda: _save(domain), progress=job_progress(domain), cancel=job_cancel(domain))

    def resume(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        domain = self.lookup(native_id)
        if not domain.hasManagedSaveImage():  # libvirt would boot it
            raise errors.PowerStateError(f"domain {domain.name()!r} has no saved memory to resume from")
        return BackgroundTask(lambda: _start(domain, restores=True), progress=job_progress(domain))

    def tell_change(self, native_id: str) -> None:
        """Tell this connection's watches of a change that libvirt has no event for."""
        if self.events is not None:
            self.events.tell(native_id)


def _start(domain: libvirt.virDomain, *, restores: bool) -> None:
    domain.create()
    if restores and domain_state(domain)[0] == libvirt.VIR_DOMAIN_PAUSED:  # it was saved while paused
        domain.resume()


def _save(domain: libvirt.virDomain) -> None:
    domain.managedSave()


def job_progress(domain: libvirt.virDomain) -> Callable[[], float | None]:
    """Return what tells how far the domain's present job (saving, migrating, copying) is."""

    def progress() -> float | None:
        try:
            told = cast("dict[str, Any]", domain.jobStats())
        except libvirt.libvirtError as exc:
            if is_lost(exc):
                raise
            return None
        total, left = told.get("data_total"), told.get("data_remaining")
        if not isinstance(total, int) or not isinstance(left, int) or total <= 0:
            return None
        return min(1.0, max(0.0, 1.0 - left / total))

    return progress


def job_cancel(domain: libvirt.virDomain) -> Callable[[], None]:
    """Return what stops the domain's present job; doing so when there is none is harmless."""

    def cancel() -> None:
        try:
            domain.abortJob()
        except libvirt.libvirtError as exc:
            if code_of(exc) not in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_SUPPORT):
                raise

    return cancel
