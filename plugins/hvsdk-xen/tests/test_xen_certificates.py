"""Each member's certificate is checked before a credential or a session is sent to it, and named when it is refused."""

from __future__ import annotations

import hvsdk
import pytest
from connection_support import LOGIN, WRONG, at, pins
from hvsdk.driver import errors
from xen_support import connect, opened, sessions, soon


def test_without_a_pin_the_certificate_is_refused_with_its_fingerprint(pool):
    pool.reset_counts()
    with pytest.raises(errors.CertificateError) as refused:
        connect(pool, verify=True)
    assert refused.value.fingerprint == pool.fingerprint
    assert pool.counts() == {}


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_a_wrong_pin_is_refused_before_a_password_is_sent(pool, asked):
    others = [number for number in range(3) if number != asked]
    pool.reset_counts()
    with pytest.raises(errors.CertificateError) as refused:
        hvsdk.connect(at(pool, asked), password=pool.password, verify=[WRONG, *pins(pool, *others)])
    assert refused.value.fingerprint == pins(pool, asked)[0]
    assert pool.counts() == {}


def test_a_master_that_is_not_pinned_is_not_followed_to(pool):
    pool.reset_counts()
    before = sessions(pool)
    with pytest.raises(errors.CertificateError) as refused:
        hvsdk.connect(at(pool, 1), password=pool.password, verify=[WRONG, *pins(pool, 1)])
    assert refused.value.fingerprint == pins(pool, 0)[0]
    assert pool.counts() == {LOGIN: 1}, "the member that was asked said who is the master, and nobody else was told"
    assert sessions(pool) <= before


def members_reached(driver) -> set[str]:
    """Ask each member of the pool something over HTTP, and return the names of those that answered."""
    found = set()
    for ref, record in driver.around.hosts.items():
        with driver.http(ref, "GET", "/host_rrd", {"json": "true"}, deadline=soon()) as answer:
            assert answer.status == 200
            found.add(record["uuid"])
    return found


@pytest.mark.parametrize("api", ["2.0", "2.21"])
def test_pins_of_further_members_are_learnt_over_a_pinned_session(make_pool, api):
    pool = make_pool(hosts=3, api=api)
    with opened(pool) as driver:
        assert members_reached(driver) == {member["uuid"] for member in pool.members}


def test_a_member_whose_certificate_is_not_the_one_that_was_learnt_gets_no_session(pool):
    with opened(pool) as driver:
        slave = next(ref for ref, record in driver.around.hosts.items() if record["uuid"] == pool.members[1]["uuid"])
        driver._known.learn_pins({slave: {WRONG}})
        try:
            with pytest.raises(errors.CertificateError):
                driver.http(slave, "GET", "/host_rrd", deadline=soon())
        finally:
            driver._known.learn_pins({slave: set(pins(pool, 1))})


def test_servers_of_yesterday_are_named_and_spoken_to_when_asked(make_pool):
    pool = make_pool(api="2.0", tls_legacy=True)
    with pytest.raises(errors.ConnectError) as refused:
        connect(pool)
    assert 'tls="legacy"' in str(refused.value)
    with connect(pool, tls="legacy") as host:
        assert len(host.domains()) == 4


def test_without_tls_a_pool_is_reached_on_this_machine(make_pool):
    pool = make_pool(tls=False)
    with connect(pool) as host:
        assert len(host.domains()) == 4


def test_a_master_that_is_not_pinned_is_named_with_the_way_there_and_all_pins_to_give(make_pool):
    pool = make_pool(hosts=2)
    member, master = pins(pool, 1), pins(pool, 0)
    with pytest.raises(errors.CertificateError) as refused:
        hvsdk.connect(at(pool, 1), password=pool.password, verify=member)
    told = refused.value
    assert told.fingerprint == master[0]
    assert (
        f"master at 127.0.0.1:{pool.members[0]['port']}, to which we were sent as {pool.members[0]['address']}"
        in str(told)
    )
    assert f"add it: verify={[*member, *master]!r}" in told.hint
    with hvsdk.connect(at(pool, 1), password=pool.password, verify=[*member, *master]) as host:
        assert len(host.domains()) == 4


def test_a_member_that_is_not_pinned_is_named_with_its_port(pool):
    with pytest.raises(errors.CertificateError) as refused:
        hvsdk.connect(at(pool, 1), password=pool.password, verify=pins(pool, 0))
    assert f"the member at 127.0.0.1:{pool.members[1]['port']} shows" in str(refused.value)
    assert refused.value.fingerprint == pins(pool, 1)[0]


@pytest.mark.parametrize("place", ["127.0.0.1:1", "no-such-host.invalid"])
def test_where_nobody_answers_is_told_as_connect_says(place):
    with pytest.raises(errors.ConnectError) as refused:
        hvsdk.connect(f"xenapi://root@{place}", password="secret")
    assert type(refused.value) is errors.ConnectError
    assert refused.value.hint


def test_json_that_a_server_does_not_speak_is_told_once_with_the_way_out(make_pool):
    pool = make_pool(api="2.0", hosts=2)
    with pytest.raises(errors.ConnectError) as refused:
        connect(pool, rpc="json")
    assert str(refused.value).count("does not speak JSON-RPC") == 1
    assert "rpc='auto'" in refused.value.hint
