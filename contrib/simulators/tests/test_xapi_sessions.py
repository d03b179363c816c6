"""Sessions begin with the right password, and end when they are told to, unused, or one too many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hvsdk_simulators.xapi.pool import Pool
from wire_pool import Client, control, listening


@pytest.fixture
def pool() -> Iterator[Pool]:
    with listening(domains=1, session_limit=3) as pool:
        yield pool


@pytest.fixture
def client(pool: Pool) -> Client:
    client = Client(pool)
    client.login()
    return client


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("root", "wrong"),
        ("root", ""),
        ("", "simulated"),
        ("nobody", "simulated"),
        ("vm-operator", "wrong"),
        ("ELSEWHERE\\vm-operator", "simulated"),
        ("vm-operator@elsewhere.com", "simulated"),
        ("EXAMPLE\\root", "simulated"),
    ],
)
def test_who_is_refused_is_told_the_name_and_why(pool: Pool, name: str, password: str) -> None:
    code, *params = Client(pool).plain_refusal("session.login_with_password", name, password)
    assert (code, params[0], len(params)) == ("SESSION_AUTHENTICATION_FAILED", name, 2)
    assert control(pool, "GET", "/sessions")[1] == []


@pytest.mark.parametrize(
    "name", ["vm-operator", "EXAMPLE\\vm-operator", "example\\vm-operator", "vm-operator@example.com"]
)
def test_users_of_the_directory_have_names_in_each_form(pool: Pool, name: str) -> None:
    client = Client(pool)
    client.login(name)
    record = client("session.get_record", client.session)
    assert (record["auth_user_name"], record["is_local_superuser"]) == ("EXAMPLE\\vm-operator", False)
    subject = client("subject.get_record", record["subject"])
    assert subject["other_config"]["subject-name"] == "EXAMPLE\\vm-operators"


def test_root_is_the_local_superuser(client: Client) -> None:
    record = client("session.get_record", client.session)
    assert (record["is_local_superuser"], record["originator"], record["pool"]) == (True, "test", False)


def test_versions_and_originators_may_be_left_off(pool: Pool) -> None:
    client = Client(pool)
    for more in ((), ("1.0",), ("1.0", "me")):
        client.session = client.plain("session.login_with_password", "root", "simulated", *more)
        assert client("session.get_originator", client.session) == (more[1] if len(more) == 2 else "")


def test_a_session_that_is_logged_out_is_invalid_and_others_are_not(pool: Pool, client: Client) -> None:
    other = Client(pool)
    other.login()
    client("session.logout")
    assert client.refusal("session.logout") == ["SESSION_INVALID", client.session]
    assert other("pool.get_all")


def test_the_session_used_longest_ago_makes_room_for_one_of_the_same_user_and_originator(pool: Pool) -> None:
    first, second, third, fourth = (Client(pool) for _ in range(4))
    stranger = Client(pool)
    stranger.login(originator="other")
    for client in (first, second, third):
        client.login()
    with pool.world.lock:
        for number, client in enumerate((second, first, third, stranger)):
            session = pool.world.db.get("session", client.session)
            pool.world.db.update(session, last_active=pool.world.now() - timedelta(seconds=50 - number))
    fourth.login()
    assert second.refusal("pool.get_all") == ["SESSION_INVALID", second.session]
    for client in (first, third, fourth, stranger):
        assert client("pool.get_all")


def test_a_session_that_nobody_uses_ends(pool: Pool, client: Client) -> None:
    with pool.world.lock:
        session = pool.world.db.get("session", client.session)
        pool.world.db.update(session, last_active=pool.world.now() - timedelta(hours=25))
    assert control(pool, "GET", "/sessions")[1] == []
    assert client.refusal("pool.get_all") == ["SESSION_INVALID", client.session]


def test_using_a_session_keeps_it(pool: Pool, client: Client) -> None:
    with pool.world.lock:
        session = pool.world.db.get("session", client.session)
        pool.world.db.update(session, last_active=pool.world.now() - timedelta(hours=23))
    client("pool.get_all")
    with pool.world.lock:
        assert pool.world.now() - session["last_active"] < timedelta(minutes=5)


def test_a_slave_makes_sessions_for_itself_alone(pool: Pool) -> None:
    slave, master = Client(pool, member=1), Client(pool)
    slave.session = master.session = slave.plain("session.slave_local_login_with_password", "root", "simulated")
    assert slave.refusal("pool.get_all") == ["HOST_IS_SLAVE", pool.world.master["address"]]
    assert master.refusal("pool.get_all") == ["SESSION_INVALID", master.session]
    slave("session.local_logout")
    assert slave.refusal("session.local_logout") == ["SESSION_INVALID", slave.session]
    details = slave.plain_refusal("session.slave_local_login_with_password", "vm-operator", "simulated")
    assert details[0] == "SESSION_AUTHENTICATION_FAILED"


def test_a_new_password_of_root_replaces_the_old_one(pool: Pool, client: Client) -> None:
    client("session.change_password", "not even the old one", "another")
    other = Client(pool)
    assert other.plain_refusal("session.login_with_password", "root", "simulated")[0] == "SESSION_AUTHENTICATION_FAILED"
    other.login(password="another")
    assert client("pool.get_all")
    assert client.refusal("session.change_password", "another", "")[0] == "CHANGE_PASSWORD_REJECTED"


def test_only_root_changes_the_password(pool: Pool) -> None:
    admin = Client(pool)
    admin.login("pool-admin")
    assert admin.refusal("session.change_password", "simulated", "x")[0] == "USER_IS_NOT_LOCAL_SUPERUSER"


def test_users_of_the_directory_can_be_logged_out_by_their_identifier(pool: Pool, client: Client) -> None:
    first, second = Client(pool), Client(pool)
    first.login("read-only")
    second.login("vm-admin")
    sids = client("session.get_all_subject_identifiers")
    assert len(sids) == 2
    client("session.logout_subject_identifier", first("session.get_auth_user_sid", first.session))
    assert first.refusal("pool.get_all") == ["SESSION_INVALID", first.session]
    assert second("pool.get_all")


def test_who_loses_the_subject_or_its_roles_cannot_log_in(pool: Pool, client: Client) -> None:
    subjects: dict[str, Any] = client("subject.get_all_records")
    by_name = {one["other_config"]["subject-name"]: (ref, one) for ref, one in subjects.items()}
    ref, record = by_name["EXAMPLE\\vm-admins"]
    client("subject.remove_from_roles", ref, record["roles"][0])
    details = Client(pool).plain_refusal("session.login_with_password", "vm-admin", "simulated")
    assert details[0] == "RBAC_PERMISSION_DENIED"
    client("subject.destroy", ref)
    details = Client(pool).plain_refusal("session.login_with_password", "vm-admin", "simulated")
    assert details[0] == "SESSION_AUTHENTICATION_FAILED"
    assert "no access rights in this pool" in details[2]
