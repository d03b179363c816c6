"""Connecting: the master is found, certificates are checked before a password is sent, sessions end with the host."""

from __future__ import annotations

import contextvars
import threading
import traceback
from urllib.parse import unquote

import hvsdk
import pytest
from hvsdk.driver import Operation, current_operation, errors
from xen_support import Raw, connect, eventually, finish, opened, sessions, soon

WRONG = "sha256:" + "0" * 64
LOGIN = "session.login_with_password"


def at(pool, number: int) -> str:
    """Return the URL of a member instead of the master's."""
    first, other = (f"127.0.0.1:{pool.members[i]['port']}" for i in (0, number))
    return pool.url.replace(f"@{first}", f"@{other}", 1)


def pins(pool, *numbers: int) -> list[str]:
    return [pool.members[number]["fingerprint"] for number in numbers]


def test_a_host_tells_what_it_is(host):
    info = host.info()
    assert info.product
    assert info.api_version == "2.21"
    assert info.details["xen.hosts"] == 3
    assert info.details["xen.rpc"] == "json"


@pytest.mark.parametrize("rpc", ["json", "xml"])
def test_calls_are_written_as_the_user_wishes(pool, rpc):
    with connect(pool, rpc=rpc) as host:
        assert host.info().details["xen.rpc"] == rpc
        assert len(host.domains()) >= 30


def test_another_way_of_writing_is_refused(pool):
    with pytest.raises(ValueError, match="json"):
        connect(pool, rpc="soap")


def test_a_session_ends_with_its_host(pool):
    before = sessions(pool)
    with connect(pool) as host:
        host.domains()
        assert len(sessions(pool) - before) == 1
    assert sessions(pool) <= before


@pytest.mark.parametrize("fault", ["drop-before", "drop-after", "half-answer"])
def test_a_session_ends_though_the_goodbye_is_lost(pool, fault):
    before = sessions(pool)
    with connect(pool) as host:
        host.domains()
        pool.fault(f"session.logout:{fault}:1")
    assert sessions(pool) <= before


@pytest.mark.parametrize("method", ["pool.get_all_records", "host.get_all_records", "session.get_record"])
def test_a_session_ends_when_the_rest_of_the_opening_fails(pool, method):
    before = sessions(pool)
    pool.fault(f"{method}:error=INTERNAL_ERROR,no:1")
    with pytest.raises(errors.HvsdkError):
        connect(pool)
    assert eventually(lambda: sessions(pool) <= before)


def test_a_refused_password_is_tried_once(pool):
    pool.reset_counts()
    with pytest.raises(errors.AuthenticationError) as refused:
        connect(pool, password="wrong")
    assert pool.counts() == {LOGIN: 1}
    assert refused.value.native_code == "SESSION_AUTHENTICATION_FAILED"


def test_a_member_that_is_not_the_master_leads_to_it_and_a_refused_password_ends_there(pool):
    pool.reset_counts()
    with pytest.raises(errors.AuthenticationError):
        hvsdk.connect(at(pool, 1), password="wrong", verify=pins(pool, 1, 0))
    assert pool.counts()[LOGIN] == 2


@pytest.mark.parametrize("number", [1, 2])
def test_every_member_leads_to_the_master(pool, number):
    before = sessions(pool)
    with hvsdk.connect(at(pool, number), password=pool.password, verify=pins(pool, 0, number)) as host:
        assert len(host.domains()) >= 30
    assert sessions(pool) <= before


def test_no_password_is_no_connection(pool, monkeypatch):
    monkeypatch.delenv("HVSDK_XEN_PASSWORD", raising=False)
    with pytest.raises(errors.AuthenticationError, match="password"):
        connect(pool, password=None)


@pytest.mark.parametrize("name", ["root", "nobody@example.com", "EXAMPLE\\nobody", "ünïcode", "a b:c/d"])
def test_users_are_named_as_directories_name_them(pool, name):
    with pytest.raises(errors.AuthenticationError) as refused:
        connect(pool, username=name, password="wrong")
    assert name in str(refused.value)


