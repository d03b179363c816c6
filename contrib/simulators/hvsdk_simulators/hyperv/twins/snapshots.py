"""Checkpoints: the twin of a client's `snapshots.ps1`."""

from __future__ import annotations

import contextlib
import re
from functools import partial
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .common import confirm_state, guid_text, the_vm, time_text
from .domains import domain_record
from .files import confirm_reach, confirm_unused, is_own_path, own_disks, parent_path
from .registry import Host, RefusalError, operation

__all__ = ["new_checkpoint", "the_checkpoint", "wait_merge"]

_LOOK_SECONDS = 0.25
_IDLE_LOOKS = 120
_VSS = "5CED1297-4598-4915-A5FC-AD21BB4D02A4"
_MERGING = {"MergingDisks", "DeletingSnapshot"}
_OURS = re.compile(r"\.avhdx?$", re.IGNORECASE)


@operation("snapshots.list")
def _list(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    return [_record(one, vm["ParentSnapshotId"]) for one in host.run("Get-VMSnapshot", VM=[vm])]


@operation("snapshots.create")
def _create(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    made = new_checkpoint(host, vm, arguments["name"], arguments["kind"], arguments["mark"])
    return _record(made, made["Id"])


@operation("snapshots.revert")
def _revert(host: Host, arguments: dict[str, Any]) -> Any:
    id = arguments["id"]
    vm = the_vm(host, id)
    checkpoint = the_checkpoint(host, vm, arguments["snapshot"])
    confirm_state(vm, "reverted", "Off", "Running", "Paused", "Saved")
    _confirm_droppable(host, vm)
    name, notes, kind = vm["Name"], vm["Notes"] or "", _type_of(vm)
    memory = checkpoint["State"] != "Off"

    def restore() -> None:
        now = the_vm(host, id)
        _set(host, now, kind, notes)
        if now["Name"] != name:
            host.run("Set-VM", VM=[now], NewVMName=name)

    reverted = False
    try:
        host.run("Restore-VMSnapshot", VMSnapshot=checkpoint, Confirm=False)
        reverted = True
    finally:
        if reverted:
            restore()
        else:
            host.undo(f"name, notes or settings of '{name}' as they were then", restore)
    now = the_vm(host, id)
    if memory and now["State"] != "Running":
        if now["State"] != "Paused":
            host.run("Start-VM", VM=[now])
        now = the_vm(host, id)
        if now["State"] == "Paused":
            host.run("Resume-VM", VM=[now])
    elif not memory and now["State"] == "Saved":
        host.run("Remove-VMSavedState", VM=[now])
    return domain_record(host, the_vm(host, id), ())


@operation("snapshots.delete")
def _delete(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    checkpoint = the_checkpoint(host, vm, arguments["snapshot"])
    options = {"IncludeAllChildSnapshots": True} if arguments["children"] else {}
    _confirm_free(host, vm, _descendants(host, vm, checkpoint) if arguments["children"] else [checkpoint])
    host.run("Remove-VMSnapshot", VMSnapshot=[checkpoint], Confirm=False, **options)
    wait_merge(host, arguments["id"])


def the_checkpoint(host: Host, vm: Any, id: str) -> Any:
    """Return the checkpoint of a VM with this id.

    Raises:
        RefusalError: There is none.
    """
    for one in host.run("Get-VMSnapshot", VM=[vm]):
        if str(one["Id"]) == str(id).lower():
            return one
    raise RefusalError("SnapshotNotFound", f"'{vm['Name']}' has no snapshot '{id}'")


def new_checkpoint(host: Host, vm: Any, name: str, kind: str, mark: str | None) -> Any:
    """Make a checkpoint of exactly this kind: `"disks"`, `"memory"` or `"quiesce"`."""
    _confirm_kind(host, vm, kind)
    type_, notes, state = _type_of(vm), vm["Notes"] or "", vm["State"]
    wanted = "ProductionOnly" if kind == "quiesce" else "Standard" if type_ else None
    marked = notes + mark if mark else None
    made, done = None, False

    def restore() -> None:
        now = the_vm(host, vm["Id"])
        _set(host, now, type_, notes if mark and now["Notes"] == marked else None)

    try:
        try:
            _set(host, vm, wanted, marked)
            made = host.one("Checkpoint-VM", VM=[vm], SnapshotName=name, Passthru=True)
        finally:
            if made is not None:
                restore()
            else:
                host.undo(f"settings for snapshots of '{vm['Name']}' that are not its own", restore)
        if made["Name"] != name:
            host.run("Rename-VMSnapshot", VMSnapshot=made, NewName=name)
        if kind == "disks" and state != "Off":
            host.run("Remove-VMSavedState", VMSnapshot=made)
        made = the_checkpoint(host, the_vm(host, vm["Id"]), made["Id"])
        if (made["State"] != "Off") != (kind == "memory"):
            text = f"Hyper-V made another kind of checkpoint of '{vm['Name']}': its state is {made['State']}"
            raise RefusalError("OperationFailed", text)
        done = True
        return made
    finally:
        if not done and made is not None:
            remove = partial(host.run, "Remove-VMSnapshot", VMSnapshot=[made], Confirm=False)
            host.undo(f"a snapshot of '{vm['Name']}'", remove)


def wait_merge(host: Host, id: str) -> None:
    """Wait until disks are merged."""
    idle = 0
    while True:
        vm = the_vm(host, id)
        if _MERGING.isdisjoint(vm["OperationalStatus"] or ()):
            with contextlib.suppress(CmdletError):
                if _is_merged(host, vm):
                    return
            idle += 1
        else:
            idle = 0
        if idle > _IDLE_LOOKS:
            text = f"the snapshot is gone, but disks of '{vm['Name']}' are not merged"
            hint = "Hyper-V merges them when nothing holds their files any more, at the latest when the machine is off"
            raise RefusalError("OperationFailed", text, hint=hint)
        with host.world.lock:
            host.world.wait(_LOOK_SECONDS)


def _record(checkpoint: Any, current: Any) -> dict[str, Any]:
    return {
        "id": str(checkpoint["Id"]),
        "name": checkpoint["Name"],
        "created": time_text(checkpoint["CreationTime"]),
        "parent": guid_text(checkpoint["ParentSnapshotId"]),
        "state": checkpoint["State"],
        "type": checkpoint["SnapshotType"],
        "notes": checkpoint["Notes"] or "",
        "current": current is not None and str(checkpoint["Id"]) == str(current),
    }


def _descendants(host: Host, vm: Any, checkpoint: Any) -> list[Any]:
    """Return a checkpoint with all that were made after it."""
    every = host.run("Get-VMSnapshot", VM=[vm])
    found = [checkpoint]
    for one in found:
        found += [each for each in every if str(each["ParentSnapshotId"]) == str(one["Id"])]
    return found


def _confirm_free(host: Host, vm: Any, checkpoints: list[Any]) -> None:
    """Fail unless nobody else needs the files that change when checkpoints go."""
    own = own_disks(host, vm)
    confirm_reach(host, vm, own)
    paths: dict[str, str] = {}
    for one in checkpoints:
        for drive in host.run("Get-VMHardDiskDrive", VMSnapshot=one):
            if drive["Path"] and is_own_path(drive["Path"]):
                paths[drive["Path"].lower()] = drive["Path"]
    more: dict[str, str] = {}
    for path in own:
        chain: list[str] = []
        at: str | None = path
        while at:
            if at.lower() in paths:
                more |= {above.lower(): above for above in chain}
            chain.append(at)
            at = parent_path(host, at, "merged")
    paths |= more
    if paths:
        confirm_unused(host, list(paths.values()), str(vm["Id"]), "merged")


def _confirm_droppable(host: Host, vm: Any) -> None:
    """Fail unless nobody else needs the files that go when a machine is rolled back."""
    kept = {
        str(drive["Path"]).lower()
        for checkpoint in host.run("Get-VMSnapshot", VM=[vm])
        for drive in host.run("Get-VMHardDiskDrive", VMSnapshot=checkpoint)
    }
    found = [str(drive["Path"] or "") for drive in host.run("Get-VMHardDiskDrive", VM=[vm])]
    paths = [path for path in found if _OURS.search(path) and path.lower() not in kept]
    if paths:
        confirm_unused(host, paths, str(vm["Id"]), "dropped")


def _type_of(vm: Any) -> str:
    return str(vm.properties.get("CheckpointType") or "")


def _set(host: Host, vm: Any, kind: str | None, notes: str | None) -> None:
    """Set what is given and is not so yet."""
    changes: dict[str, Any] = {}
    if kind and _type_of(vm) != kind:
        changes["CheckpointType"] = kind
    if notes is not None and (vm["Notes"] or "") != notes:
        changes["Notes"] = notes
    if changes:
        host.run("Set-VM", VM=[vm], **changes)


def _confirm_kind(host: Host, vm: Any, kind: str) -> None:
    name, type_ = vm["Name"], _type_of(vm)
    if type_ == "Disabled":
        hint = "Set-VM -CheckpointType Production allows them"
        raise RefusalError("Unsupported", f"checkpoints are switched off for '{name}'", hint=hint)
    if kind == "disks":
        confirm_state(vm, "given a snapshot", "Off", "Running", "Paused")
        return
    confirm_state(vm, "given such a snapshot", "Running")
    if kind == "memory":
        return
    if not type_:
        raise RefusalError("Unsupported", "this Windows knows no checkpoints of a guest at rest: they came with 2016")
    for service in host.run("Get-VMIntegrationService", VM=[vm]):
        if not str(service["Id"]).upper().endswith(_VSS):
            continue
        if not service["Enabled"]:
            text = f"the service for backups is switched off for '{name}'"
            raise RefusalError("GuestAgent", text, hint="Enable-VMIntegrationService")
        if service["PrimaryOperationalStatus"] != "Ok":
            text = f"the guest of '{name}' does not answer to requests to come to rest"
            hint = "leave quiesce out for a snapshot such as a power cut would leave"
            raise RefusalError("GuestAgent", text, hint=hint)


def _is_merged(host: Host, vm: Any) -> bool:
    """Whether nothing is left to merge."""
    kept: set[str] = set()
    leaves = list(host.run("Get-VMHardDiskDrive", VM=[vm]))
    for checkpoint in host.run("Get-VMSnapshot", VM=[vm]):
        drives = host.run("Get-VMHardDiskDrive", VMSnapshot=checkpoint)
        kept |= {str(drive["Path"]).lower() for drive in drives}
        leaves += drives
    above: dict[str, set[str]] = {}
    for path in (drive["Path"] for drive in leaves if drive["Path"]):
        while _OURS.search(path):
            parent = host.one("Get-VHD", Path=[path])["ParentPath"]
            if not parent:
                break
            above.setdefault(parent.lower(), set()).add(path.lower())
            path = parent
    return not any(key not in kept and len(children) == 1 for key, children in above.items())
