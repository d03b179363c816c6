"""The VMs of a pool: mixed systems and states, some with odd names, labels, snapshots or saved memory."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

from attrs import frozen

from hvsdk_simulators.xapi.build.devices import add_cd, add_disk, add_nic
from hvsdk_simulators.xapi.build.networks import Networks
from hvsdk_simulators.xapi.build.storage import Storage, make_vdi
from hvsdk_simulators.xapi.build.templates import TEMPLATES, base_fields, platform
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.units import GIB, MIB
from hvsdk_simulators.xapi.vm.domain import make_consoles, metrics_of_running
from hvsdk_simulators.xapi.vm.guest import ABSENT, CURRENT, OUTDATED, Guest, guests, metrics_fields
from hvsdk_simulators.xapi.vm.memory_rules import overhead
from hvsdk_simulators.xapi.world import World

MEMORY = 2 * GIB
"""The most that a made-up VM has; what a host must have room for follows from it."""
ODD_NAMES = (
    "twin",
    "twin",
    'it\'s "quoted"',
    "$(reboot); `id`",
    "ünïcode 虚拟机 ✓",
    "<b>&amp;</b>",
    "a/../b",
    "%s %n {}",
)
_ROLES = ("web", "db", "app", "mail", "build")
_STATES = ("Running",) * 6 + ("Halted", "Suspended", "Halted", "Paused")
_FOLDERS = ("", "/production", "/production/shop", "/test")
_TAGS = ("production", "test", "backup", "team:blue")
_DOMAIN_TYPES_SINCE = (2, 10)
_RECENT = 3
"""Number of the VM that has started a few minutes ago, so that statistics have no values before."""


@frozen
class System:
    """What runs in a VM."""

    template: int
    """Its place among the default templates."""
    distro: str
    tools: str = CURRENT
    domain_type: str = ""
    """As what it boots, when that is not what its template says."""


_SYSTEMS = (
    System(1, "debian"),
    System(3, "ubuntu"),
    System(9, "windows"),
    System(6, "centos"),
    System(8, "windows", ABSENT),
    System(4, "rocky", OUTDATED),
    System(5, "centos", ABSENT),
    System(6, "centos", CURRENT, "pv_in_pvh"),
    System(1, "debian", CURRENT, "pvh"),
)


@frozen
class Place:
    """Where VMs can be."""

    hosts: list[Object]
    networks: Networks
    storage: Storage


def make_domains(world: World, place: Place) -> list[Object]:
    """Make as many VMs as the options say."""
    return [_make_domain(world, place, number) for number in range(world.options.domains)]


def domain_name(number: int) -> str:
    """The name of a VM, counted from zero: eight odd ones, then plain ones."""
    odd = number - 20
    if 0 <= odd < len(ODD_NAMES):
        return ODD_NAMES[odd]
    return f"{_ROLES[number % len(_ROLES)]}-{number + 1:05d}"


def _make_domain(world: World, place: Place, number: int) -> Object:
    random = Random(f"{world.options.seed}:{number}")
    system = _SYSTEMS[number % len(_SYSTEMS)]
    state = _STATES[number % len(_STATES)]
    host = place.hosts[number % len(place.hosts)] if state in ("Running", "Paused") else None
    vm = world.db.create("VM", **_fields(world, random, number, system, state, host))
    guests(world)[vm.ref] = Guest(tools=system.tools, hostname=f"vm-{number + 1}", distro=system.distro)
    attached = state != "Halted"
    sr = _sr_of(place, number)
    for position in range(1 + (number % 4 == 0)):
        size = (8 + 8 * (number % 3)) * GIB
        name = f"{vm['name_label']} {position}"
        vdi = make_vdi(world, sr, name, size, share=0.02, type="system" if position == 0 else "user")
        add_disk(world, vm, vdi, position, attached=attached)
    add_cd(world, vm, 3, attached=attached)
    for device in range(1 + (number % 5 == 0)):
        network = place.networks.for_guests[(number + device) % len(place.networks.for_guests)]
        add_nic(world, vm, network, device, attached=attached)
    if host is not None:
        _run(world, vm, host, system)
    elif state == "Suspended":
        saved = make_vdi(world, place.storage.nfs, "Suspend image", MEMORY + 256 * MIB, share=0.1, type="suspend")
        world.db.update(vm, suspend_VDI=saved.ref)
    return vm


def _sr_of(place: Place, number: int) -> Object:
    """Where a VM's disks are: shared in most cases; some running and some halted ones keep a host by theirs."""
    if number % 25 == 15 or number % 50 == 46:
        return place.storage.local[place.hosts[number % len(place.hosts)].ref]
    return place.storage.for_disks[number % len(place.storage.for_disks)]


