"""Sessions: logging in and out, the user behind a session, and how sessions end by themselves."""

from __future__ import annotations

import weakref
from datetime import timedelta
from typing import Any

from attrs import field, mutable

from .call import Call
from .database import Object
from .failure import Failure
from .messages import message
from .users import User, authenticate, set_root_password
from .world import World


@mutable
class _Known:
    """What is remembered of sessions beside their records."""

    users: dict[str, User] = field(factory=dict)
    """By session."""
    local: dict[str, Object] = field(factory=dict)
    """The host on which a session is good, for those that are good on one alone."""


_KNOWN: weakref.WeakKeyDictionary[World, _Known] = weakref.WeakKeyDictionary()


def _known(world: World) -> _Known:
    return _KNOWN.setdefault(world, _Known())


def login(world: World, host: Object, name: str, password: str, originator: str = "") -> Object:
    """Make a session on the pool.

    Raises:
        Failure: SESSION_AUTHENTICATION_FAILED and its like.
    """
    user = authenticate(world, name, password)
    end_idle(world)
    _make_room(world, user, originator)
    return _create(world, host, user, originator)


def live(world: World, ref: str, host: Object) -> Object:
    """Return a session that is still good at a host, and note that it is used.

    Raises:
        Failure: SESSION_INVALID.
    """
    session = world.db.lookup("session", ref)
    if session is None:
        raise Failure("SESSION_INVALID", ref)
    if _is_idle(world, session):
        end(world, session)
        raise Failure("SESSION_INVALID", ref)
    if _known(world).local.get(ref, host) is not host:
        raise Failure("SESSION_INVALID", ref)
    world.db.update(session, last_active=world.now())
    return session


def is_local(world: World, session: Object) -> bool:
    """Whether it was made by a member for itself, and is good for what members answer without the master."""
    return session.ref in _known(world).local


def user_of(world: World, session: Object) -> User:
    """Return who logged in."""
    return _known(world).users[session.ref]


def end(world: World, session: Object) -> None:
    """End a session. Calls that wait for events in it end with SESSION_INVALID."""
    world.db.delete(session)
    _known(world).users.pop(session.ref, None)
    _known(world).local.pop(session.ref, None)


def end_idle(world: World) -> None:
    """End the sessions that nobody has used for long."""
    for session in world.db.all("session"):
        if _is_idle(world, session):
            end(world, session)


def show(world: World) -> list[dict[str, Any]]:
    """Return the live sessions as the control door tells them."""
    end_idle(world)
    return [
        {
            "ref": session.ref,
            "uuid": session["uuid"],
            "user": session["auth_user_name"],
            "originator": session["originator"],
            "local": is_local(world, session),
            "host": session["this_host"],
            "last_active": session["last_active"].isoformat(),
        }
        for session in world.db.all("session")
    ]


def _is_idle(world: World, session: Object) -> bool:
    return bool(session["last_active"] + timedelta(seconds=world.options.session_seconds) < world.now())


def _make_room(world: World, user: User, originator: str) -> None:
    """End the sessions of a user and originator that were used longest ago, when there are too many."""
    mine = [
        session
        for session in world.db.all("session")
        if session["originator"] == originator and user_of(world, session).name == user.name
    ]
    mine.sort(key=lambda session: session["last_active"])
    for session in mine[: len(mine) - world.options.session_limit + 1]:
        end(world, session)


def _create(world: World, host: Object, user: User, originator: str) -> Object:
    now = world.now()
    more = {} if user.subject is None else {"subject": user.subject.ref}
    session = world.db.create(
        "session",
        this_host=host.ref,
        last_active=now,
        validation_time=now,
        is_local_superuser=user.is_root,
        auth_user_sid=user.sid,
        auth_user_name=user.name,
        originator=originator,
        **more,
    )
    _known(world).users[session.ref] = user
    return session


@message(
    'session.login_with_password(string uname, string pwd, string version = "1.0", string originator = "")'
    " -> session ref",
    session=False,
    asynchronous=False,
)
def login_with_password(call: Call, uname: str, pwd: str, version: str, originator: str) -> Object:
    """Log in at the master."""
    return login(call.world, call.member, uname, pwd, originator)


@message(
    "session.slave_local_login_with_password(string uname, string pwd) -> session ref",
    role="pool-admin",
    since="1.2",
    session=False,
    asynchronous=False,
    on_slaves=True,
)
def slave_local_login_with_password(call: Call, uname: str, pwd: str) -> Object:
    """Log in at one member, for what members answer without the master. Only root can."""
    user = authenticate(call.world, uname, pwd, local=True)
    session = _create(call.world, call.member, user, "")
    _known(call.world).local[session.ref] = call.member
    return session


@message("session.logout() -> void", asynchronous=False)
def logout(call: Call) -> None:
    """End the session of the call."""
    assert call.session is not None
    end(call.world, call.session)


@message("session.local_logout() -> void", role="pool-admin", since="1.2", asynchronous=False, on_slaves=True)
def local_logout(call: Call) -> None:
    """End the session of the call, which may be good for one member alone."""
    assert call.session is not None
    end(call.world, call.session)


@message("session.change_password(string old_pwd, string new_pwd) -> void", role="pool-admin", asynchronous=False)
def change_password(call: Call, old_pwd: str, new_pwd: str) -> None:
    """Change root's password. Root need not know the old one."""
    assert call.session is not None
    if not user_of(call.world, call.session).is_root:
        raise Failure("USER_IS_NOT_LOCAL_SUPERUSER", "Failed to change password for user root")
    if not new_pwd:
        raise Failure("CHANGE_PASSWORD_REJECTED", "No password supplied")
    set_root_password(call.world, new_pwd)


@message("session.get_all_subject_identifiers() -> string set", since="1.6")
def get_all_subject_identifiers(call: Call) -> list[str]:
    """The identifiers of the users of the directory who have sessions."""
    sids = (session["auth_user_sid"] for session in call.world.db.all("session"))
    return list(dict.fromkeys(sid for sid in sids if sid))


@message("session.logout_subject_identifier(string subject_identifier) -> void", role="pool-operator", since="1.6")
def logout_subject_identifier(call: Call, subject_identifier: str) -> None:
    """End the sessions of a user of the directory, but not the one of the call."""
    for session in call.world.db.all("session"):
        if session is not call.session and subject_identifier and session["auth_user_sid"] == subject_identifier:
            end(call.world, session)
