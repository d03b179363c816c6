"""The templates that a pool is installed with, and one that somebody made."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from attrs import frozen

from hvsdk_simulators.xapi.build.devices import add_cd, add_disk, add_nic
from hvsdk_simulators.xapi.build.networks import Networks
from hvsdk_simulators.xapi.build.storage import Storage, make_vdi
from hvsdk_simulators.xapi.units import GIB, MIB
from hvsdk_simulators.xapi.world import World


@frozen
class Template:
    """What a default template asks for."""

    name: str
    memory: int
    disk: int
    firmware: str = "bios"
    windows: bool = False
    pv: bool = False


TEMPLATES = (
    Template("Other install media", GIB, 0),
    Template("Debian Bullseye 11", GIB, 10 * GIB),
    Template("Debian Bookworm 12", GIB, 10 * GIB, firmware="uefi"),
    Template("Ubuntu Jammy Jellyfish 22.04", 4 * GIB, 10 * GIB, firmware="uefi"),
    Template("Rocky Linux 9", 2 * GIB, 10 * GIB, firmware="uefi"),
    Template("CentOS 7", 2 * GIB, 10 * GIB),
    Template("CentOS 6 (64-bit)", 512 * MIB, 8 * GIB, pv=True),
    Template("Windows 10 (64-bit)", 2 * GIB, 32 * GIB, firmware="uefi", windows=True),
    Template("Windows Server 2016 (64-bit)", 2 * GIB, 32 * GIB, windows=True),
    Template("Windows Server 2019 (64-bit)", 2 * GIB, 32 * GIB, firmware="uefi", windows=True),
    Template("Windows Server 2022 (64-bit)", 4 * GIB, 40 * GIB, firmware="uefi", windows=True),
)
CUSTOM = "Golden image Debian 12"


def make_templates(world: World, networks: Networks, storage: Storage) -> None:
    """Make the default templates, and a custom one with a disk and a network interface."""
    for template in TEMPLATES:
        _make_default(world, template)
    base = TEMPLATES[2]
    custom = world.db.create(
        "VM",
        **_fields(world, base),
        name_label=CUSTOM,
        name_description="Made from a VM, with a disk",
        is_a_template=True,
    )
    config = {"base_template_name": base.name, "mac_seed": world.db.new_uuid()}
    world.db.update(custom, other_config=config)
    vdi = make_vdi(world, storage.nfs, f"{CUSTOM} 0", 10 * GIB, share=0.1)
    add_disk(world, custom, vdi, 0, attached=False)
    add_cd(world, custom, 3, attached=False)
    add_nic(world, custom, networks.management, 0, attached=False)


def base_fields(template: Template) -> dict[str, Any]:
    """The fields of a VM that say how it boots."""
    if template.pv:
        return {"domain_type": "pv", "HVM_boot_policy": "", "PV_bootloader": "pygrub", "PV_args": "console=hvc0 quiet"}
    params = {"order": "cdn", "firmware": template.firmware}
    return {"domain_type": "hvm", "HVM_boot_policy": "BIOS order", "HVM_boot_params": params}


def platform(template: Template) -> dict[str, str]:
    """The platform keys that the product gives a guest of this kind."""
    keys = {"acpi": "1", "apic": "true", "nx": "true", "pae": "true", "viridian": str(template.windows).lower()}
    if template.pv:
        return {"nx": "false"} | {name: value for name, value in keys.items() if name in ("acpi", "apic", "pae")}
    if template.windows:
        keys |= {
            "device_id": "0002",
            "viridian_time_ref_count": "true",
            "viridian_reference_tsc": "true",
            "hpet": "true",
        }
    if template.firmware == "uefi":
        keys |= {"device-model": "qemu-upstream-uefi", "secureboot": "auto" if template.windows else "false"}
    return keys | {"vga": "std", "videoram": "8", "timeoffset": "0"}


def _make_default(world: World, template: Template) -> None:
    config = {"default_template": "true", "mac_seed": world.db.new_uuid(), "install-methods": "cdrom,nfs,http,ftp"}
    if not template.windows and template.disk:
        config["linux_template"] = "true"
    if template.disk:
        config["disks"] = _provision(template.disk)
    world.db.create(
        "VM",
        **_fields(world, template),
        name_label=template.name,
        name_description=f"Template that allows VM installation: {template.name}",
        is_a_template=True,
        is_default_template=True,
        other_config=config,
    )


def _fields(world: World, template: Template) -> dict[str, Any]:
    return base_fields(template) | {
        "platform": platform(template),
        "memory_static_max": template.memory,
        "memory_dynamic_max": template.memory,
        "memory_dynamic_min": template.memory,
        "memory_static_min": template.memory // 2,
        "VCPUs_max": 2,
        "VCPUs_at_startup": 2,
        "actions_after_shutdown": "destroy",
        "actions_after_reboot": "restart",
        "actions_after_crash": "restart",
        "recommendations": _recommendations(template),
        "domid": -1,
        "hardware_platform_version": 2 if template.windows else 0,
        "has_vendor_device": False,
        "metrics": world.db.create("VM_metrics").ref,
    }


def _provision(size: int) -> str:
    root = ElementTree.Element("provision")
    ElementTree.SubElement(root, "disk", device="0", size=str(size), sr="", bootable="true", type="system")
    return ElementTree.tostring(root, encoding="unicode")


def _recommendations(template: Template) -> str:
    root = ElementTree.Element("restrictions")
    for field, most in (("memory-static-max", 1536 * GIB), ("vcpus-max", 32)):
        ElementTree.SubElement(root, "restriction", field=field, max=str(most))
    for device in ("vbd", "vif"):
        ElementTree.SubElement(
            root, "restriction", property=f"number-of-{device}s", max="7" if device == "vif" else "255"
        )
    if template.firmware == "uefi":
        ElementTree.SubElement(root, "restriction", field="supports-uefi", value="yes")
        ElementTree.SubElement(
            root, "restriction", field="supports-secure-boot", value="yes" if template.windows else "no"
        )
    return ElementTree.tostring(root, encoding="unicode")
