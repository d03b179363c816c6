"""Moving a VM to another host of its pool, with its disks where they are or along with it, or to another pool."""

from collections.abc import Mapping

import attrs

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.storage.drivers import features
from hvsdk_simulators.xapi.vm import departure, disks, domain, durations, hosts, migrate_pools, states
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.peer import Peer
from hvsdk_simulators.xapi.vm.situation import assert_allowed, assert_state
from hvsdk_simulators.xapi.world import World

Options = Mapping[str, str]

_ELSEWHERE = frozenset({"vdi_map", "vif_map", "vgpu_map"})
_NO_COPY = "Copy mode is disallowed on intra pool storage migration, use VM.copy or VM.clone instead"


@message(
    "VM.pool_migrate(VM ref vm, host ref host, (string -> string) map options) -> void",
    role="vm-power-admin",
    since="1.1",
)
def pool_migrate(call: Call, vm: Object, host: Object, options: Options) -> None:
    """Move a running VM to a host that sees its disks; with `force`, whatever its guest says."""
    with operation(call, vm, "pool_migrate", strict=options.get("force") != "true"):
        hosts.assert_can_run(call.world, vm, host)
        _move(call, vm, host)


@message(
    "VM.assert_can_migrate(VM ref vm, (string -> string) map dest, bool live, (VDI ref -> SR ref) map vdi_map, "
    "(VIF ref -> network ref) map vif_map, (string -> string) map options, "
    "(VGPU ref -> GPU_group ref) map vgpu_map = {}) -> void",
    role="vm-power-admin",
    since="1.10",
    elsewhere=_ELSEWHERE,
)
def assert_can_migrate(
    call: Call,
    vm: Object,
    dest: Options,
    live: bool,
    vdi_map: Mapping[Object, str],
    vif_map: Mapping[Object, str],
    options: Options,
    vgpu_map: Mapping[Object, str],
) -> None:
    """Raise why the VM cannot be sent to a destination that `host.migrate_receive` told."""
    _assert_allowed(call.world, vm, options)
    if call.world.db.lookup("host", dest.get("host", "")) is not None:
        _plan(call.world, vm, dest, vdi_map, vif_map, options)
        return
    peer = Peer(dest)
    migrate_pools.assert_can_go(call, _departure(call.world, vm, vdi_map, vif_map, vgpu_map, options), peer)


@message(
    "VM.migrate_send(VM ref vm, (string -> string) map dest, bool live, (VDI ref -> SR ref) map vdi_map, "
    "(VIF ref -> network ref) map vif_map, (string -> string) map options, "
    "(VGPU ref -> GPU_group ref) map vgpu_map = {}, (VDI ref -> string) map vdi_format_map = {}) -> VM ref",
    role="vm-power-admin",
    since="1.10",
    elsewhere=_ELSEWHERE,
)
def migrate_send(
    call: Call,
    vm: Object,
    dest: Options,
    live: bool,
    vdi_map: Mapping[Object, str],
    vif_map: Mapping[Object, str],
    options: Options,
    vgpu_map: Mapping[Object, str],
    vdi_format_map: Mapping[Object, str],
) -> str:
    """Move a VM with its disks, and return what it is there.

    Within the pool it stays the same VM; the disks that move are new VDIs then, and the old ones are destroyed. In
    another pool it is a VM of the same UUID, or with `copy` another one.
    """
    with operation(call, vm, "migrate_send", strict=options.get("force") != "true"):
        if call.world.db.lookup("host", dest.get("host", "")) is not None:
            _carry_disks(call, vm, _plan(call.world, vm, dest, vdi_map, vif_map, options))
            return vm.ref
        peer = Peer(dest)
        going = _departure(call.world, vm, vdi_map, vif_map, vgpu_map, options)
        migrate_pools.assert_can_go(call, going, peer)
        return migrate_pools.go(call, going, peer)


@attrs.frozen(kw_only=True)
class Plan:
    """Where a VM goes, and into which SR each of its disks that does not stay."""

    host: Object
    disks: dict[str, Object]


def _plan(
    world: World,
    vm: Object,
    dest: Options,
    vdi_map: Mapping[Object, str],
    vif_map: Mapping[Object, str],
    options: Options,
) -> Plan:
    """Raise why the VM cannot be sent to a host of this pool; return how it would be."""
    host = world.db.get("host", dest["host"])
    if options.get("copy") == "true":
        raise Failure("OPERATION_NOT_ALLOWED", _NO_COPY)
    if vif_map:
        raise Failure("NOT_IMPLEMENTED", "VIF mapping is not supported for intra-pool migration")
    _assert_few_snapshots(world, vm)
    plan = Plan(host=host, disks=_targets(world, vm, host, vdi_map))
    if vm["power_state"] == states.RUNNING:
        hosts.assert_can_run(world, vm, host, disks_move=True)
    for sr in {target.ref for target in plan.disks.values()}:
        hosts.assert_sees_storage(world, vm, host, [sr])
    return plan


