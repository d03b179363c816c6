"""Pictures of screens: the twin of a client's `screenshot.ps1`."""

from __future__ import annotations

import base64
import gzip
from typing import Any

from .common import confirm_state, the_vm
from .registry import Host, RefusalError, operation

__all__: list[str] = []

_SPACE = "root\\virtualization\\v2"
_UP = ("Running", "Paused")
_METHOD = "GetVirtualSystemThumbnailImage"
_INVALID_STATE = 32775


@operation("screenshot.take")
def _take(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "captured", *_UP)
    key = str(vm["Id"]).upper()
    width, height = 1024, 768
    heads = _instances(host, "Msvm_VideoHead", f"SystemName='{key}'")
    if heads and heads[0]["CurrentHorizontalResolution"] and heads[0]["CurrentVerticalResolution"]:
        width = min(1920, heads[0]["CurrentHorizontalResolution"])
        height = min(1200, heads[0]["CurrentVerticalResolution"])
    kind = "VirtualSystemType='Microsoft:Hyper-V:System:Realized'"
    settings = _instances(host, "Msvm_VirtualSystemSettingData", f"{kind} AND VirtualSystemIdentifier='{key}'")
    services = _instances(host, "Msvm_VirtualSystemManagementService", None)
    if not settings or not services:
        raise RefusalError("OperationFailed", "the host shows no settings of this machine")
    asked = {"TargetSystem": settings[0], "WidthPixels": width, "HeightPixels": height}
    taken = host.one("Invoke-CimMethod", InputObject=services[0], MethodName=_METHOD, Arguments=asked)
    if taken["ReturnValue"] == _INVALID_STATE:
        confirm_state(the_vm(host, arguments["id"]), "captured", *_UP)
    if taken["ReturnValue"] != 0 or taken["ImageData"] is None:
        raise RefusalError("OperationFailed", f"the host takes no picture: it answers {taken['ReturnValue']}")
    image = base64.b64encode(gzip.compress(taken["ImageData"], compresslevel=1)).decode("ascii")
    return {"width": width, "height": height, "image": image}


def _instances(host: Host, name: str, filter_: str | None) -> list[Any]:
    more = {"Filter": filter_} if filter_ else {}
    return host.run("Get-CimInstance", Namespace=_SPACE, ClassName=name, **more)
