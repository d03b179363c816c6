"""Roles: what each lets its users call, and what those hear who call more."""

from __future__ import annotations

from functools import cache

from .database import Object, derived
from .failure import Failure
from .implicit import implicit_messages
from .messages import MESSAGES, Message
from .schema import Api
from .sessions import user_of
from .users import ROLES
from .world import World

_RANK = {role: number for number, role in enumerate(ROLES)}
_CLIENT_CERTIFICATE = "client-cert"
"""What is no user's role: some messages for operators of pools are for clients with a certificate, too."""


def allowed(role: str) -> tuple[str, ...]:
    """Return the roles that may do what needs at least this one, the mightiest first."""
    if role == _CLIENT_CERTIFICATE:
        return (*allowed("pool-operator"), _CLIENT_CERTIFICATE)
    return ROLES[: _RANK[role] + 1]


@cache
def needed(api: Api) -> dict[str, str]:
    """Return the least role for each permission, which is a message's name in lower case."""
    found = implicit_messages(api) | {name: one for name, one in MESSAGES.items() if one.exists_at(api)}
    return {name.lower(): one.role for name, one in sorted(found.items())}


@cache
def permissions(api: Api, role: str) -> tuple[str, ...]:
    """Return what a role permits."""
    return tuple(name for name, least in needed(api).items() if role in allowed(least))


@derived("session", "rbac_permissions")
def session_permissions(world: World, session: Object) -> list[str]:
    """What a session's user may call; root needs no permissions."""
    user = user_of(world, session)
    if user.is_root:
        return []
    mightiest = min(user.roles, key=_RANK.__getitem__)
    return list(permissions(world.options.api, mightiest))


def has_role(world: World, session: Object, role: str) -> bool:
    """Whether a session's user may do what needs at least this role."""
    user = user_of(world, session)
    return user.is_root or not user.roles.isdisjoint(allowed(role))


def check(world: World, session: Object, message: Message) -> None:
    """Let a session call a message.

    Raises:
        Failure: RBAC_PERMISSION_DENIED.
    """
    demand(world, session, message.role, message.full_name)


def demand(world: World, session: Object, role: str, permission: str) -> None:
    """Ask for a role.

    Args:
        world: The pool.
        session: Whose user needs it.
        role: The least one.
        permission: What it is needed for, such as the message's name.

    Raises:
        Failure: RBAC_PERMISSION_DENIED.
    """
    if has_role(world, session, role):
        return
    those = ", ".join(allowed(role))
    raise Failure(
        "RBAC_PERMISSION_DENIED",
        permission.lower(),
        f"No permission in user session. (Roles with this permission: {those})",
    )