def _departure(
    world: World,
    vm: Object,
    vdi_map: Mapping[Object, str],
    vif_map: Mapping[Object, str],
    vgpu_map: Mapping[Object, str],
    options: Options,
) -> departure.Departure:
    """Raise why the VM cannot leave for another pool; return what goes where."""
    _assert_few_snapshots(world, vm)
    return departure.plan(world, vm, vdi_map, vif_map, vgpu_map, copies=options.get("copy") == "true")


def _assert_allowed(world: World, vm: Object, options: Options) -> None:
    assert_allowed(world, vm, "migrate_send", strict=options.get("force") != "true")


def _assert_few_snapshots(world: World, vm: Object) -> None:
    """Raise what older versions answer to a VM with a checkpoint, or with more than one snapshot."""
    if world.options.api >= (2, 4):
        return
    if len(vm["snapshots"]) > 1:
        raise Failure("VM_HAS_TOO_MANY_SNAPSHOTS", vm.ref)
    if any(world.db.get("VM", ref)["power_state"] == states.SUSPENDED for ref in vm["snapshots"]):
        raise Failure("VM_HAS_CHECKPOINT", vm.ref)


def _targets(world: World, vm: Object, host: Object, vdi_map: Mapping[Object, str]) -> dict[str, Object]:
    """The SR for each disk that moves. One that is not named stays if the host sees it."""
    named = {vdi.ref: world.db.get("SR", sr) for vdi, sr in vdi_map.items()}
    targets = {}
    for vbd in disks.drives(world, vm):
        vdi = disks.disk_of(world, vbd)
        if vdi is None:
            continue
        sr = named.get(vdi.ref)
        if sr is None and not hosts.sees(world, host, vdi["SR"]):
            raise Failure("VDI_NOT_IN_MAP", vdi.ref)
        if sr is not None and sr.ref != vdi["SR"]:
            if vdi["cbt_enabled"]:
                raise Failure("VDI_CBT_ENABLED", vdi.ref)
            _assert_mirrors(world, vdi, sr)
            targets[vdi.ref] = sr
    return targets


def _assert_mirrors(world: World, vdi: Object, sr: Object) -> None:
    for one in (world.db.get("SR", vdi["SR"]), sr):
        if "VDI_MIRROR" not in features(world, one):
            raise Failure("SR_DOES_NOT_SUPPORT_MIGRATION", one.ref)


def _move(call: Call, vm: Object, host: Object) -> None:
    call.world.db.update(vm, scheduled_to_be_resident_on=host.ref)
    try:
        durations.work(call, durations.MIGRATE)
        assert_state(vm, states.RUNNING)
        domain.move(call.world, vm, host)
    finally:
        call.world.db.update(vm, scheduled_to_be_resident_on=NULL)


def _carry_disks(call: Call, vm: Object, plan: Plan) -> None:
    """Copy the disks that move, put the copies in their place, and destroy the originals; all or none.

    Snapshots of a disk go where it goes.
    """
    world, copies = call.world, dict[str, Object]()
    moving = [(world.db.get("VDI", ref), sr) for disk, sr in plan.disks.items() for ref in _with_snapshots(world, disk)]
    try:
        for number, (vdi, sr) in enumerate(moving):
            durations.work(call, durations.COPY, begin=number / len(moving), end=(number + 1) / len(moving))
            copies[vdi.ref] = world.storage.copy_vdi(vdi, sr)
        if vm["power_state"] == states.RUNNING:
            _move(call, vm, plan.host)
    except BaseException:
        for made in copies.values():
            world.storage.destroy_vdi(made)
        raise
    for ref, made in copies.items():
        _replace(world, world.db.get("VDI", ref), made)


def _with_snapshots(world: World, disk: str) -> list[str]:
    """A disk, and those of its snapshots that belong to snapshots of VMs and still hold data."""
    snapshots = (world.db.get("VDI", ref) for ref in world.db.get("VDI", disk)["snapshots"])
    return [disk, *(vdi.ref for vdi in snapshots if vdi["VBDs"] and vdi["type"] != "cbt_metadata")]


def _replace(world: World, old: Object, new: Object) -> None:
    kept = {name: old[name] for name in ("is_a_snapshot", "snapshot_of", "snapshot_time", "on_boot")}
    world.db.update(new, **kept)
    for ref in list(old["VBDs"]):
        world.db.update(world.db.get("VBD", ref), VDI=new.ref)
    for ref in list(old["snapshots"]):
        world.db.update(world.db.get("VDI", ref), snapshot_of=new.ref)
    world.storage.destroy_vdi(old)
