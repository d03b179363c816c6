"""Devices of the hosts that VMs can have for themselves: PCI, graphics, USB; and VMs that have them."""

from __future__ import annotations

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.world import World

VTPM_SINCE = (2, 20)
PCI_VM, GPU_VM, USB_VM, TPM_VM = 6, 8, 16, 18
"""Numbers of VMs that are off when the pool begins, and have a device each."""


def make_hardware(world: World, hosts: list[Object]) -> None:
    """Give each host a network card with virtual functions, a graphics card and a USB stick."""
    gpus = world.db.create("GPU_group", name_label="Group of NVIDIA Tesla T4 GPUs", GPU_types=["10de/1eb8"])
    usbs = world.db.create("USB_group", name_label="Group of 0781 5581 USBs")
    types = [_gpu_type(world, "", "passthrough", 0), _gpu_type(world, "GRID T4-2Q", "GRID T4-2Q", 2048)]
    for host in hosts:
        _pci(
            world,
            host,
            "0000:3b:00.0",
            "8086",
            "Intel Corporation",
            "1572",
            "Ethernet Controller X710",
            "Ethernet controller",
        )
        card = _pci(
            world, host, "0000:5e:00.0", "10de", "NVIDIA Corporation", "1eb8", "TU104GL [Tesla T4]", "3D controller"
        )
        gpu = world.db.create(
            "PGPU",
            PCI=card.ref,
            host=host.ref,
            GPU_group=gpus.ref,
            supported_VGPU_types=[one.ref for one in types],
            enabled_VGPU_types=[one.ref for one in types],
            supported_VGPU_max_capacities={types[0].ref: 1, types[1].ref: 8},
        )
        for one in types:
            world.db.update(
                one,
                supported_on_PGPUs=[*one["supported_on_PGPUs"], gpu.ref],
                enabled_on_PGPUs=[*one["enabled_on_PGPUs"], gpu.ref],
            )
        _usb(world, host, usbs)
    refs = [one.ref for one in types]
    world.db.update(gpus, supported_VGPU_types=refs, enabled_VGPU_types=refs)
    for one in types:
        world.db.update(one, supported_on_GPU_groups=[gpus.ref], enabled_on_GPU_groups=[gpus.ref])


def attach_hardware(world: World, vms: list[Object]) -> None:
    """Give some of the VMs that are off a device each, as far as there are so many."""
    if len(vms) > PCI_VM:
        card = world.db.all("PCI")[0]
        config = {**vms[PCI_VM]["other_config"], "pci": f"0/{card['pci_id']}"}
        world.db.update(vms[PCI_VM], other_config=config, attached_PCIs=[card.ref])
    if len(vms) > GPU_VM:
        group, kind = world.db.all("GPU_group")[0], world.db.all("VGPU_type")[1]
        world.db.create("VGPU", VM=vms[GPU_VM].ref, GPU_group=group.ref, type=kind.ref, device="0")
    if len(vms) > USB_VM and world.options.api >= (2, 8):
        world.db.create("VUSB", VM=vms[USB_VM].ref, USB_group=world.db.all("USB_group")[0].ref)
    if len(vms) > TPM_VM and world.options.api >= VTPM_SINCE:
        world.db.create("VTPM", VM=vms[TPM_VM].ref, is_unique=True)


def _pci(
    world: World, host: Object, address: str, vendor: str, vendor_name: str, device: str, name: str, kind: str
) -> Object:
    return world.db.create(
        "PCI",
        host=host.ref,
        pci_id=address,
        class_id="0200" if kind.startswith("Ethernet") else "0302",
        class_name=kind,
        vendor_id=vendor,
        vendor_name=vendor_name,
        device_id=device,
        device_name=name,
    )


def _gpu_type(world: World, model: str, identifier: str, megabytes: int) -> Object:
    return world.db.create(
        "VGPU_type",
        vendor_name="NVIDIA" if model else "",
        model_name=model or "passthrough",
        framebuffer_size=megabytes << 20,
        max_heads=4 if model else 0,
        implementation="nvidia" if model else "passthrough",
        identifier=identifier,
    )


def _usb(world: World, host: Object, group: Object) -> None:
    world.db.create(
        "PUSB",
        host=host.ref,
        USB_group=group.ref,
        path="1-3",
        vendor_id="0781",
        vendor_desc="SanDisk Corp.",
        product_id="5581",
        product_desc="Ultra",
        serial=f"4C53{host['uuid'][:8]}",
        version="3.00",
        description="SanDisk Corp. Ultra",
        passthrough_enabled=True,
        speed=5000.0,
    )
