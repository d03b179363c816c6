"""Operations on a VM as they begin, show themselves and are cut short."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from hvsdk_simulators.xapi.call import Call, refusal
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.derived import derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import situation
from hvsdk_simulators.xapi.vm.hosts import assert_answers
from hvsdk_simulators.xapi.world import World


@derived("VM", "allowed_operations")
def allowed_operations(world: World, vm: Object) -> list[str]:
    """The field of this name."""
    return situation.allowed_operations(world, vm)


@refusal("VM")
def refusal_of(world: World, vm: Object, op: str) -> Failure | None:
    """The error that the product answers to an operation now, or None."""
    return situation.refusal(world, vm, op)


@contextmanager
def operation(call: Call, vm: Object, op: str, *, strict: bool = True) -> Iterator[None]:
    """Begin an operation, or raise the product's refusal, and show it in `current_operations` while it runs."""
    situation.assert_allowed(call.world, vm, op, strict=strict)
    host = call.world.db.lookup("host", vm["resident_on"])
    if host is not None:
        assert_answers(call.world, host)
    with call.under_way(vm, op):
        yield


def cancel(call: Call, vm: Object, ops: Collection[str]) -> None:
    """End these operations and cancel their tasks, because the VM is about to lose what they work on."""
    ended = {ref for ref, op in vm["current_operations"].items() if op in ops and ref != call.task_ref}
    for ref in ended:
        task = call.world.db.lookup("task", ref)
        if task is not None and task["status"] == "pending":
            call.world.db.update(task, status="cancelling")
    left = {ref: op for ref, op in vm["current_operations"].items() if ref not in ended}
    call.world.db.update(vm, current_operations=left)


@message("VM.assert_operation_valid(VM ref self, enum vm_operations op) -> void", since="1.1")
def assert_operation_valid(call: Call, self: Object, op: str) -> None:
    """Raise what the operation would be answered now."""
    situation.assert_allowed(call.world, self, op)


@message("VM.update_allowed_operations(VM ref self) -> void", role="pool-admin", since="1.1")
def update_allowed_operations(call: Call, self: Object) -> None:
    """Compute the operations anew. They always are up to date here."""
    call.world.db.touch(self)
