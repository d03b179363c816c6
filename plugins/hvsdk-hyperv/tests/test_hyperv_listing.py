"""Inventory: how it is asked for, what it costs, what is found."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import hvsdk
import pytest
from hvsdk import PowerState
from hvsdk_simulators import Running
from hyperv_support import connect, opened, requests_of, soon

from hvsdk_hyperv._driver import HyperVDriver
from hvsdk_hyperv._refused import RefusedError

EVERYTHING = frozenset({"config", "guest"})
ODD = ("a'b\"c", "$(whoami)", "`n`$x", "[x]*?", "“‘quotes’”‛", "Zoë 日本 🙂", "x" * 80, " -Name *")


@pytest.fixture(scope="module", params=["shared_server", "shared_powershell_server"], ids=["python", "powershell"])
def driver(request: pytest.FixtureRequest) -> Iterator[HyperVDriver]:
    """One connection to each engine."""
    with opened(request.getfixturevalue(request.param)) as driver:
        yield driver


@pytest.fixture
def host(place: tuple[Running, hvsdk.Host]) -> hvsdk.Host:
    """A host on each engine."""
    return place[1]


@pytest.mark.parametrize("include", [frozenset[str](), frozenset({"config"}), frozenset({"guest"}), EVERYTHING])
def test_a_listing_is_two_requests(server: Running, include: frozenset[str]) -> None:
    with opened(server) as driver:
        driver.list_domains(include, deadline=soon())
        counts = requests_of(server, lambda: driver.list_domains(include, deadline=soon()))
    assert sum(counts.values()) == 2, counts


def test_a_listing_of_very_many_is_one_line_in_few_answers(make_server: Callable[..., Running]) -> None:
    server = make_server(domains=300)
    with opened(server) as driver:
        driver.list_domains(frozenset(), deadline=soon())
        found: list[hvsdk.DomainInfo] = []
        counts = requests_of(server, lambda: found.extend(driver.list_domains(EVERYTHING, deadline=soon(60.0))))
    assert len(found) == 300
    assert counts["Send"] == 1
    assert counts["Receive"] <= 5, counts


def test_groups_are_loaded_whole_and_only_when_they_are_asked_for(driver: HyperVDriver) -> None:
    (summary, *_) = driver.list_domains(frozenset(), deadline=soon())
    (whole, *_) = driver.list_domains(EVERYTHING, deadline=soon())
    assert not summary.has("config")
    assert not summary.has("guest")
    assert whole.has("config")
    assert whole.has("guest")
    assert summary.native_id == whole.native_id == whole.uuid
    assert whole.details["hyperv.generation"] in (1, 2)


def test_one_domain_is_what_the_listing_says_of_it(driver: HyperVDriver) -> None:
    found = list(driver.list_domains(EVERYTHING, deadline=soon()))
    assert len(found) > 3
    for listed in found:
        assert driver.get_domain(listed.native_id, EVERYTHING, deadline=soon()) == listed


@pytest.mark.full
def test_both_engines_tell_the_same(make_server: Callable[..., Running]) -> None:
    told = []
    for engine in ("python", "powershell"):
        with opened(make_server(domains=5, seed=7, engine=engine)) as driver:
            told.append([shown(one) for one in driver.list_domains(EVERYTHING, deadline=soon(60.0))])
    assert told[0] == told[1]


def shown(info: hvsdk.DomainInfo) -> dict[str, object]:
    """What does not depend on when it was made."""
    return {key: value for key, value in info.to_dict().items() if key not in ("seen_at", "created_at", "started_at")}


def test_domains_are_found_by_uuid_in_both_byte_orders_and_by_the_one_that_the_guest_sees(driver: HyperVDriver) -> None:
    first, second, *_ = driver.list_domains(frozenset({"config"}), deadline=soon())
    assert first.uuid is not None
    swapped = str(uuid.UUID(bytes_le=uuid.UUID(first.uuid).bytes))
    seen_inside = second.details["hyperv.bios_guid"]
    for key, info in ((first.uuid, first), (first.uuid.upper(), first), (swapped, first), (seen_inside, second)):
        assert list(driver.find_domains(key, deadline=soon())) == [info.native_id], key


def test_odd_names_are_found_and_never_mean_more(host: hvsdk.Host) -> None:
    domain = host.domains()[0]
    before = domain.name
    for name in ODD:
        domain.rename(name)
        assert domain.name == name
        assert host.domain(name).native_id == domain.native_id
        assert [one.name for one in host.domains() if one.native_id == domain.native_id] == [name]
    domain.rename(before)


def test_wildcards_are_no_wildcards(server: Running) -> None:
    with opened(server) as driver:
        for key in ("*", "?*", "[a-z]*", ""):
            assert list(driver.find_domains(key, deadline=soon())) == []


def test_a_domain_that_is_not_there_is_not_found(host: hvsdk.Host) -> None:
    with pytest.raises(hvsdk.errors.DomainNotFoundError):
        host.domain(str(uuid.uuid4()))


def test_a_vm_without_its_storage_is_unknown(make_server: Callable[..., Running]) -> None:
    server = make_server()
    with connect(server) as host:
        domain = next(one for one in host.domains() if one.power_state is PowerState.SHUTOFF)
        server.act("state", vm=domain.native_id, state="OffCritical")
        domain.refresh()
        assert domain.power_state is PowerState.UNKNOWN
        assert domain.info.details["hyperv.state"] == "OffCritical"


def test_disks_that_cannot_be_read_do_not_break_the_listing(make_server: Callable[..., Running]) -> None:
    for engine in ("python", "powershell"):
        server = make_server(engine=engine)
        with opened(server) as driver:
            first, second, third = driver.list_domains(frozenset({"config"}), deadline=soon(60.0))
            server.act("file", path=first.disks[0].source, gone=True)
            server.act("file", path=second.disks[0].source, size=4096)
            for told in (
                driver.list_domains(frozenset({"config"}), deadline=soon(60.0)),
                [
                    driver.get_domain(one.native_id, frozenset({"config"}), deadline=soon(60.0))
                    for one in (first, second, third)
                ],
            ):
                sizes = [one.disks[0].capacity_bytes for one in told]
                assert sizes == [None, None, third.disks[0].capacity_bytes]
                assert [one.disks[0].format for one in told] == ["vhdx"] * 3


def test_a_start_is_told_in_the_same_words_each_time(server: Running) -> None:
    with opened(server) as driver:
        starts = [
            [one.started_at for one in driver.list_domains(frozenset({"config"}), deadline=soon())] for _ in range(3)
        ]
    assert starts[0] == starts[1] == starts[2]


def test_who_may_see_nothing_is_told_so_instead_of_an_empty_list(make_server: Callable[..., Running]) -> None:
    for engine in ("python", "powershell"):
        server = make_server(engine=engine)
        with connect(server) as host:
            assert host.domains()
            server.act("rights", hyperv=False)
            for work in (host.domains, lambda host=host: host.domain("web-1")):  # type: ignore[misc]
                with pytest.raises(hvsdk.errors.PermissionDeniedError):
                    work()


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_an_older_host_is_listed_and_tells_who_is_not_there_from_who_may_not_look(
    make_server: Callable[..., Running], engine: str
) -> None:
    """Its module calls both failures unspecified."""
    server, nobody = make_server(version=2012, engine=engine), str(uuid.uuid4())
    with opened(server) as driver:
        for info in driver.list_domains(EVERYTHING, deadline=soon(60.0)):
            assert info.has("config")
            assert "hyperv.checkpoint_type" not in info.details
        for rights, kind in ((True, "DomainNotFound"), (False, "PermissionDenied")):
            server.act("rights", hyperv=rights)
            with pytest.raises(RefusedError) as caught:
                driver.get_domain(nobody, EVERYTHING, deadline=soon())
            assert caught.value.kind == kind
