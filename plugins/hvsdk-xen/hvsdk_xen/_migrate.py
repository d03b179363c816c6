"""Moving a domain: to another node of its pool, to another storage repository, or to another pool."""

from __future__ import annotations

from typing import Any, cast

import XenAPI
from hvsdk.driver import Capability, Deadline, Driver, Steps, StepsTask, Task, errors

from hvsdk_xen._carry import DiskCarrier
from hvsdk_xen._error_table import HINTS
from hvsdk_xen._login import code_of
from hvsdk_xen._places import Move, NoPlaceError, Places
from hvsdk_xen._tools import NO_TOOLS, ToolsVerbs
from hvsdk_xen._values import is_ref

__all__ = ["MigrateVerbs"]

COLD_SEND_SINCE = (2, 3)
"""API version that first moved the disks of a VM that is off."""
_NOT_A_REASON = frozenset(
    (
        *("VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "HANDLE_INVALID", "UUID_INVALID"),
        *("SESSION_INVALID", "RBAC_PERMISSION_DENIED", "HOST_IS_SLAVE", "TASK_CANCELLED"),
    )
)
"""Errors of a check that say nothing about the place."""

_WITHOUT_TOOLS = "install the tools in the guest, wait until they run, or shut it down: off, it moves without them"


class MigrateVerbs(Places, DiskCarrier, ToolsVerbs):
    """`check_migrate` and `migrate`."""

    def check_migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> str | None:
        vm = self.on_vm(native_id, "VM.get_record", deadline=deadline)
        _refuse_states(vm, live=live)
        there = self._in_pool_of(cast("MigrateVerbs", target))
        try:
            move = self._plan(vm, there, node, pool, deadline)
            self._rehearse(self.vm_ref(native_id, deadline), vm, there, move, live, deadline)
        except NoPlaceError as exc:
            return str(exc)
        except XenAPI.Failure as exc:
            if code_of(exc) in _NOT_A_REASON:
                raise
            if code_of(exc) in NO_TOOLS and self.is_booting(native_id, deadline):
                return None  # `migrate` gives it a moment
            return _words(exc) + (f": {_WITHOUT_TOOLS}" if code_of(exc) in NO_TOOLS else "")
        return None

    def migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> Task[str]:
        vm = self.on_vm(native_id, "VM.get_record", deadline=deadline)
        _refuse_states(vm, live=live)
        there = self._in_pool_of(cast("MigrateVerbs", target))
        try:
            move = self._plan(vm, there, node, pool, deadline)
        except NoPlaceError as exc:
            raise errors.UnsupportedError(
                f"domain {vm.get('name_label')!r} cannot migrate: {exc}", capability=Capability.MIGRATE
            ) from exc
        ref = self.vm_ref(native_id, deadline)
        return StepsTask(self._move(native_id, ref, vm, there, move, live, deadline))

    def _in_pool_of(self, target: MigrateVerbs) -> MigrateVerbs:
        """Return the target, or this connection where that is one to the same pool."""
        same = target.around.pool.get("uuid") == self.around.pool.get("uuid")
        return self if same else target

    def _plan(
        self, vm: dict[str, Any], there: MigrateVerbs, node: str | None, pool: str | None, deadline: Deadline
    ) -> Move:
        if vm.get("power_state") == "Halted":
            _refuse_blocked(vm)
        host = None if node is None else there.find_node(node, deadline)
        storage = None if pool is None else there.find_pool(pool, deadline)
        if there is self and storage is None:
            if host is None:
                raise NoPlaceError("it is in that pool already: say node= or pool=")
            return Move(host=host)
        if there is not self:
            storage = storage or there.default_pool(deadline)
        assert storage is not None
        if vm.get("power_state") == "Halted" and self.api_version < COLD_SEND_SINCE:
            if there is not self:
                raise NoPlaceError("this version moves running domains only to another pool: start it first")
            return Move(host=host, vdis=dict.fromkeys(self._disks(vm, deadline), storage), copied=True)
        if host is None:
            host = self.some_node(vm, storage, deadline) if there is self else there.roomiest_node(storage, deadline)
        vdis = dict.fromkeys(self._disks(vm, deadline), storage)
        return Move(host=host, vdis=vdis, vifs={} if there is self else self._wiring(vm, there, deadline))

    def _disks(self, vm: dict[str, Any], deadline: Deadline) -> list[str]:
        drives = [self.call("VBD.get_record", vbd, deadline=deadline) for vbd in vm.get("VBDs", ())]
        return [drive["VDI"] for drive in drives if drive.get("type") == "Disk" and is_ref(drive.get("VDI"))]

    def _wiring(self, vm: dict[str, Any], there: MigrateVerbs, deadline: Deadline) -> dict[str, str]:
        """Return for each adapter the target's network of the same name."""
        here, known = self.network_names(deadline), there.network_names(deadline)
        wiring = {}
        for vif in vm.get("VIFs", ()):
            name = here.get(self.call("VIF.get_network", vif, deadline=deadline), "")
            found = [ref for ref, other in known.items() if other == name]
            if len(found) != 1:
                raise NoPlaceError(f"the target has {'several networks' if found else 'no network'} {name!r}")
            wiring[vif] = found[0]
        return wiring

    def _rehearse(
        self, ref: str, vm: dict[str, Any], there: MigrateVerbs, move: Move, live: bool, deadline: Deadline
    ) -> None:
        """Have XAPI say what it would say to the move."""
        if move.copied:
            return
        if move.vdis is not None:
            assert move.host is not None
            dest = there.receive(move.host, deadline)
            self.call("VM.assert_can_migrate", ref, dest, live, move.vdis, move.vifs, {}, deadline=deadline)
            return
        if vm.get("power_state") == "Running":
            self.call("VM.assert_operation_valid", ref, "pool_migrate", deadline=deadline)
        if vm.get("resident_on") != move.host:
            self.call("VM.assert_can_boot_here", ref, move.host, deadline=deadline)

    def _move(
        self,
        native_id: str,
        ref: str,
        vm: dict[str, Any],
        there: MigrateVerbs,
        move: Move,
        live: bool,
        deadline: Deadline,
    ) -> Steps[str]:
        if move.copied and move.vdis is not None:
            yield from self.carry(vm, move.vdis)
            if move.host is not None:
                self.call("VM.set_affinity", ref, move.host, deadline=self.soon())
            return native_id
        if move.vdis is not None:
            assert move.host is not None
            if vm.get("power_state") == "Running":
                yield from self.once_tools_run(native_id, "migrate_send")
            dest = there.receive(move.host, self.soon())
            yield self.start_task("VM.migrate_send", ref, dest, live, move.vdis, move.vifs, {}, deadline=self.soon())
            return native_id
        if vm.get("power_state") == "Running":
            if vm.get("resident_on") != move.host:
                yield from self.once_tools_run(native_id, "pool_migrate")
                yield from self._hand_over(ref, vm, move)
        else:  # off, it is nowhere: it starts there next time
            self.call("VM.set_affinity", ref, move.host, deadline=deadline)
        return native_id

    def _hand_over(self, ref: str, vm: dict[str, Any], move: Move) -> Steps[None]:
        try:
            yield self.start_task("VM.pool_migrate", ref, move.host, {"live": "true"}, deadline=self.soon())
        except XenAPI.Failure as exc:
            if not _told_of(exc, vm.get("resident_on")):
                raise
            raise errors.PowerStateError(  # the core looks at the state then
                f"domain {vm.get('name_label')!r} cannot migrate: the node that it is on does not answer the pool",
                hint=HINTS[code_of(exc)],
                native_code=code_of(exc),
            ) from exc


def _told_of(exc: XenAPI.Failure, host: Any) -> bool:
    """Whether a move is refused since the pool no longer hears a host."""
    return code_of(exc) == "HOST_OFFLINE" and host in exc.details


def _refuse_states(vm: dict[str, Any], *, live: bool) -> None:
    """Refuse what no place could help with."""
    state = vm.get("power_state")
    if state == "Halted" or (state == "Running" and live):
        return
    hint = (
        "migrate(live=True), or shut it down" if state == "Running" else "only running ones and ones that are off move"
    )
    raise errors.PowerStateError(
        f"domain {vm.get('name_label')!r} cannot migrate: it is {str(state).lower()}", hint=hint
    )


def _refuse_blocked(vm: dict[str, Any]) -> None:
    """Refuse what is blocked, as by a fence: where a domain is off, not all steps are ones that XAPI would refuse."""
    blocked = vm.get("blocked_operations", {})
    for operation in ("pool_migrate", "migrate_send"):
        if operation in blocked:
            raise NoPlaceError(f"that is blocked (OPERATION_BLOCKED: {operation}, {blocked[operation]})")


def _words(exc: XenAPI.Failure) -> str:
    code, *parameters = map(str, exc.details)
    said = ", ".join(text for text in parameters if not text.startswith("OpaqueRef:"))
    words = code.replace("_", " ").lower()
    return f"{words} ({code}{': ' + said if said else ''})"
