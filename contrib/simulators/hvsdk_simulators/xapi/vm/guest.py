"""The operating system inside a VM: whether it has tools, obeys, and what it tells of itself."""

import weakref
from collections.abc import MutableMapping
from typing import Any

import attrs

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.world import World

CURRENT = "current"
OUTDATED = "outdated"
ABSENT = "absent"

FEATURES = (
    "feature-shutdown",
    "feature-poweroff",
    "feature-reboot",
    "feature-suspend",
    "feature-vcpu-hotplug",
    "feature-balloon",
)
_OBEYED_WITHOUT_TOOLS = ("feature-shutdown", "feature-poweroff", "feature-reboot")


@attrs.define(kw_only=True)
class Guest:
    """How one guest behaves.

    Attributes:
        tools: `current`, `outdated` (version 6 of the drivers, not up to date) or `absent`.
        boots: So often it has booted; with saved memory it goes on without.
        boot_seconds: Time from the start until the tools tell of themselves; with 0 they have when the start is done.
        acknowledges_shutdown: It says that it heard the request; without, the request fails early.
        obeys_shutdown: It goes down when asked; without, the request runs into its time limit.
        missed_requests: So many requests to go down run into their time limit first, as those of a guest that boots.
        shutdown_seconds: Time it takes to go down.
        shutdown_timeout: Seconds that the toolstack waits for it.
        acknowledge_timeout: Seconds that the toolstack waits for an acknowledgement.
        acknowledges_suspend: It says that it heard the request to save its memory; without, the request fails.
        acpi: Without tools, it obeys the power button and says so.
        quiesces: It can hold its writes for a snapshot.
        hostname: Its name, as the tools tell it.
        distro: Name of its operating system.
        addresses: Addresses by VIF device; made up from the MAC when not given.
    """

    tools: str = CURRENT
    boots: int = 0
    boot_seconds: float = 0.0
    acknowledges_shutdown: bool = True
    obeys_shutdown: bool = True
    missed_requests: int = 0
    shutdown_seconds: float = 0.02
    shutdown_timeout: float = 1200.0
    acknowledge_timeout: float = 60.0
    acknowledges_suspend: bool = True
    acpi: bool = False
    quiesces: bool = False
    hostname: str = ""
    distro: str = "debian"
    addresses: dict[str, str] = attrs.field(factory=dict)


_GUESTS: weakref.WeakKeyDictionary[World, dict[str, Guest]] = weakref.WeakKeyDictionary()


def guests(world: World) -> MutableMapping[str, Guest]:
    """The guests of a pool by VM reference."""
    return _GUESTS.setdefault(world, {})


def guest_of(world: World, vm: Object) -> Guest:
    """How the VM's guest behaves; one that nobody described has tools and obeys."""
    return guests(world).setdefault(vm.ref, Guest())


def copy_guest(world: World, source: Object, copy: Object) -> None:
    """Let a copied VM behave as the one it came from: the same system is on its disks."""
    known = guests(world).get(source.ref)
    if known is not None:
        guests(world)[copy.ref] = attrs.evolve(known, addresses={})


def forget_guest(world: World, vm: Object) -> None:
    """Drop what is known of a VM that is no more."""
    guests(world).pop(vm.ref, None)


def tell(world: World, vm: Object) -> None:
    """Let the guest write its metrics, as it does when it has booted; without tools it tells what its kernel can."""
    guest = guest_of(world, vm)
    if guest.tools == ABSENT and not guest.acpi:
        return
    fields = metrics_fields(world, vm, guest) if guest.tools != ABSENT else _kernel_fields(world)
    known = world.db.lookup("VM_guest_metrics", vm["guest_metrics"])
    if known is not None:
        world.db.update(known, **fields)
    else:
        world.db.update(vm, guest_metrics=world.db.create("VM_guest_metrics", **fields).ref)


def silence(world: World, vm: Object) -> None:
    """Drop the guest metrics, as a start does before the guest has booted."""
    known = world.db.lookup("VM_guest_metrics", vm["guest_metrics"])
    world.db.update(vm, guest_metrics=NULL)
    if known is not None:
        world.db.delete(known)


def metrics_fields(world: World, vm: Object, guest: Guest) -> dict[str, Any]:
    """The fields of VM_guest_metrics for a guest that runs."""
    outdated = guest.tools == OUTDATED
    return {
        "os_version": _os_version(guest.distro),
        "PV_drivers_version": _driver_version(outdated),
        "PV_drivers_up_to_date": not outdated,
        "PV_drivers_detected": True,
        "networks": _networks(world, vm, guest),
        "other": _other(guest, outdated),
        "last_updated": world.now(),
        "live": True,
        "can_use_hotplug_vbd": "yes",
        "can_use_hotplug_vif": "yes",
    }


def _kernel_fields(world: World) -> dict[str, Any]:
    """The fields of VM_guest_metrics for a guest without tools that can be shut down."""
    return {"other": dict.fromkeys(_OBEYED_WITHOUT_TOOLS, "1"), "last_updated": world.now(), "live": True}


def _os_version(distro: str) -> dict[str, str]:
    if distro == "windows":
        name = "Microsoft Windows Server 2019 Standard"
        return {"name": name, "distro": distro, "major": "10", "minor": "0"}
    return {"name": f"{distro.capitalize()} 12", "uname": "6.1.0", "distro": distro, "major": "12"}


def _driver_version(outdated: bool) -> dict[str, str]:
    if outdated:
        return {"major": "6", "minor": "0", "micro": "2", "build": "54"}
    return {"major": "7", "minor": "20", "micro": "0", "build": "1"}


def _other(guest: Guest, outdated: bool) -> dict[str, str]:
    told = {feature: "1" for feature in FEATURES if not outdated or feature != "feature-vcpu-hotplug"}
    told.update({"platform-feature-multiprocessor-suspend": "1", "has-vendor-device": "0"})
    if guest.quiesces:
        told["feature-snapshot"] = "1"
    if guest.hostname:
        told["data-hostname"] = guest.hostname
    return told


def _networks(world: World, vm: Object, guest: Guest) -> dict[str, str]:
    told: dict[str, str] = {}
    for ref in vm["VIFs"]:
        vif = world.db.lookup("VIF", ref)
        if vif is None:
            continue
        device, mac = vif["device"], vif["MAC"]
        address = guest.addresses.get(device) or address_from(mac)
        told |= {f"{device}/ip": address, f"{device}/ipv4/0": address, f"{device}/ipv6/0": link_local_from(mac)}
    return told


def address_from(mac: str) -> str:
    """An IPv4 address that belongs to a MAC, in the range set aside for measurements."""
    octets = [int(part, 16) for part in mac.split(":")] if mac else [0] * 6
    return f"198.19.{octets[4]}.{octets[5]}"


def link_local_from(mac: str) -> str:
    """The IPv6 link-local address that a system makes from the MAC."""
    octets = [int(part, 16) for part in mac.split(":")] if mac else [0] * 6
    first = octets[0] ^ 2
    return f"fe80::{first:02x}{octets[1]:02x}:{octets[2]:02x}ff:fe{octets[3]:02x}:{octets[4]:02x}{octets[5]:02x}"
