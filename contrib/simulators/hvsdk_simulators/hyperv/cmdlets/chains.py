"""Differencing files and what lies on what: made by checkpoints, merged and dropped when these go."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import uuid4

from hvsdk_simulators.hyperv import disks
from hvsdk_simulators.hyperv.vms import Drive, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

__all__ = ["branch_off", "drop_leaves", "file_at", "is_ours", "merge_all", "parent_of", "same_path"]

_OURS = (".avhdx", ".avhd")


def is_ours(path: str | None) -> bool:
    """Whether a file was made for a checkpoint: only such are merged and removed unasked."""
    return path is not None and path.lower().endswith(_OURS)


def same_path(one: str | None, other: str | None) -> bool:
    """Whether two paths are of one file."""
    return one is not None and other is not None and one.lower() == other.lower()


def file_at(world: World, path: str) -> Path:
    """Return the file on this side that a path on Windows means, whether it is there or not."""
    return disks.find(world.root, path) or world.root / path


def parent_of(world: World, path: str) -> str | None:
    """Return the path of the file that a disk lies on; None for one that lies on nothing, or is not there."""
    file = file_at(world, path)
    if not file.exists():
        return None
    return disks.info(file).parent_path or None


def branch_off(world: World, hardware: Hardware) -> Hardware:
    """Return a copy of hardware whose disks are new, empty differencing files on those of the original."""
    there = copy.deepcopy(hardware)
    for drive in _disks(there):
        drive.path = _new_file(world, str(drive.path))
    return there


def drop_leaves(world: World, hardware: Hardware) -> None:
    """Remove the files that hold a present state that is given up, as far as nothing else lies on them or is in them."""
    for drive in _disks(hardware):
        path: str | None = drive.path
        while path is not None and is_ours(path) and not _is_used(world, path):
            below = parent_of(world, path)
            file_at(world, path).unlink(missing_ok=True)
            path = below


def merge_all(world: World, candidates: Iterable[str]) -> None:
    """Merge and remove what no checkpoint holds any more: of these files, and of those that they lie on.

    Machines that were removed meanwhile, in `world.facts["merging"]`, have their disks all the same.
    """
    todo = list(candidates)
    while todo:
        path = todo.pop()
        if not file_at(world, path).exists() or _is_used(world, path, children=False):
            continue
        children = _children(world, path)
        below = parent_of(world, path)
        if not children and is_ours(path):
            file_at(world, path).unlink()
            todo += [below] if below else []
        elif len(children) == 1 and is_ours(children[0]):
            _merge(world, children[0], path)
            todo.append(path)


def _merge(world: World, child: str, into: str) -> None:
    """Write a file's content into the one that it lies on, which takes its place with all that lies on it."""
    disks.merge(file_at(world, child), file_at(world, into))
    for grandchild in _children(world, child):
        disks.set_parent(file_at(world, grandchild), file_at(world, into), into)
    for vm in _machines(world):
        for drive in _disks(vm.hardware):
            if same_path(drive.path, child):
                drive.path = into
        for checkpoint in vm.checkpoints:
            for drive in _disks(checkpoint.hardware):
                if same_path(drive.path, child):
                    drive.path = into
            checkpoint.disks = {key: into if same_path(path, child) else path for key, path in checkpoint.disks.items()}
    file_at(world, child).unlink()


def _machines(world: World) -> list[Vm]:
    merging: list[Vm] = world.facts.get("merging", [])
    return [*world.vms.values(), *(vm for vm in merging if vm.id not in world.vms)]


def _new_file(world: World, parent: str) -> str:
    folder, _, name = parent.rpartition("\\")
    stem, _, suffix = name.rpartition(".")
    head, _, tail = stem.rpartition("_")
    base = head if is_ours(parent) and head and len(tail) == 36 else stem
    kind = "avhd" if suffix.lower() in ("vhd", "avhd") else "avhdx"
    path = f"{folder}\\{base}_{str(uuid4()).upper()}.{kind}"
    source = file_at(world, parent)
    size = disks.info(source).size
    disks.create(
        world.root / path,
        "vhd" if kind == "avhd" else "vhdx",
        "differencing",
        size,
        parent=source,
        parent_name=parent,
    )
    return path


def _disks(hardware: Hardware) -> Iterator[Drive]:
    for drive in hardware.drives:
        if drive.kind == "disk" and drive.path is not None and not drive.shared:
            yield drive


def _children(world: World, path: str) -> list[str]:
    """Return the paths of the files that lie on one."""
    names = [one.name for one in world.root.iterdir() if one.suffix.lower() in (".vhdx", ".vhd", *_OURS)]
    return sorted(name for name in names if not same_path(name, path) and same_path(parent_of(world, name), path))


def _is_used(world: World, path: str, *, children: bool = True) -> bool:
    """Whether a checkpoint or a VM has this file, or another lies on it."""
    for vm in _machines(world):
        kept = [vm.hardware, *(one.hardware for one in vm.checkpoints)]
        if any(same_path(drive.path, path) for hardware in kept for drive in hardware.drives):
            return True
    return children and bool(_children(world, path))
