"""What the operations of all scripts share: the twin of a client's `common.ps1`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .registry import Host, RefusalError

__all__ = ["confirm_sight", "confirm_state", "guid_text", "is_missing", "is_unlisted", "seconds", "the_vm", "time_text"]

_NO_YEAR_BEFORE = 1602
"""Windows means none by the year 1601."""


def the_vm(host: Host, id: Any) -> Any:
    """Return the virtual machine with this id, here or on another node: the twin of `Get-TheVM`.

    Raises:
        RefusalError: `DomainNotFound`, or `PermissionDenied` where nothing can be seen at all.
    """
    try:
        guid = UUID(str(id))
    except ValueError:
        raise RefusalError("DomainNotFound", f"there is no domain '{id}'") from None
    try:
        found = host.run("Get-VM", Id=guid)
        if len(found) == 1:
            return found[0]
    except CmdletError as error:
        if not is_missing(error):
            confirm_sight(host)
            if not is_unlisted(host, error, guid):
                raise
    confirm_sight(host)
    from .migrate import find_moved

    moved = find_moved(host, guid)
    if moved is not None:
        return moved
    raise RefusalError("DomainNotFound", f"there is no domain '{id}'")


def is_missing(error: CmdletError) -> bool:
    """Whether an error says that something was not found: the twin of `Test-Missing`."""
    if error.error_id == "CommandNotFoundException":
        return False
    return error.category == "ObjectNotFound" or error.error_id in ("ObjectNotFound", "InvalidParameter")


def is_unlisted(host: Host, error: CmdletError, id: UUID) -> bool:
    """Whether an error gives no reason, and the machine is not listed: the twin of `Test-Unlisted`."""
    return error.category == "NotSpecified" and all(one["Id"] != id for one in host.run("Get-VM"))


def confirm_sight(host: Host) -> None:
    """Fail when this user sees nothing of Hyper-V: the twin of `Confirm-Sight`."""
    try:
        host.run("Get-VMHost")
    except CmdletError as error:
        if error.error_id == "CommandNotFoundException":
            raise
        hint = "is the user a member of the group Hyper-V Administrators, and does the service vmms run?"
        raise RefusalError("PermissionDenied", "Hyper-V shows nothing to this user", hint=hint) from error


def confirm_state(vm: Any, verb: str, *states: str) -> None:
    """Fail unless a VM is in one of these states: the twin of `Confirm-State`. The verb is a participle."""
    state = vm["State"]
    if state not in states:
        text = f"'{vm['Name']}' cannot be {verb} while it is {state}"
        raise RefusalError("PowerState", text, state=state, states=list(states))


def time_text(moment: datetime | None) -> str | None:
    """Return a date as ISO 8601 in UTC: the twin of `ConvertTo-Time`."""
    if moment is None:
        return None
    utc = moment.astimezone(UTC)
    return None if utc.year < _NO_YEAR_BEFORE else utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(span: timedelta | None) -> float | None:
    """Return a TimeSpan as seconds."""
    return None if span is None else span.total_seconds()


def guid_text(value: Any) -> str | None:
    """Return a GUID as lower-case text without braces."""
    return None if value is None else str(value).strip("{}").lower()
