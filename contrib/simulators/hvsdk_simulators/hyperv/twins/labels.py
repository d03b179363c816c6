"""Name, notes and what is done at the host's start: the twin of a client's `labels.ps1`."""

from __future__ import annotations

from typing import Any

from .common import the_vm
from .domains import domain_record
from .registry import Host, operation

__all__ = ["labels_of"]


def labels_of(vm: Any) -> dict[str, Any]:
    """Return everything that labels are made of."""
    return {
        "id": str(vm["Id"]),
        "name": vm["Name"],
        "notes": vm["Notes"] or "",
        "start_action": vm["AutomaticStartAction"],
    }


@operation("labels.get")
def _get(host: Host, arguments: dict[str, Any]) -> Any:
    return labels_of(the_vm(host, arguments["id"]))


@operation("labels.set")
def _set(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    now, expected = labels_of(vm), arguments.get("expected") or {}
    action, notes = arguments.get("start_action"), arguments.get("notes")
    if now["notes"] != (expected.get("notes") or ""):
        return {"done": False, "now": now}
    if action is not None and now["start_action"] != expected.get("start_action"):
        return {"done": False, "now": now}
    changes: dict[str, Any] = {}
    if notes is not None and notes != now["notes"]:
        changes["Notes"] = notes
    if action is not None and action != now["start_action"]:
        changes["AutomaticStartAction"] = action
    if changes:
        host.run("Set-VM", VM=[vm], **changes)
    return {"done": True, "now": labels_of(the_vm(host, arguments["id"]))}


@operation("labels.rename")
def _rename(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    if vm["Name"] != arguments["name"]:
        host.run("Rename-VM", VM=[vm], NewName=arguments["name"])
    return domain_record(host, the_vm(host, arguments["id"]), ["config"])
