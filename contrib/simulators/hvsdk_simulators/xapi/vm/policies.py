"""Protection policies, which went with XenServer 6.2: each message is still known, and answers that it is gone."""

from typing import Any, NoReturn

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message

_MAPS = ("alarm_config", "archive_schedule", "archive_target_config", "backup_schedule")
_SETTERS = {
    "alarm_config": "(string -> string) map",
    "archive_frequency": "enum vmpp_archive_frequency",
    "archive_last_run_time": "datetime",
    "archive_schedule": "(string -> string) map",
    "archive_target_config": "(string -> string) map",
    "archive_target_type": "enum vmpp_archive_target_type",
    "backup_frequency": "enum vmpp_backup_frequency",
    "backup_last_run_time": "datetime",
    "backup_retention_value": "int",
    "backup_schedule": "(string -> string) map",
    "is_alarm_enabled": "bool",
}
_SIGNATURES = (
    "VMPP.protect_now(VMPP ref vmpp) -> string",
    "VMPP.get_alerts(VMPP ref vmpp, int hours_from_now) -> string set",
    *(f"VMPP.set_{name}(VMPP ref self, {kind} value) -> void" for name, kind in _SETTERS.items()),
    *(f"VMPP.add_to_{name}(VMPP ref self, string key, string value) -> void" for name in _MAPS),
    *(f"VMPP.remove_from_{name}(VMPP ref self, string key) -> void" for name in _MAPS),
)


def refuse(call: Call, *arguments: Any) -> NoReturn:
    """Raise what every message of the class answers."""
    raise Failure("MESSAGE_REMOVED")


message("VMPP.archive_now(VM ref snapshot) -> string", role="vm-power-admin", since="1.8", until="2.0")(refuse)
for _signature in _SIGNATURES:
    message(_signature, role="pool-operator", since="1.8", until="2.0")(refuse)
