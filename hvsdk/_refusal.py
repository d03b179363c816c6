"""The words around a product's own: what was asked, and of which domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvsdk.errors import (
    CancelledError,
    ConnectError,
    GuestAgentError,
    HvsdkError,
    OperationTimeoutError,
    OutcomeUnknownError,
)

if TYPE_CHECKING:
    from hvsdk._driver.operation import Operation

__all__ = ["asked", "say_what_was_refused"]

_CALLS = {
    "get_domain": "refresh",
    "host_info": "info",
    "list_domains": "domains",
    "list_networks": "networks",
    "list_nodes": "nodes",
    "list_snapshots": "snapshots",
    "list_storage_pools": "storage_pools",
    "list_volumes": "volumes",
}
"""What the user called, where the operation has another name."""
_OWN_WORDS = (ConnectError, CancelledError, GuestAgentError, OperationTimeoutError, OutcomeUnknownError)
"""They are about a host or a time, or say all of that themselves."""


def asked(operation: Operation) -> str:
    """Return what was asked, in the user's words: `start of domain 'web-1'`, `domain('web-1')`."""
    if operation.verb in ("find_domain", "get_domain") and "key" in operation.arguments:
        return f"domain({operation.arguments['key']!r})"
    call = _CALLS.get(operation.verb, operation.verb)
    name = _domain(operation)
    return call if name is None else f"{call} of domain {name!r}"


def say_what_was_refused(operation: Operation, error: HvsdkError) -> None:
    """Put what was asked in front of a product's refusal, unless that names the domain, or the verb where there is none."""
    if error.native_code is None or isinstance(error, _OWN_WORDS):
        return
    name = _domain(operation)
    known = _CALLS.get(operation.verb, operation.verb) if name is None else repr(name)
    if known not in error.message:
        error.message = f"{asked(operation)} was refused: {error.message or error.native_code}"


def _domain(operation: Operation) -> str | None:
    if operation.verb == "create_domain":
        name = operation.arguments.get("name")
        return name if isinstance(name, str) else None
    return operation.domain
