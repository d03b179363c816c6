"""What is at the other end: the twin of a client's `host.ps1`."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.cmdlets.versions import is_old

from .common import time_text
from .registry import Host, operation

__all__: list[str] = []


@operation("host.about")
def _about(host: Host, arguments: dict[str, Any]) -> Any:
    old = is_old(host.world.options.version)
    answer: dict[str, Any] = {
        "computer": host.world.node.lower(),
        "powershell": "4.0" if old else "5.1.20348.2849",
        "user": "tester",
        "product": "Windows Server",
        "version": None,
        "build": None,
        "node": None,
        "module": None,
        "cluster": None,
        "problem": None,
    }
    with contextlib.suppress(CmdletError):
        system = host.one("Get-CimInstance", ClassName="Win32_OperatingSystem")
        answer |= {"product": system["Caption"], "version": system["Version"], "build": system["BuildNumber"]}
    try:
        answer["node"] = host.one("Get-VMHost")["Name"].lower()
        answer["module"] = "1.1" if old else "2.0.0.0"
    except CmdletError as error:
        answer |= {"problem": "rights", "message": error.message}
    with contextlib.suppress(CmdletError):
        answer["cluster"] = host.one("Get-Cluster")["Name"]
    return answer


@operation("host.clock")
def _clock(host: Host, arguments: dict[str, Any]) -> Any:
    return time_text(datetime.now(UTC))
