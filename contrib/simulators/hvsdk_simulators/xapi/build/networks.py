"""Networks, and what connects each host to them."""

from __future__ import annotations

from attrs import frozen

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.world import World

VLAN_TAGS = (100, 200)
_DEVICES = ("eth0", "eth1", "eth2", "eth3")
_BONDED = ("eth2", "eth3")
PURPOSE_SINCE = (2, 8)


@frozen
class Networks:
    """The networks of a pool."""

    management: Object
    by_device: dict[str, Object]
    bond: Object
    vlans: dict[int, Object]
    private: Object

    @property
    def for_guests(self) -> list[Object]:
        """Those that a VM may well be on."""
        return [self.management, self.by_device["eth1"], *self.vlans.values()]


def make_networks(world: World) -> Networks:
    """Make the networks of the pool; nothing is connected to them yet."""
    by_device = {
        device: _network(world, f"Pool-wide network associated with {device}", f"xenbr{device[-1]}", automatic="true")
        for device in _DEVICES
    }
    if world.options.api >= PURPOSE_SINCE:
        world.db.update(by_device["eth0"], purpose=["nbd"])
    _network(
        world,
        "Host internal management network",
        "xenapi",
        is_guest_installer_network="true",
        is_host_internal_management_network="true",
        ip_begin="169.254.0.1",
        ip_end="169.254.255.254",
        netmask="255.255.0.0",
    )
    bond = _network(world, "Bond 2+3", "xapi1")
    vlans = {tag: _network(world, f"VLAN {tag}", f"xapi{number}") for number, tag in enumerate(VLAN_TAGS, start=2)}
    private = _network(world, "Private", "xapi9")
    return Networks(by_device["eth0"], by_device, bond, vlans, private)


def connect_host(world: World, networks: Networks, host: Object, number: int) -> None:
    """Give a host its interfaces: management on eth0, a bond of two with VLANs on it, one to spare."""
    pifs = {device: _physical(world, networks, host, device, number) for device in _DEVICES}
    world.db.update(
        pifs["eth0"],
        management=True,
        ip_configuration_mode="Static",
        IP=host["address"],
        netmask="255.254.0.0",
        gateway="198.18.255.254",
        DNS="198.18.255.253",
    )
    bonded = _pif(world, networks.bond, host, "bond0", pifs["eth2"]["MAC"])
    bond = world.db.create("Bond", master=bonded.ref, primary_slave=pifs["eth2"].ref, mode="balance-slb", links_up=2)
    for device in _BONDED:
        world.db.update(pifs[device], bond_slave_of=bond.ref, currently_attached=False)
    for tag, network in networks.vlans.items():
        untagged = _pif(world, network, host, "bond0", bonded["MAC"], VLAN=tag)
        vlan = world.db.create("VLAN", tagged_PIF=bonded.ref, untagged_PIF=untagged.ref, tag=tag)
        world.db.update(untagged, VLAN_master_of=vlan.ref)


def _network(world: World, name: str, bridge: str, **other_config: str) -> Object:
    return world.db.create("network", name_label=name, bridge=bridge, MTU=1500, other_config=other_config)


def _physical(world: World, networks: Networks, host: Object, device: str, number: int) -> Object:
    mac = f"02:00:5e:{number // 256:02x}:{number % 256:02x}:{device[-1]:0>2}"
    capabilities = ["fcoe", "sriov"] if device == "eth1" else ["fcoe"]
    return _pif(world, networks.by_device[device], host, device, mac, physical=True, capabilities=capabilities)


def _pif(
    world: World, network: Object, host: Object, device: str, mac: str, VLAN: int = -1, **fields: object
) -> Object:
    physical = bool(fields.get("physical"))
    metrics = world.db.create(
        "PIF_metrics",
        carrier=True,
        vendor_id="8086" if physical else "",
        vendor_name="Intel Corporation" if physical else "",
        device_id="1572" if physical else "",
        device_name="Ethernet Controller X710" if physical else "",
        speed=10000,
        duplex=True,
        pci_bus_path=f"0000:3b:00.{device[-1]}" if physical else "N/A",
        last_updated=world.now(),
    )
    return world.db.create(
        "PIF",
        network=network.ref,
        host=host.ref,
        device=device,
        MAC=mac,
        MTU=1500,
        VLAN=VLAN,
        metrics=metrics.ref,
        currently_attached=True,
        bond_slave_of=NULL,
        VLAN_master_of=NULL,
        primary_address_type="IPv4",
        properties={"gro": "on"},
        **fields,
    )
