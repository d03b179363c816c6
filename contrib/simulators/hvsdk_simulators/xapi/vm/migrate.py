"""Moving a VM to another host of its pool, with its disks where they are or along with it."""

from collections.abc import Mapping

import attrs

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import disks, domain, durations, hosts, records, states
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.power import still
from hvsdk_simulators.xapi.vm.situation import assert_allowed
from hvsdk_simulators.xapi.world import World

Options = Mapping[str, str]


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
    "host.migrate_receive(host ref host, network ref network, (string -> string) map options) -> (string -> string) map",
    role="pool-operator",
    since="1.10",
)
def migrate_receive(call: Call, host: Object, network: Object, options: Options) -> Mapping[str, str]:
    """Get a host ready to receive a VM with its disks, and say where it is to be sent."""
    ref = call.session.ref if call.session is not None else NULL
    base = f"https://{_address(call.world, host, network)}/services"
    return {
        "SM": f"{base}/SM?session_id={ref}",
        "host": host.ref,
        "xenops": f"{base}/xenops?session_id={ref}",
        "session_id": ref,
        "master": f"https://{call.world.master['address']}/",
    }


@message(
    "VM.assert_can_migrate(VM ref vm, (string -> string) map dest, bool live, (VDI ref -> SR ref) map vdi_map, "
    "(VIF ref -> network ref) map vif_map, (string -> string) map options, "
    "(VGPU ref -> GPU_group ref) map vgpu_map = {}) -> void",
    role="vm-power-admin",
    since="1.10",
)
def assert_can_migrate(
    call: Call,
    vm: Object,
    dest: Options,
    live: bool,
    vdi_map: Mapping[Object, Object],
    vif_map: Mapping[Object, Object],
    options: Options,
    vgpu_map: Mapping[Object, Object],
) -> None:
    """Raise why the VM cannot be sent to a destination that `host.migrate_receive` told."""
    assert_operation_and_plan(call.world, vm, dest, vdi_map, options)


@message(
    "VM.migrate_send(VM ref vm, (string -> string) map dest, bool live, (VDI ref -> SR ref) map vdi_map, "
    "(VIF ref -> network ref) map vif_map, (string -> string) map options, "
    "(VGPU ref -> GPU_group ref) map vgpu_map = {}, (VDI ref -> string) map vdi_format_map = {}) -> VM ref",
    role="vm-power-admin",
    since="1.10",
)
def migrate_send(
    call: Call,
    vm: Object,
    dest: Options,
    live: bool,
    vdi_map: Mapping[Object, Object],
    vif_map: Mapping[Object, Object],
    options: Options,
    vgpu_map: Mapping[Object, Object],
    vdi_format_map: Mapping[Object, str],
) -> Object:
    """Move a VM and copy its disks to other SRs. The disks are new VDIs then, and the old ones are destroyed."""
    with operation(call, vm, "migrate_send", strict=options.get("force") != "true"):
        plan = assert_operation_and_plan(call.world, vm, dest, vdi_map, options, begun=True)
        if options.get("copy") == "true":
            return _copy(call, vm, plan)
        _carry_disks(call, vm, plan)
        for vif, network in vif_map.items():
            call.world.db.update(vif, network=network.ref)
        if vm["power_state"] == states.RUNNING:
            _move(call, vm, plan.host)
        return vm


@attrs.frozen(kw_only=True)
class Plan:
    """Where a VM goes, and into which SR each of its disks that does not stay."""

    host: Object
    disks: dict[str, Object]


def assert_operation_and_plan(
    world: World, vm: Object, dest: Options, vdi_map: Mapping[Object, Object], options: Options, *, begun: bool = False
) -> Plan:
    """Raise why the VM cannot be sent; return how it would be."""
    if not begun:
        _assert_allowed(world, vm, options)
    host = world.db.lookup("host", dest.get("host", ""))
    if host is None:
        raise Failure("VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED")
    if options.get("copy") == "true" and vm["power_state"] != states.HALTED:
        raise Failure("VM_BAD_POWER_STATE", vm.ref, "halted", vm["power_state"].lower())
    plan = Plan(host=host, disks=_targets(world, vm, host, vdi_map))
    if vm["power_state"] == states.RUNNING:
        hosts.assert_can_run(world, vm, host, disks_move=True)
    for sr in {target.ref for target in plan.disks.values()}:
        hosts.assert_sees_storage(world, vm, host, [sr])
    return plan


def _assert_allowed(world: World, vm: Object, options: Options) -> None:
    assert_allowed(world, vm, "migrate_send", strict=options.get("force") != "true")


def _targets(world: World, vm: Object, host: Object, vdi_map: Mapping[Object, Object]) -> dict[str, Object]:
    """The SR for each disk that moves. One that is not named stays if the host sees it."""
    named = {vdi.ref: sr for vdi, sr in vdi_map.items()}
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
            targets[vdi.ref] = sr
    return targets


def _move(call: Call, vm: Object, host: Object) -> None:
    call.world.db.update(vm, scheduled_to_be_resident_on=host.ref)
    try:
        durations.work(call, durations.MIGRATE)
        still(vm, states.RUNNING)
        domain.move(call.world, vm, host)
    finally:
        call.world.db.update(vm, scheduled_to_be_resident_on=NULL)


def _carry_disks(call: Call, vm: Object, plan: Plan) -> None:
    """Copy the disks that move, put the copies in their place, and destroy the originals; all or none."""
    world, copies = call.world, dict[str, Object]()
    try:
        for ref, sr in plan.disks.items():
            durations.work(call, durations.COPY)
            copies[ref] = world.storage.copy_vdi(world.db.get("VDI", ref), sr)
    except BaseException:
        for made in copies.values():
            world.storage.destroy_vdi(made)
        raise
    for ref, made in copies.items():
        _replace(world, world.db.get("VDI", ref), made)


def _replace(world: World, old: Object, new: Object) -> None:
    for ref in list(old["VBDs"]):
        world.db.update(world.db.get("VBD", ref), VDI=new.ref)
    for ref in list(old["snapshots"]):
        world.db.update(world.db.get("VDI", ref), snapshot_of=new.ref)
    world.storage.destroy_vdi(old)


def _copy(call: Call, vm: Object, plan: Plan) -> Object:
    def copied(vdi: Object) -> Object:
        sr = plan.disks.get(vdi.ref) or call.world.db.get("SR", vdi["SR"])
        made: Object = call.world.storage.copy_vdi(vdi, sr)
        return made

    with disks.made_disks(call, disks.drives(call.world, vm), copied, seconds=durations.COPY) as made:
        new = records.copy_record(call.world, vm, name=vm["name_label"], snapshot=False)
        records.copy_devices(call.world, vm, new, made, keep_macs=False)
        return new


def _address(world: World, host: Object, network: Object) -> str:
    for ref in network["PIFs"]:
        pif = world.db.lookup("PIF", ref)
        if pif is not None and pif["host"] == host.ref and pif["IP"]:
            return str(pif["IP"])
    return str(host["address"])
