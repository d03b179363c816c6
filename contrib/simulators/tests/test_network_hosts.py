"""Networks of a pool and the interfaces of its hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.database import NULL, Object
from storage_pool import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(domains=4) as made:
        yield made


def named(pool: Pool, name: str) -> Object:
    return next(one for one in pool.world.db.all("network") if one["name_label"] == name)


def pif(pool: Pool, device: str, host: int = 0, vlan: int = -1) -> Object:
    ref = pool.world.members[host].host.ref
    wanted = {"device": device, "host": ref, "VLAN": vlan}
    return next(one for one in pool.world.db.all("PIF") if wanted.items() <= one.fields.items())


def test_a_network_gets_the_first_free_bridge(pool: Pool) -> None:
    made = pool.call("network.create", {"name_label": "new", "bridge": "", "managed": True})

    assert made["bridge"] == "xapi0"
    assert pool.refused("network.create", {"bridge": "xapi0"}) == ["BRIDGE_NAME_EXISTS", "xapi0"]


def test_a_network_is_destroyed_when_nothing_is_on_it(pool: Pool) -> None:
    made = pool.call("network.create", {"name_label": "new"})
    pool.call("network.destroy", made)

    with pytest.raises(Exception, match="HANDLE_INVALID"):
        pool.world.db.get("network", made.ref)


def test_a_network_that_hosts_are_on_stays(pool: Pool) -> None:
    vlan = named(pool, "VLAN 200")
    for ref in list(vlan["VIFs"]):
        pool.world.db.update(pool.world.db.get("VIF", ref), currently_attached=False)

    assert pool.refused("network.destroy", vlan) == ["NETWORK_CONTAINS_PIF", *vlan["PIFs"]]


def test_the_network_of_the_hosts_themselves_stays(pool: Pool) -> None:
    network = named(pool, "Host internal management network")

    assert pool.refused("network.destroy", network) == ["CANNOT_DESTROY_SYSTEM_NETWORK", network.ref]


def test_a_pool_does_nbd_with_tls_or_without(pool: Pool) -> None:
    network = named(pool, "Private")

    refusal = ["NETWORK_INCOMPATIBLE_PURPOSES", "insecure_nbd", "nbd"]
    assert pool.refused("network.add_purpose", network, "insecure_nbd") == refusal


def test_a_vlan_is_made_on_every_host(pool: Pool) -> None:
    network = pool.call("network.create", {"name_label": "VLAN 300"})

    made = pool.call("pool.create_VLAN_from_PIF", pif(pool, "eth1"), network, 300)

    assert {one["host"] for one in made} == {member.host.ref for member in pool.world.members}
    assert {one["VLAN"] for one in made} == {300}
    refusal = pool.refused("VLAN.create", pif(pool, "eth1"), 300, network)
    assert refusal == ["PIF_VLAN_EXISTS", pif(pool, "eth1", vlan=300).ref]


@pytest.mark.parametrize("tag", [-1, 4095, 70000])
def test_a_tag_has_to_fit_into_a_packet(pool: Pool, tag: int) -> None:
    network = named(pool, "Private")

    assert pool.refused("VLAN.create", pif(pool, "eth1"), tag, network) == ["VLAN_TAG_INVALID", str(tag)]


def test_a_vlan_goes_with_its_interface(pool: Pool) -> None:
    network = pool.call("network.create", {"name_label": "VLAN 300"})
    vlan = pool.call("VLAN.create", pif(pool, "eth1"), 300, network)

    pool.call("VLAN.destroy", vlan)

    assert network["PIFs"] == []
    assert pif(pool, "eth1")["VLAN_slave_of"] == []


def test_a_bond_takes_the_address_over_and_gives_it_back(pool: Pool) -> None:
    network = pool.call("network.create", {"name_label": "bond"})
    first, second = pif(pool, "eth0"), pif(pool, "eth1")
    address = first["IP"]

    bond = pool.call("Bond.create", network, [first, second], "", "active-backup", {})

    master = pool.world.db.get("PIF", bond["master"])
    assert (master["device"], master["IP"], master["management"]) == ("bond1", address, True)
    assert (first["IP"], first["bond_slave_of"]) == ("", bond.ref)
    assert set(bond["slaves"]) == {first.ref, second.ref}
    pool.call("Bond.destroy", bond)
    assert (first["IP"], first["management"], first["bond_slave_of"]) == (address, True, NULL)


def test_bonds_are_made_of_free_interfaces_of_one_host(pool: Pool) -> None:
    network = pool.call("network.create", {"name_label": "bond"})

    def refused(members: list[Object]) -> str:
        return pool.refused("Bond.create", network, members, "", "balance-slb", {})[0]

    assert refused([pif(pool, "eth1")]) == "PIF_BOND_NEEDS_MORE_MEMBERS"
    assert refused([pif(pool, "eth1"), pif(pool, "eth1", host=1)]) == "PIF_CANNOT_BOND_CROSS_HOST"
    assert refused([pif(pool, "eth1"), pif(pool, "eth2")]) == "PIF_ALREADY_BONDED"


def test_the_management_interface_stays_up(pool: Pool) -> None:
    management = pif(pool, "eth0")

    assert pool.refused("PIF.unplug", management) == ["PIF_IS_MANAGEMENT_INTERFACE", management.ref]
    assert pool.refused("PIF.forget", management) == ["PIF_IS_MANAGEMENT_INTERFACE", management.ref]


def test_an_interface_is_forgotten_and_introduced(pool: Pool) -> None:
    card = pif(pool, "eth1")
    host, mac = pool.world.master, card["MAC"]
    assert pool.refused("PIF.introduce", host, mac, "eth9") == ["MAC_STILL_EXISTS", mac]

    pool.call("PIF.forget", card)
    again = pool.call("PIF.introduce", host, mac, "eth1", True)

    assert (again["MAC"], again["physical"]) == (mac, True)


def test_an_interface_takes_an_address(pool: Pool) -> None:
    card = pif(pool, "eth1")

    pool.call("PIF.reconfigure_ip", card, "Static", "192.0.2.7", "255.255.255.0", "", "")

    assert (card["ip_configuration_mode"], card["IP"]) == ("Static", "192.0.2.7")
    wrong = pool.refused("PIF.reconfigure_ip", card, "Static", "192.0.2", "255.255.255.0", "", "")
    assert wrong == ["INVALID_IP_ADDRESS_SPECIFIED", "IP"]


def test_functions_of_a_capable_card_make_a_network(pool: Pool) -> None:
    network = pool.call("network.create", {"name_label": "functions"})
    assert pool.refused("network_sriov.create", pif(pool, "eth0"), network)[0] == "PIF_IS_NOT_SRIOV_CAPABLE"

    made = pool.call("network_sriov.create", pif(pool, "eth1"), network)

    assert pool.call("network_sriov.get_remaining_capacity", made) == 64
    assert pool.refused("network_sriov.create", pif(pool, "eth1"), network)[0] == "NETWORK_SRIOV_ALREADY_ENABLED"
    pool.call("network_sriov.destroy", made)
    assert network["PIFs"] == []


def test_a_host_is_managed_by_an_interface_with_an_address(pool: Pool) -> None:
    first, second = pif(pool, "eth0"), pif(pool, "eth1")
    refusal = ["PIF_HAS_NO_NETWORK_CONFIGURATION", second.ref]
    assert pool.refused("host.management_reconfigure", second) == refusal
    pool.call("PIF.reconfigure_ip", second, "Static", "192.0.2.7", "255.255.255.0", "", "")

    pool.call("host.management_reconfigure", second)

    assert (first["management"], second["management"]) == (False, True)
    assert pool.call("host.get_management_interface", pool.world.master) is second
