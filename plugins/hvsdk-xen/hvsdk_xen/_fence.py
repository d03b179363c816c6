"""Fencing by the product: `blocked_operations`, on the VM and on its snapshots.

XAPI asks `start`, `resume` and the like of the VM, and of both the snapshot and the VM when one is reverted to. What a fence
leaves open is reading, and bringing to rest what still runs. Whoever was there before keeps what he had blocked: a fence
adds only what nobody blocked, with a text that says whose it is, and takes away no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from hvsdk.driver import FENCE_KEY, Deadline, FenceMark, current_operation, write_mark

from hvsdk_xen._labels import METADATA_PREFIX, LabelVerbs
from hvsdk_xen._verbs import FAILURES, VerbSession

__all__ = ["BLOCKED", "FenceVerbs", "fence_text", "is_fenced", "operations_to_block"]

_TEXT = "HVSDK_FENCED: "

READING = frozenset(
    (
        *("get_boot_record", "query_services", "data_source_op", "assert_operation_valid", "update_allowed_operations"),
        *("export", "metadata_export", "snapshot"),
    )
)
"""Operations that leave a fenced domain as it is. A snapshot is among them since the last difference of a domain's disks is
read from one; those that hvsdk makes of a fenced domain are fenced with it."""
TO_REST = frozenset(("clean_shutdown", "hard_shutdown", "shutdown", "power_state_reset"))
"""Operations that end a run. On saved memory they would throw it away, and are blocked there."""

BLOCKED: Mapping[str, tuple[int, int]] = {
    # running it, here or elsewhere
    "start": (1, 1),
    "start_on": (1, 1),
    "resume": (1, 1),
    "resume_on": (1, 1),
    "unpause": (1, 1),
    "clean_reboot": (1, 1),
    "hard_reboot": (1, 1),
    "pool_migrate": (1, 1),
    "migrate_send": (1, 10),
    # making another of it that can run
    "clone": (1, 1),
    "copy": (1, 1),
    "create_template": (1, 1),
    "make_into_template": (1, 1),
    "provision": (1, 1),
    "csvm": (1, 1),
    "import": (1, 1),
    # going back, or losing it
    "revert": (1, 3),
    "reverting": (1, 3),
    "destroy": (1, 1),
    # saving memory, which XAPI resumes from by itself
    "pause": (1, 1),
    "suspend": (1, 1),
    "checkpoint": (1, 7),
    "snapshot_with_quiesce": (1, 3),
    # changing what it is or does
    "send_sysrq": (1, 1),
    "send_trigger": (1, 1),
    "call_plugin": (2, 3),
    "changing_memory_live": (1, 1),
    "awaiting_memory_live": (1, 1),
    "changing_dynamic_range": (1, 7),
    "changing_static_range": (1, 7),
    "changing_memory_limits": (1, 7),
    "changing_shadow_memory": (1, 7),
    "changing_shadow_memory_live": (1, 7),
    "changing_VCPUs": (1, 1),
    "changing_VCPUs_live": (1, 1),
    "changing_NVRAM": (2, 12),
    "create_vtpm": (2, 22),
    "sysprep": (2, 23),
}
"""Operations that a fence blocks, and the API version that knew each first: a server refuses a map with one it does not
know."""


def operations_to_block(api: tuple[int, int], *, at_rest: bool) -> frozenset[str]:
    """Return what to block; `at_rest` is a snapshot, or a domain whose memory is on disk, of which nothing may be lost."""
    known = frozenset(name for name, since in BLOCKED.items() if since <= api)
    return known | TO_REST if at_rest else known


def fence_text(reason: str) -> str:
    """Return what XAPI gives as the code of a blocked operation."""
    return _TEXT + reason


def is_fenced(record: Mapping[str, Any]) -> bool:
    """Whether a VM's record shows operations that a fence blocked."""
    return any(text.startswith(_TEXT) for text in record.get("blocked_operations", {}).values())


def _with_fence(record: Mapping[str, Any], operations: Iterable[str], text: str) -> dict[str, str]:
    return dict.fromkeys(operations, text) | dict(record.get("blocked_operations", {}))


def _without_fence(record: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, text in record.get("blocked_operations", {}).items() if not text.startswith(_TEXT)}


