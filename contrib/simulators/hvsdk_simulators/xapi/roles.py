"""Roles: what each lets its users call, and what those hear who call more."""

from __future__ import annotations

from .database import Object
from .failure import Failure
from .messages import Message
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