def test_an_error_shows_no_password_even_with_the_variables_of_its_frames(pool):
    secret = "open-" + "sesame"
    with pytest.raises(errors.AuthenticationError) as refused:
        connect(pool, password=secret)
    seen: BaseException | None = refused.value
    while seen is not None:
        assert secret not in str(vars(seen))
        ours = traceback.TracebackException.from_exception(seen, capture_locals=True)
        for frame in ours.stack:
            if "hvsdk_xen" in frame.filename:
                assert secret not in str(frame.locals), frame
        seen = seen.__cause__ or seen.__context__


# ---- certificates ----------------------------------------------------------------------------------------


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
    with pytest.raises(errors.ConnectionLostError) as refused:
        hvsdk.connect(f"xenapi://root@{place}", password="secret")
    assert refused.value.hint


def test_json_that_a_server_does_not_speak_is_told_once_with_the_way_out(make_pool):
    pool = make_pool(api="2.0", hosts=2)
    with pytest.raises(errors.ConnectError) as refused:
        connect(pool, rpc="json")
    assert str(refused.value).count("does not speak JSON-RPC") == 1
    assert "rpc='auto'" in refused.value.hint


# ---- moved, gone, slow -----------------------------------------------------------------------------------


def test_a_moved_master_is_followed_by_a_read_and_by_a_verb(make_pool):
    pool = make_pool(hosts=3)
    with connect(pool) as host:
        domain = next(domain for domain in host.domains() if domain.power_state == "running")
        pool.act("change-master", host=pool.members[1]["uuid"])
        assert len(host.domains()) == 4
        pool.act("change-master", host=pool.members[2]["uuid"])
        pool.reset_counts()
        domain.pause()
        assert pool.counts()["VM.pause"] <= 2, "once at the former master, which does not carry it out"
        assert domain.power_state == "paused"
    assert pool.sessions() == []


def test_other_members_are_tried_when_the_master_is_gone(make_pool):
    pool = make_pool(hosts=3)
    with connect(pool) as host:
        host.domains()
        pool.act("kill-host", host=pool.members[0]["uuid"])
        pool.act("change-master", host=pool.members[1]["uuid"])
        assert len(host.domains()) == 4
        with connect(pool) as other:
            assert len(other.domains()) == 4, "what was learnt about the pool helps the next connection"


def test_a_dead_master_that_others_still_follow_is_named_with_what_helps(make_pool):
    pool = make_pool(hosts=3)
    with connect(pool) as host:
        host.domains()
        pool.act("kill-host", host=pool.members[0]["uuid"])
        with pytest.raises(errors.ConnectError) as lost:
            host.domains()
    with pytest.raises(errors.ConnectionLostError) as refused:
        connect(pool)
    for told in (lost.value, refused.value):
        assert f"master, {pool.members[0]['address']}, does not answer" in told.message
        assert "pool-emergency-transition-to-master" in told.hint


def test_a_pool_without_anybody_is_told_as_such(make_pool):
    pool = make_pool(hosts=2)
    with connect(pool) as host:
        for member in pool.members:
            pool.act("kill-host", host=member["uuid"])
        with pytest.raises(errors.ConnectError) as lost:
            host.domains()
        for member in pool.members:
            assert str(member["port"]) in str(lost.value)


def test_an_expired_session_is_renewed_once_for_all_threads(pool, host):
    host.domains()
    pool.act("expire-sessions")
    pool.reset_counts()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(host.domains()))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert pool.counts()[LOGIN] == 1


def test_a_host_that_is_closed_while_its_session_is_renewed_leaves_none(pool):
    before = sessions(pool)
    with opened(pool) as driver:
        pool.act("expire-sessions")
        pool.reset_counts()
        pool.fault(f"{LOGIN}:slow=0.5:1")
        failed: list[BaseException] = []

        def read() -> None:
            try:
                driver.call("VM.get_all", deadline=soon())
            except errors.ConnectionLostError as exc:
                failed.append(exc)

        thread = threading.Thread(target=read)
        thread.start()
        assert eventually(lambda: LOGIN in pool.counts())
        driver.close()
        thread.join()
        assert len(failed) == 1
    assert sessions(pool) <= before


