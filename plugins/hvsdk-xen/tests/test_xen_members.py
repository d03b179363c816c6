"""Where the members of a pool are reached from here, and which certificates each may show."""

from __future__ import annotations

import pytest
from hvsdk.driver import Target, TLSOptions, errors

from hvsdk_xen._members import Members, members_of, read_address_map
from hvsdk_xen._wire import Endpoint

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
