"""Who may log in: `root`, and in the directory `EXAMPLE` one user for each role, named after it.

A directory user is written `vm-operator`, `EXAMPLE\\vm-operator` or `vm-operator@example.com`. Everyone has the same
password to begin with. The pool knows the groups (`EXAMPLE\\vm-operators`), whose subjects have the roles.
"""

from __future__ import annotations

import hmac
import weakref

from attrs import frozen

from .database import Object
from .failure import Failure
from .world import World

DOMAIN = "EXAMPLE"
ROOT = "root"
ROLES = ("pool-admin", "pool-operator", "vm-power-admin", "vm-admin", "vm-operator", "read-only")
"""The roles, the mightiest first. Each may do all that the next one may."""


@frozen
class User:
    """Somebody who has given the right password."""

    name: str
    """As the session tells it; none for root."""
    sid: str = ""
    subject: Object | None = None
    roles: frozenset[str] = frozenset(ROLES[:1])

    @property
    def is_root(self) -> bool:
        """Whether it is the local superuser, who may do everything."""
        return self.subject is None


_PASSWORDS: weakref.WeakKeyDictionary[World, str] = weakref.WeakKeyDictionary()
"""Of root, where it has been changed."""


_SID = "S-1-5-21-1004336348-1177238915-682003330-"


def group_sid(role: str) -> str:
    """Return the identifier of the group whose subject has a role."""
    return f"{_SID}{1105 + ROLES.index(role)}"


def user_sid(role: str) -> str:
    """Return the identifier of the user who is in that group alone."""
    return f"{_SID}{2105 + ROLES.index(role)}"


def directory() -> dict[str, dict[str, str]]:
    """Return what the directory says of its users and groups, by their identifiers."""
    groups = {group_sid(role): _entry(f"{role}s", group_sid(role), group=True) for role in ROLES}
    return groups | {user_sid(role): _entry(role, user_sid(role), group=False) for role in ROLES}


def groups_of(sid: str) -> list[str]:
    """Return the groups in which somebody is."""
    return [group_sid(role) for role in ROLES if user_sid(role) == sid]


def _entry(name: str, sid: str, *, group: bool) -> dict[str, str]:
    return {
        "subject-name": f"{DOMAIN}\\{name}",
        "subject-sid": sid,
        "subject-is-group": str(group).lower(),
        "subject-gid": sid.rpartition("-")[2],
    }


def set_root_password(world: World, password: str) -> None:
    """Change the password of root, on all members."""
    _PASSWORDS[world] = password


def authenticate(world: World, name: str, password: str, *, local: bool = False) -> User:
    """Return who that is.

    Args:
        world: The pool.
        name: As it was given.
        password: As it was given.
        local: Only root counts, for a member that works alone.

    Raises:
        Failure: The password is wrong, or the user has no rights here.
    """
    if name == ROOT or local:
        if name != ROOT or not _same(password, _PASSWORDS.get(world, world.options.password)):
            raise _refused(name, "Authentication failure")
        return User("")
    role = account(name)
    if role is None or not _same(password, world.options.password):
        raise _refused(name, "The username or password is incorrect")
    sid = user_sid(role)
    groups = [one for one in world.db.all("subject") if one["subject_identifier"] in (sid, *groups_of(sid))]
    if not groups:
        raise _refused(name, f"Subject {name} (identifier {sid}, from https) has no access rights in this pool")
    roles = {world.db.get("role", ref)["name_label"] for group in groups for ref in group["roles"]}
    if not roles:
        raise Failure("RBAC_PERMISSION_DENIED", name, f"Subject {name} (identifier {sid}) has no roles in this pool")
    return User(f"{DOMAIN}\\{role}", sid, groups[0], frozenset(roles))


def account(name: str) -> str | None:
    """Return the plain name of a user of the directory, in whatever form it was given; None for somebody else."""
    domain, backslash, plain = name.rpartition("\\")
    if backslash:
        known = domain.upper() == DOMAIN
    else:
        plain, at, domain = name.partition("@")
        known = not at or domain.lower() == f"{DOMAIN.lower()}.com"
    return plain if known and plain in ROLES else None


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _refused(name: str, why: str) -> Failure:
    return Failure("SESSION_AUTHENTICATION_FAILED", name, why)
