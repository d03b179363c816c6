"""A VM's record as its domain comes and goes: residence, devices, consoles and metrics.

What is set here is what the product sets when the hypervisor tells it of a change, so every way to the same power
state leaves the same record behind.
"""

import itertools
import weakref
from collections.abc import Iterator
from typing import Any

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.storage.device_names import device_name
from hvsdk_simulators.xapi.vm import guest, states
from hvsdk_simulators.xapi.vm.hosts import memory_free
from hvsdk_simulators.xapi.vm.memory_rules import overhead
from hvsdk_simulators.xapi.world import World

CPU_FLAGS = {
    "vendor": "GenuineIntel",
    "features": "1fc9cbf5-f6f83203-2991cbf5-00000023-00000001-00000329-00000000-00000000-00001000-8c000400",
}

_DOMIDS: weakref.WeakKeyDictionary[World, dict[str, Iterator[int]]] = weakref.WeakKeyDictionary()


def build(world: World, vm: Object, host: Object, *, paused: bool = False) -> None:
    """Set the record of a VM that boots on a host: a new domain, with nothing told by the guest yet."""
    guest.silence(world, vm)
    guest.guest_of(world, vm).boots += 1
    _place(world, vm, host, paused=paused)
    metrics = _metrics(world, vm)
    world.db.update(metrics, start_time=world.now(), current_domain_type=boot_type(vm), hvm=boot_type(vm) == "hvm")
    world.db.update(vm, last_boot_CPU_flags=CPU_FLAGS)
    if not paused:
        boot_guest(world, vm)


def restore(world: World, vm: Object, host: Object, *, paused: bool = False) -> None:
    """Set the record of a VM whose saved memory runs again on a host."""
    _place(world, vm, host, paused=paused)
    if not paused:
        guest.tell(world, vm)


def reboot(world: World, vm: Object) -> None:
    """Set the record of a VM that got a new domain in its place."""
    host = world.db.get("host", vm["resident_on"])
    build(world, vm, host)


def move(world: World, vm: Object, host: Object) -> None:
    """Set the record of a VM that runs on, on another host."""
    world.db.update(vm, resident_on=host.ref, domid=new_domid(world, host))
    make_consoles(world, vm, host)


def halt(world: World, vm: Object) -> None:
    """Set the record of a VM that is off. What its guest told last stays, stale."""
    _leave(world, vm)
    world.db.update(_metrics(world, vm), current_domain_type="unspecified")
    _attach(world, vm, attached=False)
    world.db.update(vm, power_state=states.HALTED, requires_reboot=False)


def save(world: World, vm: Object, suspend_vdi: Object) -> None:
    """Set the record of a VM whose memory was saved; its devices stay attached, so that nobody takes its disks."""
    _leave(world, vm)
    world.db.update(vm, power_state=states.SUSPENDED, suspend_VDI=suspend_vdi.ref)


def boot_type(vm: Object) -> str:
    """What kind of domain the VM boots as."""
    chosen: str = vm["domain_type"]
    if chosen != "unspecified":
        return chosen
    return "hvm" if vm["HVM_boot_policy"] else "pv"


def boot_guest(world: World, vm: Object) -> None:
    """Let the guest tell of itself when it has had time to boot, if the same domain still runs then."""
    domid, seconds = vm["domid"], guest.guest_of(world, vm).boot_seconds
    if not seconds:
        guest.tell(world, vm)
        return

    def booted() -> None:
        known = world.db.lookup("VM", vm.ref)
        if known is not None and known["power_state"] == states.RUNNING and known["domid"] == domid:
            guest.tell(world, known)

    world.later(seconds, booted)


def metrics_of_running(world: World, vm: Object, memory: int) -> dict[str, Any]:
    """The fields of VM_metrics for a domain that has the memory."""
    vcpus: int = vm["VCPUs_at_startup"]
    return {
        "memory_actual": memory,
        "VCPUs_number": vcpus,
        "VCPUs_CPU": {number: number for number in range(vcpus)},
        "VCPUs_params": dict(vm["VCPUs_params"]),
        "VCPUs_flags": {number: ["online"] for number in range(vcpus)},
        "state": ["running"],
        "last_updated": world.now(),
    }


def _place(world: World, vm: Object, host: Object, *, paused: bool) -> None:
    room = memory_free(world, host, without=vm) - vm["memory_overhead"]
    memory = max(vm["memory_dynamic_min"], min(vm["memory_dynamic_max"], room))
    world.db.update(_metrics(world, vm), **metrics_of_running(world, vm, memory))
    world.db.update(
        vm,
        power_state=states.PAUSED if paused else states.RUNNING,
        resident_on=host.ref,
        scheduled_to_be_resident_on=NULL,
        domid=new_domid(world, host),
        memory_target=memory,
        memory_overhead=overhead(vm),
    )
    _attach(world, vm, attached=True)
    make_consoles(world, vm, host)


def _leave(world: World, vm: Object) -> None:
    _drop_consoles(world, vm)
    idle = {"memory_actual": 0, "VCPUs_number": 0, "VCPUs_CPU": {}, "VCPUs_flags": {}, "state": []}
    world.db.update(_metrics(world, vm), last_updated=world.now(), **idle)
    world.db.update(vm, resident_on=NULL, scheduled_to_be_resident_on=NULL, domid=-1)


def _metrics(world: World, vm: Object) -> Object:
    """The VM's metrics; a template has none, and what is made from it gets its own."""
    known = world.db.lookup("VM_metrics", vm["metrics"])
    if known is None:
        known = world.db.create("VM_metrics")
        world.db.update(vm, metrics=known.ref)
    return known


def _attach(world: World, vm: Object, *, attached: bool) -> None:
    for cls, field in (("VBD", "VBDs"), ("VIF", "VIFs"), ("VGPU", "VGPUs"), ("VUSB", "VUSBs")):
        for ref in vm[field]:
            device = world.db.lookup(cls, ref)
            if device is not None and device["currently_attached"] != attached:
                world.db.update(device, currently_attached=attached)
            if cls == "VBD" and attached and device is not None and not device["device"]:
                world.db.update(device, device=device_name(device["userdevice"]))


def new_domid(world: World, host: Object) -> int:
    """A number that no domain of the host has had: they are counted up until the host boots."""
    counters = _DOMIDS.setdefault(world, {})
    if host.ref not in counters:
        taken = (world.db.lookup("VM", ref) for ref in host["resident_VMs"])
        counters[host.ref] = itertools.count(max((vm["domid"] for vm in taken if vm is not None), default=0) + 1)
    return next(counters[host.ref])


def make_consoles(world: World, vm: Object, host: Object) -> None:
    """Give a VM the consoles of its domain on a host, in place of those it has."""
    _drop_consoles(world, vm)
    for protocol in ("rfb", "vt100"):
        console = world.db.create("console", VM=vm.ref, protocol=protocol)
        location = f"https://{host['address']}/console?uuid={console['uuid']}"
        world.db.update(console, location=location)


def _drop_consoles(world: World, vm: Object) -> None:
    for ref in list(vm["consoles"]):
        console = world.db.lookup("console", ref)
        if console is not None:
            world.db.delete(console)
