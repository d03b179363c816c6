"""Virtual machines in CIM: what `root/virtualization/v2` shows of them and of their guests."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.vms import Vm

from .cim import VIRTUALIZATION, cim_class, guid_of, instance
from .records import Record

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["guest_is_heard", "here", "is_up"]

_UP = ("Running", "RunningCritical")
_ENABLED = {"Running": 2, "Off": 3, "Stopping": 4, "Saved": 6, "Paused": 9, "Starting": 10, "Saving": 32773}
_REALIZED = "Microsoft:Hyper-V:System:Realized"


def here(world: World) -> list[Vm]:
    """Return the VMs of this host."""
    return [vm for vm in world.vms.values() if vm.node in ("", world.node)]


def is_up(vm: Vm) -> bool:
    """Whether a VM runs."""
    return vm.state in _UP


def guest_is_heard(vm: Vm, service: str) -> bool:
    """Whether the guest's side of an integration service answers: it runs, and the service is not disabled."""
    return is_up(vm) and vm.guest.tools and vm.hardware.integration_services.get(service, True)


@cim_class("Msvm_ComputerSystem", VIRTUALIZATION)
def _computer_systems(world: World) -> Iterator[Record]:
    host = {"Caption": "Hosting Computer System", "Name": world.node, "ElementName": world.node, "EnabledState": 2}
    yield instance("Msvm_ComputerSystem", world.node, host)
    for vm in here(world):
        properties: dict[str, Any] = {
            "Caption": "Virtual Machine",
            "Name": guid_of(vm),
            "ElementName": vm.name,
            "EnabledState": _ENABLED.get(vm.state, 2),
            "InstallDate": vm.created,
        }
        yield instance("Msvm_ComputerSystem", guid_of(vm), properties, vm)


@cim_class("Msvm_VirtualSystemSettingData", VIRTUALIZATION)
def _settings(world: World) -> Iterator[Record]:
    for vm in here(world):
        yield _setting(vm, guid_of(vm), vm.name, _REALIZED)
        for checkpoint in vm.checkpoints:
            yield _setting(vm, str(checkpoint.id).upper(), checkpoint.name, "Microsoft:Hyper-V:Snapshot:Realized")


def _setting(vm: Vm, key: str, name: str, kind: str) -> Record:
    properties: dict[str, Any] = {
        "InstanceID": f"Microsoft:{key}",
        "ElementName": name,
        "VirtualSystemIdentifier": guid_of(vm) if kind == _REALIZED else key,
        "VirtualSystemType": kind,
        "VirtualSystemSubType": f"Microsoft:Hyper-V:SubType:{vm.generation}",
        "BIOSGUID": f"{{{str(vm.bios_guid).upper()}}}",
        "BIOSSerialNumber": vm.bios_serial,
        "ConfigurationDataRoot": vm.path,
        "CreationTime": vm.created,
        "Notes": [vm.hardware.notes],
        "Version": vm.version,
    }
    return instance("Msvm_VirtualSystemSettingData", key, properties, vm)


# ---- what guests tell ------------------------------------------------------------------------------------


@cim_class("Msvm_KvpExchangeComponent", VIRTUALIZATION)
def _exchange_components(world: World) -> Iterator[Record]:
    for vm in here(world):
        heard = guest_is_heard(vm, "Key-Value Pair Exchange")
        told = [_item(name, value) for name, value in _told(vm).items()] if heard else []
        properties: dict[str, Any] = {
            "SystemName": guid_of(vm),
            "ElementName": "Key-Value Pair Exchange",
            "EnabledState": 2 if vm.hardware.integration_services.get("Key-Value Pair Exchange", True) else 3,
            "GuestIntrinsicExchangeItems": told,
            "GuestExchangeItems": [],
        }
        yield instance("Msvm_KvpExchangeComponent", guid_of(vm), properties, vm)


def _told(vm: Vm) -> dict[str, str]:
    addresses = [address for number in sorted(vm.guest.addresses) for address in vm.guest.addresses[number]]
    return {
        "FullyQualifiedDomainName": vm.guest.hostname,
        "OSName": vm.guest.os,
        "OSVersion": "6.1.0",
        "ProcessorArchitecture": "x86_64",
        "IntegrationServicesVersion": "3.1",
        "NetworkAddressIPv4": ";".join(one for one in addresses if ":" not in one),
        "NetworkAddressIPv6": ";".join(one for one in addresses if ":" in one),
    }


def _item(name: str, value: str) -> str:
    def one(property_: str, text: str, kind: str = "string") -> str:
        return f'<PROPERTY NAME="{property_}" TYPE="{kind}"><VALUE>{escape(text, quote=False)}</VALUE></PROPERTY>'

    empty = "".join(
        f'<PROPERTY NAME="{each}" TYPE="string"></PROPERTY>' for each in ("Caption", "Description", "ElementName")
    )
    return (
        '<INSTANCE CLASSNAME="Msvm_KvpExchangeDataItem">'
        f"{empty}{one('Data', value)}{one('Name', name)}{one('Source', '2', 'uint16')}</INSTANCE>"
    )
