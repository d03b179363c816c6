"""Where a screen is: the twin of a client's `console.ps1`."""

from __future__ import annotations

from typing import Any

from .common import confirm_state, the_vm
from .registry import Host, operation

__all__: list[str] = []


@operation("console.find")
def _find(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "viewed", "Running", "Paused", "Starting", "Stopping")
    return {"id": str(vm["Id"]), "node": (vm["ComputerName"] or "").lower()}
