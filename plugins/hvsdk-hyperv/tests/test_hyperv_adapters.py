"""Network adapters of domains that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hvsdk
import pytest
from hvsdk import NicSpec
from hvsdk_simulators import Running
from hyperv_support import connect, opened, requests_of, soon

CONFIG = frozenset({"config"})


@pytest.fixture
def lab(place: tuple[Running, hvsdk.Host]) -> Iterator[tuple[Running, hvsdk.Domain]]:
    """A domain of generation 2 that is off; what is added to it goes again, and two switches with it."""
    server, host = place
    made = [server.act("switch", called=name) for name in ("Lab 'one' $(x)", "Lab [two]*")]
    domain = pick(host, generation=2, state="shutoff")
    before = {nic.id for nic in domain.nics}
    yield server, domain
    for nic in domain.nics:
        if nic.id not in before:
            domain.detach_nic(nic)
    for switch in made:
        server.act("switch", remove=switch)


def pick(host: hvsdk.Host, *, generation: int, state: str) -> hvsdk.Domain:
    return next(
        one
        for one in host.domains(full=True)
        if one.details["hyperv.generation"] == generation and one.power_state == state
    )


def test_an_adapter_is_what_was_asked_for(lab: tuple[Running, hvsdk.Domain]) -> None:
    _, domain = lab
    spec = NicSpec(network="Lab 'one' $(x)", mac="00:15:5d:aa:bb:cc", vlan=12, hints={"hyperv.name": "front `$x"})
    nic = domain.attach_nic(spec)
    assert (nic.network, nic.mac, nic.vlan, nic.link_up) == ("Lab 'one' $(x)", "00:15:5d:aa:bb:cc", 12, True)
    assert (nic.model, nic.details["hyperv.name"], nic.details["hyperv.dynamic_mac"]) == (
        "synthetic",
        "front `$x",
        False,
    )
    with pytest.raises(hvsdk.errors.AlreadyExistsError):
        domain.attach_nic(spec)
    domain.detach_nic(nic)
    assert nic.id not in {one.id for one in domain.nics}


def test_names_are_no_wildcards(lab: tuple[Running, hvsdk.Domain]) -> None:
    _, domain = lab
    assert domain.attach_nic(NicSpec(network="Lab [two]*")).network == "Lab [two]*"
    count = len(domain.nics)
    with pytest.raises(hvsdk.errors.NetworkNotFoundError):
        domain.attach_nic(NicSpec(network="Lab*"))
    domain.refresh()
    assert len(domain.nics) == count


def test_a_cable_is_plugged_back_where_it_was(lab: tuple[Running, hvsdk.Domain]) -> None:
    server, domain = lab
    nic = domain.attach_nic(NicSpec(network="Lab [two]*"))
    domain.set_notes("mine")
    domain.set_nic_link(nic, False)
    domain.set_nic_link(nic, False)
    (seen,) = (one for one in domain.nics if one.id == nic.id)
    assert (seen.link_up, seen.network) == (False, "Lab [two]*")
    assert domain.notes == "mine"
    domain.set_nic_link(nic, True)
    domain.set_nic_link(nic, True)
    (seen,) = (one for one in domain.nics if one.id == nic.id)
    assert (seen.link_up, seen.network) == (True, "Lab [two]*")
    assert "link" not in stored(server, domain)
    domain.set_notes("")


def stored(server: Running, domain: hvsdk.Domain) -> str:
    """Return the notes as other clients see them."""
    with opened(server) as driver:
        return str(driver.call("labels.get", {"id": domain.native_id}, deadline=soon())["notes"])


def test_an_adapter_may_come_unplugged(lab: tuple[Running, hvsdk.Domain]) -> None:
    server, domain = lab
    nic = domain.attach_nic(NicSpec(network="Lab [two]*", link_up=False))
    assert (nic.link_up, nic.network) == (False, "Lab [two]*")
    domain.set_nic_link(nic, True)
    (seen,) = (one for one in domain.nics if one.id == nic.id)
    assert (seen.link_up, seen.network) == (True, "Lab [two]*")
    domain.set_nic_link(nic, False)
    domain.detach_nic(nic)
    assert nic.id not in stored(server, domain)


def test_a_switch_that_is_gone_is_named(server: Running) -> None:
    made = server.act("switch", called="Gone")
    with connect(server) as host:
        domain = pick(host, generation=2, state="shutoff")
        nic = domain.attach_nic(NicSpec(network="Gone"))
        domain.set_nic_link(nic, False)
        server.act("switch", remove=made)
        with pytest.raises(hvsdk.errors.NetworkNotFoundError):
            domain.set_nic_link(nic, True)
        domain.detach_nic(nic)


def test_two_switches_of_one_name_are_told_apart_by_their_ids(server: Running) -> None:
    made = [server.act("switch", called="Twin") for _ in range(2)]
    with connect(server) as host:
        domain = pick(host, generation=2, state="shutoff")
        with pytest.raises(hvsdk.errors.AmbiguousNameError):
            domain.attach_nic(NicSpec(network="Twin"))
        nic = domain.attach_nic(NicSpec(network=made[1]))
        assert nic.details["hyperv.switch_id"] == made[1]
        domain.detach_nic(nic)
    for switch in made:
        server.act("switch", remove=switch)


def test_what_cannot_be_had_is_refused(lab: tuple[Running, hvsdk.Domain]) -> None:
    _, domain = lab
    count = len(domain.nics)
    for spec in (NicSpec(model="e1000e"), NicSpec(mtu=9000), NicSpec(model="legacy")):
        with pytest.raises(hvsdk.errors.InvalidSpecError):
            domain.attach_nic(spec)
    domain.refresh()
    assert len(domain.nics) == count


def test_an_adapter_that_is_not_there_is_not_found(lab: tuple[Running, hvsdk.Domain]) -> None:
    _, domain = lab
    with pytest.raises(hvsdk.errors.NicNotFoundError):
        domain.detach_nic("no such adapter")


def test_a_running_domain_of_generation_1_takes_no_adapter(make_server: Callable[..., Running]) -> None:
    with connect(make_server(domains=6)) as host:
        domain = next(one for one in host.domains(full=True) if one.details["hyperv.generation"] == 1)
        if domain.power_state == "shutoff":
            domain.start()
        assert domain.why_not("attach_nic") or not host.supports("hotplug_nic") or domain.power_state == "running"
        with pytest.raises((hvsdk.errors.PowerStateError, hvsdk.errors.UnsupportedError)):
            domain.attach_nic(NicSpec())


def test_a_running_domain_of_generation_2_takes_one(make_server: Callable[..., Running]) -> None:
    for version, possible in ((2022, True), (2012, False)):
        server = make_server(domains=6, version=version)
        with connect(server) as host:
            domain = pick(host, generation=2, state="running")
            assert host.supports("hotplug_nic") == host.supports("reconfigure_running") == possible
            if not possible:
                with pytest.raises((hvsdk.errors.PowerStateError, hvsdk.errors.UnsupportedError)):
                    domain.attach_nic(NicSpec())
                continue
            nic = domain.attach_nic(NicSpec())
            assert nic.mac is not None
            domain.set_nic_link(nic, False)
            domain.detach_nic(nic)


def test_plugging_and_unplugging_is_two_exchanges(server: Running) -> None:
    made = server.act("switch", called="Count")
    with opened(server) as driver:
        info = next(
            one
            for one in driver.list_domains(CONFIG, deadline=soon())
            if one.power_state == "shutoff" and one.details["hyperv.generation"] == 2
        )
        nic = driver.attach_nic(info.native_id, NicSpec(network="Count"), deadline=soon())
        counts = requests_of(server, lambda: driver.set_nic_link(info.native_id, nic, False, deadline=soon()))
        assert sum(counts.values()) == 4, counts
        driver.detach_nic(info.native_id, nic, deadline=soon())
    server.act("switch", remove=made)
