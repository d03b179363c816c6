"""Fencing by vCenter: a template is started, resumed and reverted by nobody.

Only a domain that is off can become one, and of a template only name and notes can be changed: what is recorded of a fence
is written before, and removed after. An ESXi host knows no templates; there hvsdk's own mark is all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from hvsdk.driver import (
    FENCE_KEY,
    Capability,
    Deadline,
    DomainInfo,
    FenceMark,
    PowerState,
    Steps,
    StepsTask,
    Task,
    Unsupported,
    current_operation,
    errors,
    write_mark,
)
from pyVmomi import vim, vmodl

from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._details import MARKED_AS_TEMPLATE
from hvsdk_vmware._errors import words_of
from hvsdk_vmware._extra_config import METADATA_PREFIX, PLACE_KEY, write_value
from hvsdk_vmware._fenced import Place
from hvsdk_vmware._fields import Values, options, text
from hvsdk_vmware._labels import LabelVerbs
from hvsdk_vmware._listing import ListingReads
from hvsdk_vmware._making import is_lost, look_for
from hvsdk_vmware._power import PowerVerbs
from hvsdk_vmware._templates import TemplateReads

__all__ = ["FenceVerbs"]

_MARK = METADATA_PREFIX + FENCE_KEY
_TEMPLATE, _HOST, _POOL, _EXTRA = "config.template", "runtime.host", "resourcePool", "config.extraConfig"
_CONFIG = frozenset({"config"})


class FenceVerbs(TemplateReads, PowerVerbs, LabelVerbs, ListingReads):
    """`fence` and `unfence`, and what else says that a domain is fenced."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if not self.is_vcenter:
            for capability in (Capability.FENCE, Capability.UNFENCE):
                limits.setdefault(capability, Unsupported("an ESXi host has no templates: fence() leaves a mark"))
        return limits

    def fence(self, native_id: str, reason: str, *, deadline: Deadline) -> None:
        """Make it a template, and note why, and where it was. Fencing again leaves the first reason.

        Raises:
            PowerStateError: It is not off.
            UnsupportedError: It is a template already.
        """
        info = self.get_domain(native_id, _CONFIG, deadline=deadline)
        if info.details.get(MARKED_AS_TEMPLATE) and not info.is_template:
            return
        if info.is_template:
            raise errors.UnsupportedError(
                f"fence is not possible: {info.name!r} is a template, which nobody can start, and takes no mark",
                capability=Capability.FENCE,
            )
        if info.power_state is not PowerState.SHUTOFF:
            raise errors.PowerStateError(
                f"fence is not possible: {info.name!r} is {info.power_state}, and vCenter fences what is off",
                state=info.power_state,
                hint="shut it down first"
                if info.power_state is not PowerState.SUSPENDED
                else "resume() and shut it down first, or power_off(discard_memory=True)",
            )
        place = self.read_vm(native_id, (_HOST, _POOL), deadline).values
        entries = {PLACE_KEY: Place(text(place, _POOL), text(place, _HOST), info.uuid or "").write()}
        if info.fenced is None:
            entries[_MARK] = write_value(write_mark(_mark(reason, autostart=bool(info.autostart))))
        self.write_extra_config(native_id, entries, deadline)
        self.forget_fence(native_id)
        try:
            self._become_template(native_id, deadline)
        except BaseException as exc:
            self._unmark(native_id, entries, exc)
            raise

    def unfence(self, native_id: str, *, deadline: Deadline) -> None:
        """Make it a domain again, where it was, or on its host when that place is gone; then forget why."""
        info = self.get_domain(native_id, _CONFIG, deadline=deadline)
        values = self.read_vm(native_id, (_HOST, _EXTRA, _TEMPLATE), deadline).values
        entries = dict(options(values, _EXTRA))
        if info.fenced is None and not entries.get(PLACE_KEY):
            return
        self.forget_fence(native_id)
        if text(values, _TEMPLATE) == "true":
            pool, host = self._way_back(values, Place.read(entries.get(PLACE_KEY, "")), deadline)
            self.call(self.vm(native_id).MarkAsVirtualMachine, pool, host, deadline=deadline)
        if info.fenced is not None and info.fenced.autostart and not self._starts_with_host(native_id, deadline):
            self.set_autostart(native_id, True, deadline=deadline)
        self.write_extra_config(native_id, {_MARK: "", PLACE_KEY: ""}, deadline)

    def start(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return StepsTask(
            self._unless_fenced(native_id, lambda: super(FenceVerbs, self).start(native_id, deadline=deadline))
        )

    # ---- inside ------------------------------------------------------------------------------------------

    def _become_template(self, native_id: str, deadline: Deadline) -> None:
        """Make it a template; when the answer is lost, what it is after a while tells."""
        try:
            self.call(self.vm(native_id).MarkAsTemplate, deadline=deadline)
        except FAILURES as exc:
            if not is_lost(exc) or look_for(lambda: self._marked(native_id)) is None:
                raise

    def _marked(self, native_id: str) -> bool | None:
        return text(self.read_vm(native_id, (_TEMPLATE,), self.soon()).values, _TEMPLATE) == "true" or None

    def _unmark(self, native_id: str, written: Mapping[str, str], exc: BaseException) -> None:
        """Undo a fence that could not be set whole; a mark that was there before stays."""
        try:
            self.write_extra_config(native_id, dict.fromkeys(written, ""), self.soon())
        except FAILURES as failure:
            exc.add_note(
                f"hvsdk: the domain bears the mark of a fence that was not set: {words_of(failure)}; unfence() it"
            )

    def _way_back(
        self, values: Values, place: Place, deadline: Deadline
    ) -> tuple[vim.ResourcePool, vim.HostSystem | None]:
        pool, host = vim.ResourcePool(place.pool, self.stub), vim.HostSystem(place.host, self.stub)
        if place.pool and place.host and self.is_there(pool, deadline) and self.is_there(host, deadline):
            return pool, host
        return self.place_of_template(values, deadline)

    def _starts_with_host(self, native_id: str, deadline: Deadline) -> bool:
        return bool(self.get_domain(native_id, _CONFIG, deadline=deadline).autostart)

    def _unless_fenced(self, native_id: str, begin: Callable[[], Task[Any]]) -> Steps[None]:
        """Begin what a template refuses, and say so in hvsdk's words."""
        try:
            yield begin()
        except vim.fault.InvalidPowerState:
            raise
        except (vmodl.fault.NotSupported, vim.fault.InvalidState) as exc:
            self._explain(native_id, exc)

    def _explain(self, native_id: str, exc: vmodl.MethodFault) -> NoReturn:
        info = self.get_domain(native_id, _CONFIG, deadline=self.soon())
        code = type(exc).__name__
        if info.fenced is not None:
            raise errors.PermissionDeniedError(
                f"it is refused: {info.name!r} is fenced: {info.fenced.reason}",
                hint="unfence() it when that no longer holds",
                native_code=code,
            ) from exc
        if info.is_template:
            raise errors.UnsupportedError(
                f"{info.name!r} is a template", hint="clone() makes a domain of it", native_code=code
            ) from exc
        raise exc


def _mark(reason: str, *, autostart: bool) -> FenceMark:
    operation = current_operation.get()
    by = operation.actor if operation else None
    return FenceMark(reason=reason, at=datetime.now(UTC), by=by, autostart=autostart)
