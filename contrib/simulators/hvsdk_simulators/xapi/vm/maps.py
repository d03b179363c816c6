"""Setters of the maps that have rules of their own: blocked operations, platform, other_config, NVRAM."""

from collections.abc import Mapping

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm.operations import operation


@message(
    "VM.set_blocked_operations(VM ref self, (enum vm_operations -> string) map value) -> void",
    role="vm-admin",
    since="1.3",
)
def set_blocked_operations(call: Call, self: Object, value: Mapping[str, str]) -> None:
    """Say which operations are refused with OPERATION_BLOCKED, and with which code."""
    call.world.db.update(self, blocked_operations=dict(value))


@message(
    "VM.add_to_blocked_operations(VM ref self, enum vm_operations key, string value) -> void",
    role="vm-admin",
    since="1.3",
)
def add_to_blocked_operations(call: Call, self: Object, key: str, value: str) -> None:
    """Refuse one more operation."""
    _add(call, self, "blocked_operations", key, value)


@message("VM.remove_from_blocked_operations(VM ref self, enum vm_operations key) -> void", role="vm-admin", since="1.3")
def remove_from_blocked_operations(call: Call, self: Object, key: str) -> None:
    """No longer refuse an operation."""
    _remove(call, self, "blocked_operations", key)


@message("VM.set_platform(VM ref self, (string -> string) map value) -> void", role="vm-admin", since="1.1")
def set_platform(call: Call, self: Object, value: Mapping[str, str]) -> None:
    """Set the platform flags, which count from the next boot on."""
    call.world.db.update(self, platform=dict(value))


@message("VM.add_to_platform(VM ref self, string key, string value) -> void", role="vm-admin", since="1.1")
def add_to_platform(call: Call, self: Object, key: str, value: str) -> None:
    """Set one more platform flag."""
    _add(call, self, "platform", key, value)


@message("VM.remove_from_platform(VM ref self, string key) -> void", role="vm-admin", since="1.1")
def remove_from_platform(call: Call, self: Object, key: str) -> None:
    """Drop a platform flag."""
    _remove(call, self, "platform", key)


@message("VM.set_other_config(VM ref self, (string -> string) map value) -> void", role="vm-admin", since="1.1")
def set_other_config(call: Call, self: Object, value: Mapping[str, str]) -> None:
    """Set the map in which clients keep what they like."""
    call.world.db.update(self, other_config=dict(value))


@message("VM.add_to_other_config(VM ref self, string key, string value) -> void", role="vm-admin", since="1.1")
def add_to_other_config(call: Call, self: Object, key: str, value: str) -> None:
    """Add to the map in which clients keep what they like."""
    _add(call, self, "other_config", key, value)


@message("VM.remove_from_other_config(VM ref self, string key) -> void", role="vm-admin", since="1.1")
def remove_from_other_config(call: Call, self: Object, key: str) -> None:
    """Drop a key from the map in which clients keep what they like."""
    _remove(call, self, "other_config", key)


@message("VM.set_NVRAM(VM ref self, (string -> string) map value) -> void", role="vm-admin", since="2.12")
def set_nvram(call: Call, self: Object, value: Mapping[str, str]) -> None:
    """Set the firmware's variables of a VM that is off."""
    with operation(call, self, "changing_NVRAM"):
        call.world.db.update(self, NVRAM=dict(value))


@message("VM.add_to_NVRAM(VM ref self, string key, string value) -> void", role="vm-admin", since="2.12")
def add_to_nvram(call: Call, self: Object, key: str, value: str) -> None:
    """Add to the firmware's variables of a VM that is off."""
    with operation(call, self, "changing_NVRAM"):
        _add(call, self, "NVRAM", key, value)


@message("VM.remove_from_NVRAM(VM ref self, string key) -> void", role="vm-admin", since="2.12")
def remove_from_nvram(call: Call, self: Object, key: str) -> None:
    """Drop one of the firmware's variables of a VM that is off."""
    with operation(call, self, "changing_NVRAM"):
        _remove(call, self, "NVRAM", key)


def _add(call: Call, vm: Object, field: str, key: str, value: str) -> None:
    if key in vm[field]:
        raise Failure("MAP_DUPLICATE_KEY", "VM", field, vm["uuid"], key)
    call.world.db.update(vm, **{field: vm[field] | {key: value}})


def _remove(call: Call, vm: Object, field: str, key: str) -> None:
    call.world.db.update(vm, **{field: {name: value for name, value in vm[field].items() if name != key}})
