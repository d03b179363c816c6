"""What XAPI's commonest refusals say, in words for somebody who does not know its references."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hvsdk.driver import Operation

from hvsdk_xen._fence import fence_text
from hvsdk_xen._roles import wanted_role

__all__ = ["explain", "next_step", "state_word"]

_REF: Final = re.compile(r"OpaqueRef:[\w-]*")
_FENCED: Final = fence_text("")
_STATES: Final = {"halted": "shutoff"}
"""XAPI's words for states which are not hvsdk's as well."""
_NOT_LIVE: Final = "does not answer the pool"


def explain(code: str, details: Sequence[str], operation: Operation) -> str:
    """Return the message for a code and its parameters, without references, which tell a reader nothing."""
    if not code:
        return "XAPI refused it without a reason"
    parameters = [*details, "", "", ""]
    words = _WORDS.get(code)
    if words is not None:
        return f"{words(parameters, operation)} ({code})"
    told = [text for text in (_REF.sub("", detail).strip() for detail in details) if text]
    said = f"{code}: {', '.join(told)}" if told else code
    return f"{said} (domain {operation.domain!r})" if operation.domain else said


def next_step(code: str, details: Sequence[str], operation: Operation) -> str | None:
    """Return the hint for what depends on more than the code."""
    if code == "OPERATION_BLOCKED" and len(details) > 1 and details[1].startswith(_FENCED):
        return "unfence() it when that no longer holds"
    if code == "RBAC_PERMISSION_DENIED" and details and (role := wanted_role(details[0])):
        return f"it wants the role {role}: see the pool's subjects and their roles"
    if code == "VM_BAD_POWER_STATE" and operation.verb == "clone":
        return "shut it down first: XAPI copies no domain that runs"
    if code.startswith("VM_LACKS_FEATURE") or code == "VM_MISSING_PV_DRIVERS":
        more = {
            "reboot": "; reset() restarts it without asking the guest",
            "shutdown": "; power_off(), or shutdown(then='power_off'), cuts the power without asking the guest",
            "migrate": "; off, it moves without them",
        }.get(operation.verb, "")
        return f"install the XenServer tools (xe-guest-utilities) in the guest, or wait until they run{more}"
    return None


def state_word(told: str) -> str:
    """Return hvsdk's word for a power state of XAPI's."""
    word = told.strip().lower()
    return _STATES.get(word, word)


def _subject(operation: Operation) -> str:
    return f"domain {operation.domain!r}" if operation.domain else operation.native_id or "it"


def _blocked(details: Sequence[str], operation: Operation) -> str:
    if details[1].startswith(_FENCED):
        return f"{operation.verb} is refused: {_subject(operation)} is fenced: {details[1].removeprefix(_FENCED)}"
    return f"{operation.verb} is blocked on {_subject(operation)}: {_REF.sub('', details[1]) or 'no reason was given'}"


def _bad_state(details: Sequence[str], operation: Operation) -> str:
    wanted = " or ".join(state_word(word) for word in re.split(r"[,;]", details[1]) if word.strip())
    return f"{_subject(operation)} is {state_word(details[2])}, and {operation.verb} wants it to be {wanted}"


def _not_enough_memory(details: Sequence[str], operation: Operation) -> str:
    needed, free = map(_mib, details[:2])
    return f"{operation.verb} of {_subject(operation)} takes {needed} of memory, and the host has {free} free"


def _mib(text: str) -> str:
    return f"{int(text) / 2**20:,.0f} MiB" if text.isdecimal() and len(text) < 20 else text


def _not_there(details: Sequence[str], operation: Operation) -> str:
    handle = _REF.sub("", details[1])
    return f"there is no {details[0] or 'such object'}{' ' + handle if handle else ''} at this pool any more"


def _guest(details: Sequence[str], operation: Operation) -> str:
    return (
        f"{operation.verb} needs the tools in the guest of {_subject(operation)}, and they do not run or cannot do it"
    )


def _host(details: Sequence[str], operation: Operation) -> str:
    where = _REF.sub("", details[0])
    which = f"a host that {operation.verb} of {_subject(operation)} needs" if operation.native_id else "a host"
    return f"{which}{f' ({where})' if where else ''} {_NOT_LIVE}: it was not carried out"


def _permission(details: Sequence[str], operation: Operation) -> str:
    return (
        f"the user's role does not include {details[0]}: {details[1]}"
        if details[1]
        else f"the user may not {details[0]}"
    )


_WORDS: Final[Mapping[str, Callable[[Sequence[str], Operation], str]]] = {
    "OPERATION_BLOCKED": _blocked,
    "VM_BAD_POWER_STATE": _bad_state,
    "VM_MISSING_PV_DRIVERS": _guest,
    "VM_LACKS_FEATURE": _guest,
    "NO_HOSTS_AVAILABLE": lambda details, operation: f"no host of the pool can take {_subject(operation)} now",
    "HOST_NOT_ENOUGH_FREE_MEMORY": _not_enough_memory,
    "HANDLE_INVALID": _not_there,
    "UUID_INVALID": _not_there,
    "RBAC_PERMISSION_DENIED": _permission,
    "HOST_OFFLINE": _host,
    "CANNOT_CONTACT_HOST": _host,
    "HOST_NOT_LIVE": _host,
}