def _fields(
    world: World, random: Random, number: int, system: System, state: str, host: Object | None
) -> dict[str, Any]:
    template = TEMPLATES[system.template]
    boot = _boot_fields(world, system)
    memory = random.choice((MEMORY // 4, MEMORY // 2, MEMORY))
    started = timedelta(minutes=4) if number == _RECENT else timedelta(hours=random.randrange(30, 2000))
    metrics = world.db.create("VM_metrics", install_time=world.now() - timedelta(days=100))
    if state != "Halted":
        world.db.update(metrics, start_time=world.now() - started, current_domain_type=boot["domain_type"])
    fields: dict[str, Any] = boot | {
        "name_label": domain_name(number),
        "name_description": f"A {system.distro} guest" if number % 3 else "",
        "power_state": state,
        "platform": platform(template),
        "memory_static_max": memory,
        "memory_dynamic_max": memory,
        "memory_dynamic_min": memory,
        "memory_static_min": memory // 2,
        "VCPUs_max": 1 + number % 4,
        "VCPUs_at_startup": 1 + number % 4,
        "actions_after_shutdown": "destroy",
        "actions_after_reboot": "restart",
        "actions_after_crash": "restart",
        "other_config": _other_config(world, number, template.name),
        "tags": [tag for place, tag in enumerate(_TAGS) if number >> place & 1] if number % 2 else [],
        "metrics": metrics.ref,
        "domid": -1,
        "hardware_platform_version": 2 if template.windows else 0,
        "generation_id": "",
    }
    if host is not None:
        domid = 1 + number // max(1, world.options.hosts)
        fields |= {"resident_on": host.ref, "affinity": host.ref, "domid": domid, "memory_target": memory}
    return fields


def _boot_fields(world: World, system: System) -> dict[str, Any]:
    fields = base_fields(TEMPLATES[system.template])
    if system.domain_type and world.options.api >= _DOMAIN_TYPES_SINCE:
        fields |= {"domain_type": system.domain_type, "HVM_boot_policy": "", "PV_bootloader": "pygrub"}
    return fields


def _other_config(world: World, number: int, template: str) -> dict[str, str]:
    config = {"base_template_name": template, "mac_seed": world.db.new_uuid(), "import_task": NULL}
    if folder := _FOLDERS[number % len(_FOLDERS)]:
        config["folder"] = folder
    if number % 6 == 0:
        config["auto_poweron"] = "true"
    if number % 7 == 0:
        config["notes"] = "Ask the owner before shutting down."
    return config


def _run(world: World, vm: Object, host: Object, system: System) -> None:
    """Let a VM run as it does some time after its boot."""
    metrics = world.db.get("VM_metrics", vm["metrics"])
    hvm = vm["domain_type"] == "hvm"
    world.db.update(metrics, **metrics_of_running(world, vm, vm["memory_target"]), hvm=hvm)
    world.db.update(vm, memory_overhead=overhead(vm))
    make_consoles(world, vm, host)
    if system.tools != ABSENT:
        told = metrics_fields(world, vm, guests(world)[vm.ref])
        world.db.update(vm, guest_metrics=world.db.create("VM_guest_metrics", **told).ref)
