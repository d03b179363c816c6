"""What goes with a VM to another pool, and where each part of it goes."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.storage.drivers import features
from hvsdk_simulators.xapi.storage.xva import write_document
from hvsdk_simulators.xapi.vm import disks, states
from hvsdk_simulators.xapi.vm.guest import guests
from hvsdk_simulators.xapi.vm.parcel import Parcel
from hvsdk_simulators.xapi.world import World

Places = Mapping[Object, str]
"""Where the caller wants parts of the VM: references in the other pool, by the objects here."""


@attrs.frozen(kw_only=True)
class Departure:
    """A VM that is to go.

    Attributes:
        vm: The VM.
        vms: The VM and its snapshots.
        disks: For each disk of them the SR that it goes to.
        networks: For each of their interfaces the network that it goes to.
        groups: For each of their virtual GPUs the GPU group that it goes to.
        uuids: For a copy, the new UUIDs.
    """

    vm: Object
    vms: list[Object]
    disks: dict[Object, str]
    networks: dict[Object, str]
    groups: dict[Object, str]
    uuids: dict[Object, str]


def plan(world: World, vm: Object, vdi_map: Places, vif_map: Places, vgpu_map: Places, *, copies: bool) -> Departure:
    """Decide what goes where.

    Raises:
        Failure: A part has no place, or does not move.
    """
    if copies and vm["power_state"] != states.HALTED:
        raise Failure("VM_BAD_POWER_STATE", vm.ref, "halted", vm["power_state"].lower())
    vms = [vm, *(world.db.get("VM", ref) for ref in vm["snapshots"])]
    return Departure(
        vm=vm,
        vms=vms,
        disks=_disk_places(world, vms, vdi_map),
        networks=_network_places(world, vms, vif_map),
        groups=_group_places(world, vms, vgpu_map),
        uuids={one: world.db.new_uuid() for one in vms} if copies else {},
    )


def has_changed(world: World, going: Departure) -> bool:
    """Whether the VM has other snapshots, disks or devices now than those for which there is a place."""
    vms = [going.vm, *(world.db.get("VM", ref) for ref in going.vm["snapshots"])]
    drives = [disks.disk_of(world, vbd) for vm in vms for vbd in disks.drives(world, vm)]
    saved = [world.db.lookup("VDI", vm["suspend_VDI"]) for vm in vms]
    parts = {vdi.ref for vdi in drives + saved if vdi is not None}
    parts.update(ref for vm in vms for ref in (*vm["VIFs"], *vm["VGPUs"]))
    placed = (going.disks, going.networks, going.groups)
    return vms != going.vms or parts != {obj.ref for places in placed for obj in places}


def pack(world: World, going: Departure, host: str, made: Mapping[Object, str], *, rehearsal: bool) -> Parcel:
    """Write down all that is not on the disks, as it is now.

    Args:
        world: This pool.
        going: The VM.
        host: Reference of the host in the other pool.
        made: References of the disks that were made there.
        rehearsal: Only ask whether it could come.
    """
    objects = list(_objects(world, going))
    names = {obj.ref: f"Ref:{number}" for number, obj in enumerate(objects)}
    known = guests(world)
    return Parcel(
        host=host,
        source=going.vm.ref,
        records=write_document({}, [(obj, obj.fields) for obj in objects]).decode(),
        vm=names[going.vm.ref],
        repositories=list(dict.fromkeys(going.disks.values())),
        disks=_named(names, made),
        networks=_named(names, going.networks),
        groups=_named(names, going.groups),
        guests={names[vm.ref]: attrs.asdict(known[vm.ref]) for vm in going.vms if vm.ref in known},
        uuids=_named(names, going.uuids),
        rehearsal=rehearsal,
    )


def _named(names: Mapping[str, str], values: Mapping[Object, str]) -> dict[str, str]:
    return {names[obj.ref]: value for obj, value in values.items()}


def _objects(world: World, going: Departure) -> Iterator[Object]:
    for vm in going.vms:
        yield vm
        for cls, refs in (
            *(("VM_metrics", [vm["metrics"]]), ("VM_guest_metrics", [vm["guest_metrics"]]), ("VBD", vm["VBDs"])),
            *(("VIF", vm["VIFs"]), ("VGPU", vm["VGPUs"]), ("VTPM", vm["VTPMs"])),
        ):
            yield from (obj for ref in refs if (obj := world.db.lookup(cls, ref)) is not None)
    yield from going.disks
    yield from _media(world, going)


def _media(world: World, going: Departure) -> list[Object]:
    """What is in the drives and does not go along; each once, for drives share media."""
    vbds = [vbd for vm in going.vms for vbd in disks.drives(world, vm) if vbd["type"] != "Disk"]
    found = {vbd["VDI"]: vdi for vbd in vbds if (vdi := world.db.lookup("VDI", vbd["VDI"])) is not None}
    return list(found.values())


def _disk_places(world: World, vms: list[Object], named: Places) -> dict[Object, str]:
    """Each disk's SR. Those of snapshots go where the disks go that they are of, saved memory goes with the rest."""
    places: dict[Object, str] = {}
    for vm in vms:
        for vdi in (disks.disk_of(world, vbd) for vbd in disks.drives(world, vm)):
            if vdi is not None:
                places[vdi] = _disk_place(world, vdi, named, places)
    for vm in vms:
        saved = world.db.lookup("VDI", vm["suspend_VDI"])
        if saved is not None:
            places[saved] = _required(named.get(saved, next(iter(places.values()), None)), "VDI_NOT_IN_MAP", saved)
    for vdi in places:
        _assert_moves(world, vdi)
    return places


def _disk_place(world: World, vdi: Object, named: Places, places: Places) -> str:
    place = named.get(vdi)
    if place is None and vdi["is_a_snapshot"]:
        origin = world.db.lookup("VDI", vdi["snapshot_of"])
        place = places.get(origin) if origin is not None else None
        place = place or next(iter(places.values()), None)
    return _required(place, "VDI_NOT_IN_MAP", vdi)


def _assert_moves(world: World, vdi: Object) -> None:
    if vdi["cbt_enabled"] and not vdi["is_a_snapshot"]:
        raise Failure("VDI_CBT_ENABLED", vdi.ref)
    if "VDI_MIRROR" not in features(world, world.db.get("SR", vdi["SR"])):
        raise Failure("SR_DOES_NOT_SUPPORT_MIGRATION", vdi["SR"])


def _network_places(world: World, vms: list[Object], named: Places) -> dict[Object, str]:
    """Each interface's network. Those of snapshots follow the VM's with the same MAC, or on the same network."""
    places: dict[Object, str] = {}
    for vm in vms:
        for vif in (world.db.get("VIF", ref) for ref in vm["VIFs"]):
            like = [
                there
                for field in ("MAC", "network")
                for known, there in places.items()
                if vm["is_a_snapshot"] and known[field] == vif[field]
            ]
            places[vif] = _required(named.get(vif, next(iter(like), None)), "VIF_NOT_IN_MAP", vif)
    return places


def _group_places(world: World, vms: list[Object], named: Places) -> dict[Object, str]:
    vgpus = [(vm, world.db.get("VGPU", ref)) for vm in vms for ref in vm["VGPUs"]]
    return {vgpu: _required(named.get(vgpu), "VM_HAS_VGPU", vm) for vm, vgpu in vgpus}


def _required(place: Any, code: str, obj: Object) -> str:
    if place in (None, NULL):
        raise Failure(code, obj.ref)
    return str(place)