class FenceVerbs(LabelVerbs, VerbSession):
    """`fence` and `unfence`."""

    def fence(self, native_id: str, reason: str, *, deadline: Deadline) -> None:
        """Block all that could run, change or lose the domain; on its snapshots too, and first on itself.

        Each map is written as a whole, so at no moment is only half of it blocked. Fencing again blocks what was made or
        unblocked since, and leaves the first reason.
        """
        vm = self.on_vm(native_id, "VM.get_record", deadline=deadline)
        ref = self.vm_ref(native_id, deadline)
        mark = METADATA_PREFIX + FENCE_KEY
        done: list[tuple[str, Mapping[str, Any]]] = []
        try:
            self._block(ref, vm, reason, done, deadline)
            for snapshot, record in self.snapshot_records(ref, deadline).items():
                self._block(snapshot, record, reason, done, deadline)
            if mark not in vm.get("other_config", {}):
                self.write_other_config(native_id, {mark: write_mark(_mark(reason))}, deadline=deadline)
        except BaseException as exc:
            self._unblock_again(done, exc)
            raise

    def unfence(self, native_id: str, *, deadline: Deadline) -> None:
        """Unblock what a fence blocked, on the domain last: while a snapshot is blocked, so is the domain."""
        vm = self.on_vm(native_id, "VM.get_record", deadline=deadline)
        ref = self.vm_ref(native_id, deadline)
        for snapshot, record in self.snapshot_records(ref, deadline).items():
            self.unblock(snapshot, record, deadline)
        if METADATA_PREFIX + FENCE_KEY in vm.get("other_config", {}):
            self.set_metadata(native_id, {FENCE_KEY: None}, deadline=deadline)
        self.unblock(ref, vm, deadline)

    def snapshot_records(self, ref: str, deadline: Deadline) -> dict[str, dict[str, Any]]:
        """Return the records of a VM's snapshots by reference, in one call."""
        found: dict[str, dict[str, Any]] = self.call(
            "VM.get_all_records_where", f'field "snapshot_of" = "{ref}"', deadline=deadline
        )
        return {snapshot: record for snapshot, record in found.items() if record.get("is_a_snapshot")}

    def fence_snapshot(self, snapshot: str, vm: Mapping[str, Any], deadline: Deadline) -> None:
        """Block on a snapshot what is blocked on the fenced domain it was made of."""
        texts = [text for text in vm.get("blocked_operations", {}).values() if text.startswith(_TEXT)]
        blocked = dict.fromkeys(operations_to_block(self.api_version, at_rest=True), texts[0])
        self.call("VM.set_blocked_operations", snapshot, blocked, deadline=deadline)

    def _block(
        self,
        ref: str,
        record: Mapping[str, Any],
        reason: str,
        done: list[tuple[str, Mapping[str, Any]]],
        deadline: Deadline,
    ) -> None:
        at_rest = bool(record.get("is_a_snapshot")) or record.get("power_state") == "Suspended"
        wanted = _with_fence(record, operations_to_block(self.api_version, at_rest=at_rest), fence_text(reason))
        if wanted != record.get("blocked_operations", {}):
            self.call("VM.set_blocked_operations", ref, wanted, deadline=deadline)
            done.append((ref, record))

    def unblock(self, ref: str, record: Mapping[str, Any], deadline: Deadline) -> None:
        """Unblock what a fence blocked on one VM record."""
        if is_fenced(record):
            self.call("VM.set_blocked_operations", ref, _without_fence(record), deadline=deadline)

    def _unblock_again(self, done: list[tuple[str, Mapping[str, Any]]], exc: BaseException) -> None:
        """Undo a fence that could not be set whole."""
        for ref, record in reversed(done):
            try:
                before = dict(record.get("blocked_operations", {}))
                self.call("VM.set_blocked_operations", ref, before, deadline=self.soon())
            except FAILURES as failure:
                exc.add_note(f"hvsdk: operations stay blocked on {record.get('uuid')}: {failure}; unfence() it")


def _mark(reason: str) -> FenceMark:
    operation = current_operation.get()
    return FenceMark(reason=reason, at=datetime.now(UTC), by=operation.actor if operation else None)
