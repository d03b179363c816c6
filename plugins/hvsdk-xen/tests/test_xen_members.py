"""Where the members of a pool are reached from here, and which certificates each may show."""

from __future__ import annotations

import os
import signal
import ssl
import threading

import pytest
from hvsdk.connections import Endpoint, dial
from hvsdk.driver import Deadline, Target, TLSOptions, errors

from hvsdk_xen import _members
from hvsdk_xen._exchange import _read_location
from hvsdk_xen._member_connections import MemberConnections
from hvsdk_xen._members import Members, members_of, read_address_map

PINS = tuple(f"sha256:{digit * 64}" for digit in "abc")
HOSTS = {
    "OpaqueRef:1": {"uuid": "1", "name_label": "one", "address": "198.18.0.1"},
    "OpaqueRef:2": {"uuid": "2", "name_label": "two", "address": "198.18.0.2"},
    "OpaqueRef:6": {"uuid": "6", "name_label": "six", "address": "2001:DB8::6"},
    "OpaqueRef:0": {"uuid": "0", "name_label": "no management interface", "address": ""},
}


def target(**more) -> Target:
    given = {"url": "xenapi://root@gate", "scheme": "xenapi", "hostname": "gate", "options": {}} | more
    return Target(**given)


def pool(**more) -> Members:
    members = Members(target(**more))
    members.learn(HOSTS)
    return members


@pytest.mark.parametrize(
    "given",
    [
        "198.18.0.1=gate:4431, [2001:db8::6]=[2001:db8::1]:4436,198.18.0.2=gate",
        {"198.18.0.1": "gate:4431", "2001:DB8::6": "[2001:db8::1]:4436", "198.18.0.2": "gate"},
    ],
)
def test_an_address_map_is_a_text_or_a_mapping(given):
    assert read_address_map(given, 443) == {
        "198.18.0.1": Endpoint("gate", 4431),
        "2001:db8::6": Endpoint("2001:db8::1", 4436),
        "198.18.0.2": Endpoint("gate", 443),
    }


@pytest.mark.parametrize("given", [None, "", {}])
def test_no_address_map_maps_nothing(given):
    assert read_address_map(given, 443) == {}


@pytest.mark.parametrize("given", ["198.18.0.1", "198.18.0.1=", "198.18.0.1=gate:https", "198.18.0.1=gate:99999"])
def test_an_address_map_that_makes_no_sense_is_refused(given):
    with pytest.raises(ValueError, match="address_map"):
        read_address_map(given, 443)


def test_an_address_map_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="mapping"):
        read_address_map(["198.18.0.1=gate"], 443)


def test_addresses_without_a_map_are_reached_as_they_are():
    assert pool().reach("198.18.0.1") == Endpoint("198.18.0.1", 443)
    assert pool().reach("[2001:DB8::6]", 4430) == Endpoint("2001:db8::6", 4430)
    assert str(pool().reach("2001:db8::6")) == "[2001:db8::6]:443"


def test_a_mapped_address_is_reached_where_the_map_says():
    members = pool(options={"address_map": "198.18.0.1=gate:4431"})
    assert members.reach("198.18.0.1") == Endpoint("gate", 4431)
    assert members.reach("198.18.0.1", 443) == Endpoint("gate", 4431)
    assert members.reach("198.18.0.1", 10809) == Endpoint("gate", 10809), "another service of the same host"


def test_the_member_that_answered_last_is_asked_first_and_all_others_after_the_one_that_was_named():
    members = pool()
    members.prefer(Endpoint("198.18.0.2", 443))
    assert [str(endpoint) for endpoint in members.candidates()] == [
        "198.18.0.2:443",
        "gate:443",
        "198.18.0.1:443",
        "[2001:db8::6]:443",
    ]


def test_a_pool_is_known_again_by_what_the_user_named():
    assert members_of(target()) is members_of(target())
    assert members_of(target()) is not members_of(target(tls=TLSOptions(pins=PINS[:1])))
    assert members_of(target()) is not members_of(target(options={"address_map": "198.18.0.1=gate"}))


def test_a_learnt_pin_counts_for_that_member_alone():
    members = pool(tls=TLSOptions(pins=PINS[:1]))
    members.learn_pins({"OpaqueRef:1": {PINS[1]}, "OpaqueRef:0": {PINS[2]}, "OpaqueRef:unknown": {PINS[2]}})
    accepted = {address: members.context(members.reach(address)).pins for address in ("198.18.0.1", "198.18.0.2")}
    assert accepted == {"198.18.0.1": {PINS[0], PINS[1]}, "198.18.0.2": {PINS[0]}}


def test_without_pins_certificates_are_checked_by_name():
    context = pool().context(Endpoint("198.18.0.1", 443))
    assert context.check_hostname
    assert not pool().pinned


def test_without_tls_there_is_nothing_to_check():
    members = pool(scheme="xenapi+http")
    assert members.context(Endpoint("198.18.0.1", 80)) is None
    assert members.reach("198.18.0.1").port == 80


def test_a_redirection_leads_to_members_only():
    members = pool(options={"address_map": "198.18.0.1=gate:4431"})
    assert members.redirected("198.18.0.1", None) == Endpoint("gate", 4431)
    assert members.redirected("198.18.0.2", 443) == Endpoint("198.18.0.2", 443)
    assert members.redirected("gate", None) == Endpoint("gate", 443)
    with pytest.raises(errors.ConnectError, match="no member"):
        members.redirected("evil.example", 443)


@pytest.mark.parametrize(
    "place", ["", "/elsewhere", "https://[::1", "https://host:99999/", "https://höst/", "https:///x"]
)
def test_a_redirection_to_nowhere_is_told(place: str):
    with pytest.raises(errors.OperationFailedError, match="nowhere"):
        _read_location(place, "/export", {})


def test_a_redirection_may_leave_out_path_and_query():
    assert _read_location("https://198.18.0.2", "/a", {"b": "c"}) == ("198.18.0.2", None, "/a", {"b": "c"})
    assert _read_location("https://198.18.0.2:444/d?e=f", "/a", {}) == ("198.18.0.2", 444, "/d", {"e": "f"})


@pytest.mark.parametrize("host", ["a\0b", "x" * 300, ".", "a..b", "\ud800"])
def test_an_address_that_is_none_cannot_be_reached(host: str):
    with pytest.raises(OSError):  # noqa: PT011  # which words, is the system's
        dial(Endpoint(host, 443), Deadline(5.0))


def test_a_port_that_is_none_cannot_be_reached():
    with pytest.raises(OSError):  # noqa: PT011  # which words, is the system's
        dial(Endpoint("127.0.0.1", 2**20), Deadline(5.0))


def test_a_forked_child_waits_for_no_lock_of_its_parents():
    members_of(target())
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with _members._known_lock:
            held.set()
            let_go.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if not child:
        signal.alarm(5)  # ends it, should it wait
        members_of(target())
        os._exit(0)
    let_go.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_connection_is_checked_by_what_is_known_of_its_member_now():
    first, later = (Endpoint("198.18.0.2", 443, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) for _ in range(2))
    connections = MemberConnections()
    for endpoint in (first, later):
        with connections.lend(endpoint, Deadline(5.0)) as connection:
            assert connection.endpoint.context is endpoint.context
    connections.close()