def test_a_password_that_is_refused_when_a_session_is_renewed_is_not_tried_by_every_call(make_pool):
    pool = make_pool()
    with connect(pool) as host:
        host.domains()
        with Raw(pool) as client:
            client("session.change_password", pool.password, "changed")
        pool.act("expire-sessions")
        pool.reset_counts()
        failed: list[str] = []

        def read() -> None:
            with pytest.raises(errors.AuthenticationError) as refused:
                host.domains()
            failed.append(str(refused.value))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        read()
        assert len(failed) == 5
        assert pool.counts()[LOGIN] == 1


def test_a_call_that_is_too_long_is_refused_before_it_is_sent(domain, pool):
    pool.reset_counts()
    with pytest.raises(errors.InvalidSpecError, match="300 KiB"):
        domain.set_notes("ü" * 200_000)
    assert "VM.set_name_description" not in pool.counts()


def test_a_frozen_server_costs_no_more_than_the_time_limit(pool):
    with connect(pool, timeout=1.0) as host:
        pool.fault("VM.get_all_records:freeze:1")
        with pytest.raises(errors.OperationTimeoutError):
            host.domains()
        assert len(host.domains()) >= 30


def test_a_server_that_trickles_costs_no_more_than_the_time_limit(pool):
    with connect(pool, timeout=1.0) as host:
        pool.fault("VM.get_all_records:trickle:1")
        with pytest.raises(errors.OperationTimeoutError):
            host.domains()


@pytest.mark.parametrize("fault", ["drop-before", "drop-after", "half-answer"])
@pytest.mark.parametrize("rpc", ["json", "xml"])
def test_a_read_whose_connection_breaks_is_made_again(pool, fault, rpc):
    with connect(pool, rpc=rpc) as host:
        pool.fault(f"VM.get_all_records:{fault}:1")
        pool.reset_counts()
        assert len(host.domains()) >= 30
        assert pool.counts()["VM.get_all_records"] == 2


def test_an_answer_that_is_no_answer_is_a_lost_connection(pool, host):
    pool.fault("VM.get_all_records:http-500")
    with pytest.raises(errors.ConnectionLostError, match="500"):
        host.domains()


def test_a_login_that_is_refused_for_now_is_told(pool):
    pool.fault(f"{LOGIN}:error=HOST_STILL_BOOTING:3")
    with pytest.raises(errors.ConnectError) as refused:
        connect(pool)
    assert "HOST_STILL_BOOTING" in str(refused.value)


def test_many_threads_share_one_session_and_few_connections(pool, host):
    before = sessions(pool)
    failed: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(5):
                host.networks()
        except BaseException as exc:
            failed.append(exc)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sessions(pool) <= before


def test_the_client_librarys_own_object_shares_our_session(pool, host):
    before = sessions(pool)
    session = host.native()
    assert set(session.xenapi.VM.get_all()) == set(host.native().xenapi.VM.get_all())
    assert session.xenapi.session.get_uuid(session._session)
    assert sessions(pool) <= before


# ---- what the pool's own log tells -----------------------------------------------------------------------


def test_a_task_tells_the_operation_and_who_asked_for_it(driver, make_vm, raw):
    ref = raw("VM.get_by_uuid", make_vm())
    operation = Operation(id="op-1", verb="start", actor="Ä & Co", marks={"ticket": "CHG-7 <&>\n"})
    marked = contextvars.copy_context()
    marked.run(current_operation.set, operation)
    task = marked.run(driver.start_task, "VM.start", ref, False, False, deadline=soon())
    told = raw("task.get_other_config", task.ref)
    finish(task)
    assert (told["hvsdk-operation"], told["hvsdk-verb"]) == ("op-1", "start")
    assert unquote(told["hvsdk-actor"]) == "Ä & Co"
    assert unquote(told["hvsdk-ticket"]) == "CHG-7 <&>\n"
    assert raw.refused("task.get_record", task.ref) == "HANDLE_INVALID", "its record is taken away"


def test_the_session_bears_the_name_of_hvsdk(host, pool):
    host.domains()
    assert any(session["originator"].startswith("hvsdk/") for session in pool.sessions())


def test_closing_takes_tasks_away_that_nobody_waited_for(domain, reach, raw):
    reach("running")
    domain.reboot()
    domain.host.close()

    def left() -> list[str]:
        return [task for task in raw("task.get_all_records").values() if "clean_reboot" in task["name_label"]]

    assert eventually(lambda: not left()), "one that is under way goes when it ends"
