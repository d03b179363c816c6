"""What is on the host at the beginning: switches, folders, and virtual machines with disks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from . import disks
from .cmdlets.adapter_records import assign_macs
from .cmdlets.integration_services import new_services
from .cmdlets.vms import VERSIONS
from .file_system import FileSystem
from .vms import Adapter, Drive, Guest, Hardware, Vm
from .world import Switch, World

__all__ = ["populate"]

_ROLES = ("web", "db", "app", "mail", "build")
_DISK_BYTES = 1 << 30
_SECOND_FOLDER = "D:\\Virtual Hard Disks"
"""Where every third machine has its disk."""


def populate(world: World) -> None:
    """Make what `world.options` asks for; the same seed makes the same host."""
    files = FileSystem(world)
    for folder in (world.vm_path, world.disk_path, "C:\\ISO", _SECOND_FOLDER):
        files.make_folder(folder)
    for name, kind in (("External", "External"), ("Internal", "Internal")):
        switch = Switch(id=world.new_id(), name=name, type=kind)
        if kind == "External":
            switch.interface = "Simulated Gigabit Adapter"
        world.switches[switch.id] = switch
    for number in range(world.options.domains):
        _add_vm(world, files, number)


def _add_vm(world: World, files: FileSystem, number: int) -> None:
    name = f"{_ROLES[number % len(_ROLES)]}-{number // len(_ROLES) + 1}"
    generation = 2 if number % 3 != 2 else 1
    running = number % 2 == 0
    hardware = Hardware(
        name=name,
        processors=1 + number % 4,
        memory_startup=(512 << 20) * (1 + number % 4),
        secure_boot=generation == 2,
        secure_boot_template="MicrosoftUEFICertificateAuthority" if number % 2 else "MicrosoftWindows",
        scsi_controllers=1,
        checkpoint_type="Standard" if world.options.version == 2012 else "Production",
        integration_services=new_services(),
    )
    vm = Vm(
        id=world.new_id(),
        generation=generation,
        node=world.nodes[number % len(world.nodes)],
        path=f"{world.vm_path}\\{name}",
        hardware=hardware,
        created=datetime.now(UTC) - timedelta(days=100 + number),
        version=VERSIONS[world.options.version],
        bios_guid=world.new_id(),
        bios_serial=str(world.new_id().int)[:24],
        guest=Guest(hostname=name, addresses={0: [f"10.0.{number // 250}.{number % 250 + 1}", "fe80::1"]}),
    )
    files.make_folder(vm.path)
    _add_devices(world, vm, number)
    assign_macs(world, vm)
    if running:
        vm.state, vm.started = "Running", datetime.now(UTC) - timedelta(hours=number + 1)
        vm.guest.boots = 1
    world.vms[vm.id] = vm
    if len(world.nodes) > 1:
        vm.clustered = True


def _add_devices(world: World, vm: Vm, number: int) -> None:
    folder = _SECOND_FOLDER if number % 3 == 1 else world.disk_path
    path = f"{folder}\\{vm.name}.vhdx"
    disks.create(world.root / path, "vhdx", "dynamic", _DISK_BYTES)
    place = "SCSI" if vm.generation == 2 else "IDE"
    disk = Drive(kind="disk", controller_type=place, controller_number=0, location=0, path=path, id=world.new_id())
    dvd = Drive(
        kind="dvd",
        controller_type=place,
        controller_number=0 if vm.generation == 2 else 1,
        location=1 if vm.generation == 2 else 0,
        id=world.new_id(),
    )
    vm.hardware.drives += [disk, dvd]
    vm.hardware.boot_order = [disk.id]
    switches = list(world.switches)
    vm.hardware.adapters.append(Adapter(id=world.new_id(), switch=switches[number % len(switches)]))
