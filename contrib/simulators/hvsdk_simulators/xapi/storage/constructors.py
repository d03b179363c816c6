"""The records that objects are made from."""

from typing import Any

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.schema import FIRST, SCHEMA


def fields_given(cls: str, record: dict[str, Any]) -> dict[str, Any]:
    """Return what a record says of the fields that whoever makes an object may set.

    Raises:
        Failure: One is missing that has been asked for from the first version on.
    """
    found: dict[str, Any] = {}
    for one in SCHEMA[cls].fields.values():
        if one.mode not in ("RW", "CTOR"):
            continue
        if one.name in record:
            value = record[one.name]
            found[one.name] = value.copy() if isinstance(value, dict | list) else value
        elif one.default == "" and one.since == FIRST:
            raise Failure("INTERNAL_ERROR", f'Server_helpers.Dispatcher_FieldNotFound("{one.name}")')
    return found


def ref_of(value: Any) -> str:
    """The reference of what a record names, however it was read."""
    return value.ref if isinstance(value, Object) else str(value or NULL)
