"""Records as a pool of API 2.15 writes them, for tests without a pool."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hvsdk.driver import DomainInfo

from hvsdk_xen._devices import vlans
from hvsdk_xen._fields import Related
from hvsdk_xen._records import node_names, records

NULL = "OpaqueRef:NULL"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
GIB = 1 << 30
FULL = frozenset({"config", "guest"})

HOST = "OpaqueRef:host-1"
VM = "OpaqueRef:vm-1"


def vm_record(**more: Any) -> dict[str, Any]:
    """Return the record of a running HVM guest with a disk, an empty drive and an adapter."""
    return {
        "uuid": "0f6a1c2e-7d3b-4e5f-8a90-b1c2d3e4f506",
        "name_label": "web-1",
        "name_description": "front end",
        "power_state": "Running",
        "current_operations": {},
        "allowed_operations": ["clean_shutdown", "pause"],
        "is_a_template": False,
        "is_a_snapshot": False,
        "is_control_domain": False,
        "resident_on": HOST,
        "affinity": NULL,
        "VCPUs_max": 4,
        "VCPUs_at_startup": 2,
        "VCPUs_params": {},
        "memory_static_min": GIB,
        "memory_dynamic_min": 2 * GIB,
        "memory_dynamic_max": 2 * GIB,
        "memory_static_max": 4 * GIB,
        "domain_type": "hvm",
        "HVM_boot_policy": "BIOS order",
        "HVM_boot_params": {"order": "cdn"},
        "PV_bootloader": "",
        "PV_kernel": "",
        "platform": {"acpi": "1", "cores-per-socket": "2", "timeoffset": "-3"},
        "other_config": {"folder": "/shop", "hvsdk:team.owner": "blue", "import_task": NULL},
        "blocked_operations": {},
        "tags": ["production"],
        "VBDs": ["OpaqueRef:vbd-cd", "OpaqueRef:vbd-0"],
        "VIFs": ["OpaqueRef:vif-0"],
        "VGPUs": [],
        "VUSBs": [],
        "VTPMs": [],
        "attached_PCIs": [],
        "metrics": "OpaqueRef:metrics",
        "guest_metrics": "OpaqueRef:guest",
        "actions_after_crash": "restart",
    } | more


def classes(**more: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what `vm_record` refers to, by class; `more` replaces records of a class."""
    found: dict[str, dict[str, dict[str, Any]]] = {
        "host": {HOST: {"uuid": "h", "name_label": "xcp-1"}},
        "vbd": {
            "OpaqueRef:vbd-0": {
                "uuid": "vbd-uuid-0",
                "VDI": "OpaqueRef:vdi-0",
                "userdevice": "0",
                "device": "xvda",
                "bootable": True,
                "mode": "RW",
                "type": "Disk",
                "empty": False,
            },
            "OpaqueRef:vbd-cd": {
                "uuid": "vbd-uuid-3",
                "VDI": NULL,
                "userdevice": "3",
                "device": "xvdd",
                "bootable": False,
                "mode": "RO",
                "type": "CD",
                "empty": True,
            },
        },
        "vdi": {
            "OpaqueRef:vdi-0": {
                "uuid": "vdi-uuid-0",
                "name_label": "web-1 root",
                "SR": "OpaqueRef:sr-0",
                "virtual_size": 8 * GIB,
                "physical_utilisation": GIB,
                "sharable": False,
                "read_only": False,
                "sm_config": {"vdi_type": "vhd", "vhd-parent": "base-uuid"},
                "cbt_enabled": True,
                "managed": True,
                "VBDs": ["OpaqueRef:vbd-0"],
            }
        },
        "sr": {"OpaqueRef:sr-0": {"uuid": "sr-uuid-0", "name_label": "Local", "type": "ext", "content_type": "user"}},
        "vif": {
            "OpaqueRef:vif-0": {
                "uuid": "vif-uuid-0",
                "device": "0",
                "MAC": "02:AB:00:00:00:01",
                "MTU": 1500,
                "network": "OpaqueRef:net-100",
                "currently_attached": True,
                "locking_mode": "network_default",
            }
        },
        "network": {"OpaqueRef:net-100": {"uuid": "n", "name_label": "VLAN 100", "bridge": "xapi2"}},
        "pif": {"OpaqueRef:pif": {"network": "OpaqueRef:net-100", "VLAN": 100}},
        "vm_metrics": {
            "OpaqueRef:metrics": {"install_time": "20250102T03:04:05Z", "start_time": "20260102T03:04:05Z", "hvm": True}
        },
        "vm_guest_metrics": {
            "OpaqueRef:guest": {
                "os_version": {"name": "Debian GNU/Linux 12 (bookworm)", "distro": "debian"},
                "PV_drivers_version": {"major": "7", "minor": "20", "micro": "0", "build": "1"},
                "PV_drivers_up_to_date": True,
                "PV_drivers_detected": True,
                "networks": {"0/ip": "198.19.0.1", "0/ipv4/0": "198.19.0.1", "0/ipv6/0": "fe80::ab:ff:fe00:1"},
                "other": {"data-hostname": "web-1.example"},
                "live": True,
            }
        },
    }
    return found | more


def info_of(vm: dict[str, Any], include: frozenset[str] = FULL, **more: dict[str, dict[str, Any]]) -> DomainInfo:
    """Return a VM's record as a driver makes it."""
    found = classes(**more)
    related = Related(found)
    (info,) = records([vm], include, node_names(found["host"]), related, vlans(related), NOW)
    return info
