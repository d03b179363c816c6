"""How a VM is run and booted, and what XAPI alone has of it."""

from __future__ import annotations

from typing import Any

import pytest
from record_support import GIB, HOST, NULL, classes, info_of, vm_record

DRIVEN = classes()["vm_guest_metrics"]["OpaqueRef:guest"]
OLD = {"domain_type": None}
"""Before API 2.10 the field does not exist."""


def guest(**more: Any) -> dict[str, dict[str, Any]]:
    return {"vm_guest_metrics": {"OpaqueRef:guest": DRIVEN | more}}


@pytest.mark.parametrize(
    ("vm", "told", "kind"),
    [
        ({}, {}, "pvhvm"),
        ({}, {"PV_drivers_detected": False, "PV_drivers_up_to_date": False}, "hvm"),
        ({"power_state": "Halted"}, {}, "hvm"),
        ({"guest_metrics": NULL}, {}, "hvm"),
        ({"domain_type": "pv"}, {}, "pv"),
        ({"domain_type": "pv_in_pvh"}, {}, "pv"),
        ({"domain_type": "pvh"}, {}, "pvh"),
        ({"domain_type": "unspecified"}, {}, "pvhvm"),
        (OLD, {"PV_drivers_detected": None}, "pvhvm"),
        (OLD | {"power_state": "Halted"}, {}, "hvm"),
        (OLD | {"HVM_boot_policy": "", "PV_bootloader": "pygrub"}, {}, "pv"),
        (OLD | {"HVM_boot_policy": "", "PV_kernel": "/boot/guest/vmlinuz"}, {}, "pv"),
    ],
)
def test_virtualization_in_old_and_new_versions(vm: dict[str, Any], told: dict[str, Any], kind: str) -> None:
    assert info_of(vm_record(**vm), **guest(**told)).virtualization == kind


def test_what_is_not_set_is_asked_of_what_runs() -> None:
    vm = vm_record(domain_type="unspecified", HVM_boot_policy="")
    assert info_of(vm, vm_metrics={"OpaqueRef:metrics": {"current_domain_type": "pv"}}).virtualization == "pv"
    assert info_of(vm, vm_metrics={"OpaqueRef:metrics": {"hvm": True}}).virtualization == "pvhvm"
    assert info_of(vm, vm_metrics={}).virtualization is None


@pytest.mark.parametrize(
    ("vm", "firmware", "secure"),
    [
        ({}, "bios", None),
        ({"HVM_boot_params": {"firmware": "uefi"}}, "uefi", False),
        ({"HVM_boot_params": {"firmware": "uefi"}, "platform": {"secureboot": "true"}}, "uefi", True),
        ({"HVM_boot_params": {"firmware": "uefi"}, "platform": {"secureboot": "auto"}}, "uefi", None),
        ({"platform": {"secureboot": "true"}}, "bios", None),
        ({"domain_type": "pv"}, None, None),
    ],
)
def test_firmware(vm: dict[str, Any], firmware: str | None, secure: bool | None) -> None:
    info = info_of(vm_record(**vm))
    assert (info.firmware, info.secure_boot) == (firmware, secure)


def test_a_pv_guest_shows_where_its_kernel_comes_from() -> None:
    vm = vm_record(
        domain_type="pv",
        PV_bootloader="pygrub",
        PV_bootloader_args="--kernel=/vmlinuz",
        PV_kernel="/boot/guest/vmlinuz",
        PV_ramdisk="/boot/guest/initrd",
        PV_args="root=/dev/xvda1",
    )
    details = info_of(vm).details
    assert details["xen.domain_type"] == "pv"
    assert details["xen.pv_bootloader"] == "pygrub"
    assert details["xen.pv_bootloader_args"] == "--kernel=/vmlinuz"
    assert (details["xen.pv_kernel"], details["xen.pv_ramdisk"]) == ("/boot/guest/vmlinuz", "/boot/guest/initrd")
    assert details["xen.pv_args"] == "root=/dev/xvda1"


@pytest.mark.parametrize(
    ("vm", "told", "state"),
    [
        ({}, {}, "current"),
        ({}, {"PV_drivers_up_to_date": False}, "outdated"),
        ({}, {"PV_drivers_detected": False}, "absent"),
        ({"guest_metrics": NULL}, {}, "absent"),
        ({"power_state": "Halted"}, {}, None),
    ],
)
def test_the_state_of_the_pv_drivers(vm: dict[str, Any], told: dict[str, Any], state: str | None) -> None:
    assert info_of(vm_record(**vm), **guest(**told)).details.get("xen.pv_drivers") == state


def test_versions_of_the_pv_drivers() -> None:
    assert info_of(vm_record()).details["xen.pv_drivers_version"] == "7.20.0-1"
    assert "xen.pv_drivers_version" not in info_of(vm_record(), **guest(PV_drivers_version={})).details


def test_flags_limits_and_blocked_operations() -> None:
    vm = vm_record(blocked_operations={"destroy": "ask Ann"}, affinity=HOST, has_vendor_device=True, order=3)
    details = info_of(vm).details
    assert details["xen.platform"] == {"acpi": "1", "cores-per-socket": "2"}
    assert details["xen.timeoffset"] == "-3"
    assert details["xen.memory_limits"] == {
        "static_min": GIB,
        "dynamic_min": 2 * GIB,
        "dynamic_max": 2 * GIB,
        "static_max": 4 * GIB,
    }
    assert details["xen.blocked"] == {"destroy": "ask Ann"}
    assert (details["xen.affinity"], details["xen.vendor_device"], details["xen.start_order"]) == ("xcp-1", True, 3)


def test_devices_of_the_host_that_a_domain_has() -> None:
    vm = vm_record(
        VGPUs=["OpaqueRef:vgpu"],
        attached_PCIs=["OpaqueRef:pci"],
        VUSBs=["OpaqueRef:vusb"],
        VTPMs=["OpaqueRef:vtpm"],
        other_config={"pci": "0/0000:04:00.0,1/0000:05:00.1"},
    )
    details = info_of(
        vm,
        vgpu={"OpaqueRef:vgpu": {"device": "0", "type": "OpaqueRef:type", "GPU_group": "OpaqueRef:group"}},
        vgpu_type={"OpaqueRef:type": {"model_name": "GRID K100", "implementation": "nvidia"}},
        gpu_group={"OpaqueRef:group": {"name_label": "K1 GPUs"}},
        pci={"OpaqueRef:pci": {"pci_id": "0000:04:00.0"}},
        vusb={"OpaqueRef:vusb": {"USB_group": "OpaqueRef:usb"}},
        usb_group={"OpaqueRef:usb": {"name_label": "Dongle"}},
    ).details
    assert details["xen.vgpus"] == ({"device": "0", "type": "GRID K100", "group": "K1 GPUs"},)
    assert details["xen.pci_devices"] == ("0000:04:00.0", "0000:05:00.1")
    assert details["xen.usb_devices"] == ("Dongle",)
    assert details["xen.vtpms"] == 1


def test_a_plain_domain_has_none_of_them() -> None:
    details = info_of(vm_record()).details
    assert not [key for key in details if key.startswith(("xen.vgpu", "xen.pci", "xen.usb", "xen.vtpm", "xen.pv_k"))]
