"""The power of virtual machines: the twin of a client's `power.ps1`."""

from __future__ import annotations

from typing import Any

from .common import confirm_state, the_vm
from .domains import domain_record
from .registry import Host, RefusalError, operation

__all__: list[str] = []

_SERVICE = "9F8233AC-BE49-4C79-8EE3-E7E1985B2077"
_BOOT_SECONDS = 120
_SAVED = ("Saved", "FastSaved")


def _now(host: Host, id: Any) -> dict[str, Any]:
    return domain_record(host, the_vm(host, id), ["config"])


def _silent(vm: Any, why: str) -> RefusalError:
    booting = vm["Uptime"].total_seconds() < _BOOT_SECONDS
    why = f"{why}, perhaps not yet" if booting else why
    text = f"the guest of '{vm['Name']}' cannot be asked to shut down: {why}"
    return RefusalError("GuestAgent", text, not_yet=booting)


def _component(host: Host, vm: Any) -> Any:
    services = [one for one in host.run("Get-VMIntegrationService", VM=[vm]) if one["Id"].upper().endswith(_SERVICE)]
    if services and not services[0]["Enabled"]:
        hint = "Enable-VMIntegrationService switches it on"
        text = f"the shutdown service is switched off for '{vm['Name']}'"
        raise RefusalError("GuestAgent", text, not_yet=False, hint=hint)
    found = host.run(
        "Get-CimInstance",
        Namespace="root\\virtualization\\v2",
        ClassName="Msvm_ShutdownComponent",
        Filter=f"SystemName='{str(vm['Id']).upper()}'",
    )
    if not found:
        raise _silent(vm, "its integration services do not run")
    if (found[0]["OperationalStatus"] or [None])[0] != 2:
        raise _silent(vm, "its integration services do not answer")
    return found[0]


def _ask(host: Host, id: Any, verb: str, method: str) -> dict[str, Any]:
    vm = the_vm(host, id)
    confirm_state(vm, verb, "Running")
    component = _component(host, vm)
    arguments = {"Force": False, "Reason": "asked for by hvsdk"}
    said = host.one("Invoke-CimMethod", InputObject=component, MethodName=method, Arguments=arguments)
    code = int(said["ReturnValue"])
    if code == 32775:
        now = the_vm(host, id)
        text = f"'{now['Name']}' cannot be {verb} while it is {now['State']}"
        raise RefusalError("PowerState", text, state=now["State"])
    if code == 32768:
        raise _silent(vm, "it does not take the request")
    if code not in (0, 4096):
        text = f"Hyper-V did not ask the guest of '{vm['Name']}': it returned {code}"
        raise RefusalError("OperationFailed", text, native_code=code)
    return _now(host, id)


def _start(host: Host, id: Any) -> dict[str, Any]:
    host.run("Start-VM", VM=[the_vm(host, id)])
    now = the_vm(host, id)
    if now["State"] == "Paused":
        host.run("Resume-VM", VM=[now])
    return _now(host, id)


@operation("power.start")
def _power_start(host: Host, arguments: dict[str, Any]) -> Any:
    confirm_state(the_vm(host, arguments["id"]), "started", "Off", *_SAVED)
    return _start(host, arguments["id"])


@operation("power.resume")
def _power_resume(host: Host, arguments: dict[str, Any]) -> Any:
    confirm_state(the_vm(host, arguments["id"]), "resumed", *_SAVED)
    return _start(host, arguments["id"])


@operation("power.shutdown")
def _power_shutdown(host: Host, arguments: dict[str, Any]) -> Any:
    return _ask(host, arguments["id"], "shut down", "InitiateShutdown")


@operation("power.reboot")
def _power_reboot(host: Host, arguments: dict[str, Any]) -> Any:
    return _ask(host, arguments["id"], "rebooted", "InitiateReboot")


@operation("power.off")
def _power_off(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    if vm["State"] in (*_SAVED, "SavedCritical"):
        if not arguments.get("discard"):
            text = f"'{vm['Name']}' is {vm['State']}: its power is off, and its memory would be lost"
            hint = "discard_memory=True gives the saved memory up"
            raise RefusalError("PowerState", text, state=vm["State"], hint=hint)
        host.run("Remove-VMSavedState", VM=[vm])
    else:
        confirm_state(vm, "switched off", "Running", "Paused", "RunningCritical", "PausedCritical")
        host.run("Stop-VM", VM=[vm], TurnOff=True, Force=True)
    return _now(host, arguments["id"])


@operation("power.reset")
def _power_reset(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "reset", "Running", "RunningCritical")
    host.run("Restart-VM", VM=[vm], Force=True)
    return _now(host, arguments["id"])


@operation("power.pause")
def _power_pause(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "paused", "Running")
    host.run("Suspend-VM", VM=[vm])
    return _now(host, arguments["id"])


@operation("power.unpause")
def _power_unpause(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "unpaused", "Paused")
    host.run("Resume-VM", VM=[vm])
    return _now(host, arguments["id"])


@operation("power.suspend")
def _power_suspend(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "suspended", "Running")
    host.run("Save-VM", VM=[vm])
    return _now(host, arguments["id"])
