"""Other simulated hosts, in processes of their own, to which virtual machines move.

A host knows another when its control door was told of it: `act("peer", node="HV-9", control=URL)`. A machine is handed over
with its files through that host's own control door, which is for this machine alone.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hvsdk_simulators.hyperv import disks
from hvsdk_simulators.hyperv.actions import ActionError, action
from hvsdk_simulators.hyperv.file_system import FileSystem
from hvsdk_simulators.hyperv.vms import Vm
from hvsdk_simulators.hyperv.world import World

from .chains import file_at, parent_of, same_path
from .errors import CmdletError

__all__ = ["hand_over", "peers_of", "point_at", "problems_there"]

_SECONDS = 30.0
_PARTS = frozenset(
    {("uuid", "UUID"), ("uuid", "SafeUUID"), *(("datetime", one) for one in ("datetime", "timedelta", "timezone"))}
)
"""Of what machines consist beside our own classes."""


def peers_of(world: World) -> dict[str, str]:
    """Return the control doors of other hosts by their names in lower case."""
    found: dict[str, str] = world.facts.setdefault("peers", {})
    return found


@action("name")
def _name(world: World, *, node: str) -> None:
    """Give the host another name: `act("name", node="HV-9")`."""
    before, world.node = world.node, node
    world.nodes = [world.node if one == before else one for one in world.nodes]
    for vm in world.vms.values():
        if vm.node == before:
            vm.node = world.node


@action("peer")
def _peer(world: World, *, node: str, control: str) -> None:
    """Tell of another host, to which machines may move from now on: its name, and its control door."""
    world.facts.setdefault("hosts", {})["migration"] = True
    peers_of(world)[node.lower()] = control


@action("moves")
def _moves(
    world: World, *, node: str, denied: bool = False, problems: Sequence[str] = (), enabled: bool = True
) -> None:
    """Say what stands in the way of moves to a host: `act("moves", node="HV-2", denied=True, problems=["…"])`.

    Moves are switched on with that, as by Enable-VMMigration, or off with `enabled=False`.
    """
    world.facts.setdefault("hosts", {})["migration"] = enabled
    world.facts.setdefault("moves", {})[node.upper()] = {"denied": denied, "problems": list(problems)}


@action("arrive")
def _arrive(
    world: World,
    *,
    vm: str,
    switches: Mapping[str, str],
    check: bool,
    folder: str = "",
    files: Sequence[Sequence[str]] = (),
) -> list[str]:
    """Take over a machine that another host hands over; with `check` only say what stands in the way."""
    arrived = _unpacked(vm)
    here = {switch.name: switch.id for switch in world.switches.values()}
    problems = [f"Could not find Ethernet switch '{name}'." for name in sorted(set(switches.values()) - set(here))]
    if arrived.id in world.vms:
        problems.append(f"The virtual machine '{arrived.name}' is there already.")
    if problems and not check:
        raise ActionError(problems[0])
    if check:
        return problems
    for adapter in arrived.hardware.adapters:
        adapter.switch = here.get(switches.get(str(adapter.switch), ""))
    FileSystem(world).make_folder(folder + "\\Virtual Hard Disks")
    moved = []
    for source, old, new in files:
        target = FileSystem(world).new_file(new)
        target.write_bytes(Path(source).read_bytes())
        moved.append((target, old))
    for target, old in moved:
        point_at(arrived, old, target.name)
        for other, _ in moved:
            if same_path(parent_of(world, other.name), old):
                disks.set_parent(other, target, target.name)
    arrived.node, arrived.path = world.node, folder
    world.vms[arrived.id] = arrived
    return []


def problems_there(world: World, vm: Vm, peer: str) -> list[str]:
    """Return what another host has against a machine."""
    found: list[str] = _ask(peer, {"check": True, "vm": _packed(vm), "switches": _switches(world, vm)})
    return found


def hand_over(world: World, vm: Vm, peer: str, folder: str, files: Mapping[str, str]) -> None:
    """Move a machine to another host, with its files: by their paths here, those there."""
    there = [[str(file_at(world, old)), old, new] for old, new in files.items()]
    arguments = {"check": False, "vm": _packed(vm), "switches": _switches(world, vm), "folder": folder, "files": there}
    _ask(peer, arguments)
    del world.vms[vm.id]
    for old in files:
        file_at(world, old).unlink()


def point_at(vm: Vm, old: str, new: str) -> None:
    """Have drives of a machine and of its checkpoints have a file where it is now."""
    for hardware in (vm.hardware, *(one.hardware for one in vm.checkpoints)):
        for drive in hardware.drives:
            if same_path(drive.path, old):
                drive.path = new
    for checkpoint in vm.checkpoints:
        checkpoint.disks = {key: new if same_path(path, old) else path for key, path in checkpoint.disks.items()}


def _switches(world: World, vm: Vm) -> dict[str, str]:
    found = [world.switches.get(one.switch) for one in vm.hardware.adapters if one.switch is not None]
    return {str(switch.id): switch.name for switch in found if switch is not None}


def _packed(vm: Vm) -> str:
    return base64.b64encode(pickle.dumps(vm)).decode()


def _unpacked(text: str) -> Vm:
    """Return the machine that `_packed` made a text of.

    Raises:
        ValueError: It is none.
    """
    try:
        vm = _Arriving(io.BytesIO(base64.b64decode(text))).load()
    except (pickle.UnpicklingError, AttributeError, EOFError) as exc:
        raise ValueError(f"this is no virtual machine: {exc}") from exc
    if not isinstance(vm, Vm):
        raise ValueError("this is no virtual machine")
    return vm


class _Arriving(pickle.Unpickler):
    """Makes what machines consist of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if "." not in name and (module == Vm.__module__ or (module, name) in _PARTS):
            found = super().find_class(module, name)
            if getattr(found, "__module__", None) == module:
                return found
        raise pickle.UnpicklingError(f"a machine has no {module}.{name}")


def _ask(control: str, arguments: Mapping[str, Any]) -> Any:
    request = urllib.request.Request(f"{control}/actions/arrive", json.dumps(arguments).encode(), method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        raise CmdletError("OperationFailed", "NotSpecified", f"Virtual machine migration failed. {text}") from error
    except OSError as error:
        text = f"Virtual machine migration failed: the other host could not be reached ({error})."
        raise CmdletError("OperationFailed", "NotSpecified", text) from error
