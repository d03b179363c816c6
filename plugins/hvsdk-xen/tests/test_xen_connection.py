"""Connecting: the master is found, certificates are checked before a password is sent, sessions end with the host."""

from __future__ import annotations

import contextvars
import threading
import traceback
from urllib.parse import unquote

import hvsdk
import pytest
from connection_support import LOGIN, at, pins
from hvsdk.driver import Operation, current_operation, errors
from xen_support import Raw, connect, eventually, finish, opened, sessions, soon


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
    with pytest.raises(errors.ConnectError) as refused:
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
