"""Making VMs in any power state: whole ones with devices and metrics, without the messages that bring them there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.storage.device_names import device_name
from hvsdk_simulators.xapi.units import MIB
from hvsdk_simulators.xapi.vm import guest as guests
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.domain import (
    CPU_FLAGS,
    boot_type,
    make_consoles,
    metrics_of_running,
    new_domid,
)
from hvsdk_simulators.xapi.vm.firmware import BIOS_ORDER, GENERIC_STRINGS
from hvsdk_simulators.xapi.vm.guest import Guest
from hvsdk_simulators.xapi.vm.memory_rules import overhead
from hvsdk_simulators.xapi.vm.records import MAC_SEED, OWNER, mac_for
from hvsdk_simulators.xapi.world import World

PLATFORM = {
    "acpi": "1",
    "apic": "true",
    "device_id": "0001",
    "hpet": "true",
    "nx": "true",
    "pae": "true",
    "timeoffset": "0",
    "vga": "std",
    "videoram": "8",
    "viridian": "false",
}


def make_vm(
    world: World,
    *,
    name: str,
    host: Object | None = None,
    power_state: str = states.HALTED,
    memory: int = 1024 * MIB,
    vcpus: int = 2,
    disks: Sequence[Object] = (),
    networks: Sequence[Object] = (),
    cd: bool = True,
    paravirtual: bool = False,
    template: bool = False,
    guest: Guest | None = None,
    **fields: Any,
) -> Object:
    """Make a VM in any state but Suspended, as if it had come there by the usual way.

    Args:
        world: The pool.
        name: Its label.
        host: Where it runs; only for Running and Paused.
        power_state: Halted, Running or Paused. For a suspended one, let it run and suspend it.
        memory: Bytes, fixed.
        vcpus: Number of vCPUs.
        disks: VDIs, the first of which it boots from.
        networks: Networks, one interface for each.
        cd: Whether it has an empty CD drive after its disks.
        paravirtual: It boots a kernel from its disk, without firmware.
        template: It is a template.
        guest: How its guest behaves; one with tools when not given.
        fields: Fields of the record that are to be otherwise.
    """
    on = power_state in (states.RUNNING, states.PAUSED)
    values = _record(world, name, memory, vcpus, paravirtual) | {"is_a_template": template} | fields
    vm = world.db.create("VM", **values)
    world.db.update(vm, memory_overhead=overhead(vm))
    _make_drives(world, vm, disks, cd=cd, on=on)
    _make_interfaces(world, vm, networks, on=on)
    if guest is not None:
        guests.guests(world)[vm.ref] = guest
    if not template:
        world.db.update(vm, metrics=world.db.create("VM_metrics", install_time=world.now()).ref)
    if on and host is not None:
        _switch_on(world, vm, host, power_state)
    return vm


def _record(world: World, name: str, memory: int, vcpus: int, paravirtual: bool) -> dict[str, Any]:
    limits = ("memory_static_max", "memory_dynamic_max", "memory_dynamic_min", "memory_target")
    boot = {"PV_bootloader": "pygrub", "HVM_boot_policy": "", "domain_type": "pv"}
    firmware = {
        "HVM_boot_policy": BIOS_ORDER,
        "HVM_boot_params": {"order": "cdn", "firmware": "bios"},
        "domain_type": "hvm",
    }
    return {
        "name_label": name,
        "domid": -1,
        "VCPUs_max": vcpus,
        "VCPUs_at_startup": vcpus,
        "memory_static_min": min(memory, 256 * MIB),
        "actions_after_shutdown": "destroy",
        "actions_after_reboot": "restart",
        "actions_after_crash": "restart",
        "platform": dict(PLATFORM),
        "bios_strings": {} if paravirtual else dict(GENERIC_STRINGS),
        "other_config": {MAC_SEED: world.db.new_uuid(), "base_template_name": "Other install media"},
        "has_vendor_device": False,
        **dict.fromkeys(limits, memory),
        **(boot if paravirtual else firmware),
    }


def _make_drives(world: World, vm: Object, disks: Sequence[Object], *, cd: bool, on: bool) -> None:
    for number, vdi in enumerate(disks):
        _make_drive(world, vm, number, on=on, VDI=vdi.ref, mode="RW", type="Disk", bootable=number == 0, empty=False)
    if cd:
        _make_drive(world, vm, max(3, len(disks)), on=on, mode="RO", type="CD", empty=True, unpluggable=False)


def _make_drive(world: World, vm: Object, number: int, *, on: bool, **fields: Any) -> None:
    userdevice = str(number)
    device = device_name(userdevice) if on else ""
    other = {OWNER: ""} if fields["type"] == "Disk" else {}
    world.db.create(
        "VBD", VM=vm.ref, userdevice=userdevice, device=device, currently_attached=on, other_config=other, **fields
    )


def _make_interfaces(world: World, vm: Object, networks: Sequence[Object], *, on: bool) -> None:
    for number, network in enumerate(networks):
        device = str(number)
        world.db.create(
            "VIF",
            VM=vm.ref,
            network=network.ref,
            device=device,
            MAC=mac_for(vm, device),
            MAC_autogenerated=True,
            MTU=network["MTU"],
            currently_attached=on,
        )


def _switch_on(world: World, vm: Object, host: Object, power_state: str) -> None:
    kind = boot_type(vm)
    fields = metrics_of_running(world, vm, vm["memory_dynamic_max"])
    metrics = world.db.get("VM_metrics", vm["metrics"])
    world.db.update(metrics, start_time=world.now(), current_domain_type=kind, hvm=kind == "hvm", **fields)
    world.db.update(
        vm,
        power_state=power_state,
        resident_on=host.ref,
        domid=new_domid(world, host),
        last_boot_CPU_flags=dict(CPU_FLAGS),
        scheduled_to_be_resident_on=NULL,
    )
    make_consoles(world, vm, host)
    guests.tell(world, vm)
