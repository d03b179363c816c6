"""Name, notes, tags, metadata and autostart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hvsdk
import pytest
from hvsdk.driver import FENCE_KEY
from hvsdk_simulators import Running
from hyperv_support import connect, opened, requests_of, soon

from hvsdk_hyperv._driver import HyperVDriver

CONFIG = frozenset({"config"})
ODD = (
    'it\'s "so"',
    "$(Remove-Item *)",
    "`n$x",
    "“‘’‚‛”",
    "a\n[hvsdk:1]\n{}\n[/hvsdk]",
    "日本 🙂",
    " ends in a space ",
    "\t\n",
)


@pytest.fixture
def domain(place: tuple[Running, hvsdk.Host]) -> Iterator[hvsdk.Domain]:
    """A domain whose labels are as before afterwards."""
    found = place[1].domains(full=True)[1]
    notes, tags, autostart = found.notes, found.tags, bool(found.autostart)
    yield found
    found.set_notes(notes)
    found.set_tags(tags)
    found.set_autostart(autostart)
    found.set_metadata(dict.fromkeys(found.metadata))


@pytest.fixture
def one(driver: HyperVDriver) -> Iterator[str]:
    """A domain's id, whose notes are as before afterwards."""
    info = next(iter(driver.list_domains(CONFIG, deadline=soon())))
    before = driver.call("labels.get", {"id": info.native_id}, deadline=soon())["notes"]
    yield info.native_id
    write(driver, info.native_id, before)


def stored(driver: HyperVDriver, native_id: str) -> str:
    return str(driver.call("labels.get", {"id": native_id}, deadline=soon())["notes"])


def write(driver: HyperVDriver, native_id: str, notes: str) -> None:
    """Write the notes as another client does, past everything that hvsdk knows."""
    expected = {"notes": stored(driver, native_id)}
    answer = driver.call("labels.set", {"id": native_id, "notes": notes, "expected": expected}, deadline=soon())
    assert answer["done"] is True


def test_labels_round_trip(domain: hvsdk.Domain) -> None:
    for text in ODD:
        tag = text.strip().replace("\n", " ") or "x"
        domain.set_notes(text)
        domain.set_tags({tag, "second"})
        domain.set_metadata({"team.owner": text, "team.other": "b"})
        domain.refresh()
        assert (domain.notes, domain.tags) == (text, frozenset({tag, "second"}))
        assert domain.metadata == {"team.owner": text, "team.other": "b"}
        domain.set_metadata({"team.owner": None})
        assert (domain.notes, domain.metadata) == (text, {"team.other": "b"})


def test_a_name_that_the_host_does_not_take_changes_nothing(domain: hvsdk.Domain) -> None:
    before = domain.name
    for name, why in (("two\nlines", "no line breaks"), ("x" * 101, "100 characters at most")):
        with pytest.raises(hvsdk.errors.InvalidSpecError, match=why):
            domain.rename(name)
    domain.refresh()
    assert domain.name == before


def test_what_others_see_is_the_text(driver: HyperVDriver, one: str) -> None:
    driver.set_notes(one, "Ask Ann.", deadline=soon())
    assert stored(driver, one) == "Ask Ann."
    driver.set_tags(one, frozenset({"prod"}), deadline=soon())
    assert stored(driver, one).startswith("Ask Ann.\n\n[hvsdk:1 ")


def test_a_change_is_one_exchange_where_the_notes_are_known(server: Running, driver: HyperVDriver, one: str) -> None:
    driver.get_domain(one, CONFIG, deadline=soon())
    counts = requests_of(server, lambda: driver.set_metadata(one, {"a.b": "c"}, deadline=soon()))
    assert sum(counts.values()) == 2, counts


def test_what_others_wrote_meanwhile_stays(driver: HyperVDriver, one: str) -> None:
    driver.set_metadata(one, {"a.b": "c"}, deadline=soon())
    write(driver, one, stored(driver, one) + "\nwritten by hand")
    driver.set_metadata(one, {"d.e": "f"}, deadline=soon())
    info = driver.get_domain(one, CONFIG, deadline=soon())
    assert info.metadata["a.b"] == "c"
    assert info.metadata["d.e"] == "f"
    assert info.notes.endswith("written by hand")


def test_two_clients_lose_nothing_of_each_other(server: Running, driver: HyperVDriver, one: str) -> None:
    with opened(server) as other:
        for number in range(4):
            driver.set_metadata(one, {f"a.k{number}": "1"}, deadline=soon())
            other.set_metadata(one, {f"b.k{number}": "2"}, deadline=soon())
        info = other.get_domain(one, CONFIG, deadline=soon())
    assert {key for key in info.metadata if key[:2] in ("a.", "b.")} == {f"{a}.k{n}" for a in "ab" for n in range(4)}


def test_a_damaged_block_is_told_of_and_kept(driver: HyperVDriver, one: str) -> None:
    damaged = "mine\n\n[hvsdk:1 tags and metadata, kept by hvsdk]\n{not json\n[/hvsdk]"
    write(driver, one, damaged)
    info = driver.get_domain(one, CONFIG, deadline=soon())
    assert (info.notes, info.details["hyperv.notes_problem"]) == (damaged, "damaged")
    driver.set_metadata(one, {"a.b": "c"}, deadline=soon())
    info = driver.get_domain(one, CONFIG, deadline=soon())
    assert (info.notes, info.metadata) == (damaged, {"a.b": "c"})
    write(driver, one, damaged)
    driver.set_notes(one, "new", deadline=soon())
    assert driver.get_domain(one, CONFIG, deadline=soon()).notes == "new"
    assert "not json" in stored(driver, one)


def test_autostart_keeps_what_it_was(driver: HyperVDriver, one: str) -> None:
    driver.set_autostart(one, True, deadline=soon())
    usual = "StartIfRunning"
    expected = driver.call("labels.get", {"id": one}, deadline=soon())
    change = {"id": one, "start_action": usual, "expected": expected}
    assert driver.call("labels.set", change, deadline=soon())["done"] is True
    for enabled, action in ((True, usual), (False, "Nothing"), (False, "Nothing"), (True, usual)):
        driver.set_autostart(one, enabled, deadline=soon())
        info = driver.get_domain(one, CONFIG, deadline=soon())
        assert (info.autostart, info.details["hyperv.start_action"]) == (enabled, action)


def test_a_fence_leaves_a_mark_and_takes_everything_back(make_server: Callable[..., Running]) -> None:
    with connect(make_server()) as host:
        domain = next(one for one in host.domains(full=True) if one.power_state == "shutoff" and one.nics)
        domain.set_autostart(True)
        before = [(nic.id, nic.network, nic.link_up) for nic in domain.nics]
        domain.fence("it moved")
        assert domain.info.fenced is not None
        assert domain.info.autostart is False
        assert not any(nic.link_up for nic in domain.nics)
        assert FENCE_KEY in domain.metadata
        with pytest.raises(hvsdk.errors.PermissionDeniedError):
            domain.start()
        domain.unfence()
        assert domain.info.fenced is None
        assert domain.info.autostart is True
        assert [(nic.id, nic.network, nic.link_up) for nic in domain.nics] == before
