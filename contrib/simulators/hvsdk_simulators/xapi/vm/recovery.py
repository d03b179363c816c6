"""Disaster recovery: taking VMs over from a pool's database that was opened beside the running one.

The only database here is the pool's own, so every VM that could be recovered is there already.
"""

from collections.abc import Iterable

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.storage.connections import is_attached
from hvsdk_simulators.xapi.vm import hosts, states
from hvsdk_simulators.xapi.vm.situation import assert_state
from hvsdk_simulators.xapi.world import World


@message("VM.assert_can_be_recovered(VM ref self, session ref session_to) -> void", since="1.9")
def assert_can_be_recovered(call: Call, self: Object, session_to: Object) -> None:
    """Raise why the VM cannot be recovered: it is part of an appliance, or an SR is not plugged."""
    if self["appliance"] != NULL:
        raise Failure("VM_IS_PART_OF_AN_APPLIANCE", self.ref, self["appliance"])
    _assert_storage(call.world, [self])


@message("VM.get_SRs_required_for_recovery(VM ref self, session ref session_to) -> SR ref set", since="2.3")
def get_srs_required(call: Call, self: Object, session_to: Object) -> list[Object]:
    """The SRs that hold the VM's disks."""
    return _storage(call.world, [self])


@message("VM.recover(VM ref self, session ref session_to, bool force) -> void", since="1.9")
def recover(call: Call, self: Object, session_to: Object, force: bool) -> None:
    """Take the VM over. One that is there already is replaced only by a newer version or with force, and while off."""
    assert_can_be_recovered(call, self, session_to)
    _take_over(self, force=force)


@message("VM_appliance.assert_can_be_recovered(VM_appliance ref self, session ref session_to) -> void", since="1.9")
def assert_appliance_can_be_recovered(call: Call, self: Object, session_to: Object) -> None:
    """Raise VM_REQUIRES_SR when an SR of one of the VMs is not plugged."""
    _assert_storage(call.world, _members(call.world, self))


@message(
    "VM_appliance.get_SRs_required_for_recovery(VM_appliance ref self, session ref session_to) -> SR ref set",
    since="2.3",
)
def get_appliance_srs_required(call: Call, self: Object, session_to: Object) -> list[Object]:
    """The SRs that hold the disks of the VMs."""
    return _storage(call.world, _members(call.world, self))


@message("VM_appliance.recover(VM_appliance ref self, session ref session_to, bool force) -> void", since="1.9")
def recover_appliance(call: Call, self: Object, session_to: Object, force: bool) -> None:
    """Take all VMs of an appliance over."""
    members = _members(call.world, self)
    _assert_storage(call.world, members)
    for vm in members:
        _take_over(vm, force=force)


def _members(world: World, appliance: Object) -> list[Object]:
    return [world.db.get("VM", ref) for ref in appliance["VMs"]]


def _storage(world: World, vms: Iterable[Object]) -> list[Object]:
    refs = dict.fromkeys(ref for vm in vms for ref in hosts.storage_of(world, vm))
    return [world.db.get("SR", ref) for ref in refs]


def _assert_storage(world: World, vms: Iterable[Object]) -> None:
    for vm in vms:
        for sr in _storage(world, [vm]):
            if not is_attached(world, sr):
                raise Failure("VM_REQUIRES_SR", vm.ref, sr.ref)


def _take_over(vm: Object, *, force: bool) -> None:
    if not force:
        version = str(vm["version"])
        raise Failure("VM_TO_IMPORT_IS_NOT_NEWER_VERSION", vm.ref, version, version)
    assert_state(vm, states.HALTED)
