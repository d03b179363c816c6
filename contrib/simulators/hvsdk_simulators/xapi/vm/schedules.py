"""Snapshot schedules (VMSS): when snapshots of their VMs are taken, and how many are kept."""

from collections.abc import Mapping
from datetime import datetime

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import snapshots
from hvsdk_simulators.xapi.world import World

_MOST_KEPT = 10
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_KEYS = {"hourly": ("min",), "daily": ("hour", "min"), "weekly": ("hour", "min", "days")}
_FIRST = {"min": "0", "hour": "0", "days": "Monday"}


@message("VMSS.set_type(VMSS ref self, enum vmss_type value) -> void", role="pool-operator", since="2.7")
def set_type(call: Call, self: Object, value: str) -> None:
    """Say what is taken: snapshots, quiesced ones or checkpoints."""
    call.world.db.update(self, type=value)


@message("VMSS.set_retained_snapshots(VMSS ref self, int value) -> void", role="pool-operator", since="2.7")
def set_retained_snapshots(call: Call, self: Object, value: int) -> None:
    """Say how many are kept per VM; the oldest goes when there is one more."""
    if not 1 <= value <= _MOST_KEPT:
        raise Failure("INVALID_VALUE", "retained_snapshots", str(value))
    call.world.db.update(self, retained_snapshots=value)


@message("VMSS.set_frequency(VMSS ref self, enum vmss_frequency value) -> void", role="pool-operator", since="2.7")
def set_frequency(call: Call, self: Object, value: str) -> None:
    """Say how often; keys that this frequency needs and the schedule lacks are filled in."""
    schedule = {key: self["schedule"].get(key, _FIRST[key]) for key in _KEYS[value]}
    call.world.db.update(self, frequency=value, schedule=schedule)


@message("VMSS.set_schedule(VMSS ref self, (string -> string) map value) -> void", role="pool-operator", since="2.7")
def set_schedule(call: Call, self: Object, value: Mapping[str, str]) -> None:
    """Say at which times."""
    for key, text in value.items():
        _assert_time(key, text)
    missing = [key for key in _KEYS[self["frequency"]] if key not in value]
    if missing:
        raise Failure("INVALID_VALUE", "schedule", f"missing key {missing[0]}")
    call.world.db.update(self, schedule=dict(value))


@message("VMSS.add_to_schedule(VMSS ref self, string key, string value) -> void", role="pool-operator", since="2.7")
def add_to_schedule(call: Call, self: Object, key: str, value: str) -> None:
    """Add one key of the times."""
    _assert_time(key, value)
    if key in self["schedule"]:
        raise Failure("MAP_DUPLICATE_KEY", "VMSS", "schedule", self["uuid"], key)
    call.world.db.update(self, schedule=self["schedule"] | {key: value})


@message("VMSS.remove_from_schedule(VMSS ref self, string key) -> void", role="pool-operator", since="2.7")
def remove_from_schedule(call: Call, self: Object, key: str) -> None:
    """Drop one key of the times."""
    left = {name: text for name, text in self["schedule"].items() if name != key}
    call.world.db.update(self, schedule=left)


@message("VMSS.set_last_run_time(VMSS ref self, datetime value) -> void", role="pool-admin", since="2.7")
def set_last_run_time(call: Call, self: Object, value: datetime) -> None:
    """Say when it ran last."""
    call.world.db.update(self, last_run_time=value)


@message("VMSS.destroy(VMSS ref self) -> void", role="pool-operator", since="2.7")
def destroy(call: Call, self: Object) -> None:
    """Delete a schedule that has no VMs."""
    if self["VMs"]:
        raise Failure("VMSS_HAS_VM")
    call.world.db.delete(self)


@message("VMSS.snapshot_now(VMSS ref vmss) -> string", role="pool-operator", since="2.7")
def snapshot_now(call: Call, vmss: Object) -> str:
    """Take what the schedule takes, of all its VMs, now."""
    now = call.world.now()
    for vm in _members(call.world, vmss):
        made = _take(call, vmss, vm, f"{vmss['name_label']}-{vm['name_label']}-{now:%Y-%m-%d-%H:%M:%S}")
        call.world.db.update(made, is_vmss_snapshot=True)
    call.world.db.update(vmss, last_run_time=now)
    return "True"


def _take(call: Call, vmss: Object, vm: Object, name: str) -> Object:
    match vmss["type"]:
        case "checkpoint":
            return snapshots.checkpoint(call, vm, name)
        case "snapshot_with_quiesce":
            return snapshots.snapshot_with_quiesce(call, vm, name)
    return snapshots.snapshot(call, vm, name, [])


def _members(world: World, vmss: Object) -> list[Object]:
    return [vm for ref in vmss["VMs"] if (vm := world.db.lookup("VM", ref)) is not None]


def _assert_time(key: str, text: str) -> None:
    if key == "days":
        right = all(day.strip() in _DAYS for day in text.split(","))
    else:
        limit = {"min": 60, "hour": 24}.get(key)
        right = limit is not None and text.isdecimal() and int(text) < limit
    if not right:
        raise Failure("INVALID_VALUE", key, text)
