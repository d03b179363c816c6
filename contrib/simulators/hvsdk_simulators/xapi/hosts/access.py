"""Who may do what: subjects of a directory, their roles, and what a role permits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import MESSAGES, message

_ADMIN = "pool-admin"
RANKS = ("read-only", "vm-operator", "vm-admin", "vm-power-admin", "pool-operator", _ADMIN)
"""The roles, each of which may do what those before it may."""


@message("subject.create(subject record args) -> subject ref", role=_ADMIN, since="1.6")
def create(call: Call, args: Mapping[str, Any]) -> Object:
    """Let a user or group of the directory in, as an administrator until roles are given."""
    db = call.world.db
    sid = str(args.get("subject_identifier", ""))
    if any(subject["subject_identifier"] == sid for subject in db.all("subject")):
        raise Failure("SUBJECT_ALREADY_EXISTS")
    admin = next(role.ref for role in db.all("role") if role["name_label"] == _ADMIN)
    config = dict(args.get("other_config", {}))
    return db.create("subject", subject_identifier=sid, other_config=config, roles=[admin])


@message("subject.destroy(subject ref self) -> void", role=_ADMIN, since="1.6")
def destroy(call: Call, self: Object) -> None:
    """Let a user or group in no longer; its sessions end."""
    for session in call.world.db.all("session"):
        if session["subject"] == self.ref:
            call.world.db.delete(session)
    call.world.db.delete(self)


@message("subject.add_to_roles(subject ref self, role ref role) -> void", role=_ADMIN, since="1.7")
def add_to_roles(call: Call, self: Object, role: Object) -> None:
    """Give a role."""
    if role["name_label"] not in RANKS:
        raise Failure("ROLE_NOT_FOUND")
    if role.ref in self["roles"]:
        raise Failure("ROLE_ALREADY_EXISTS")
    call.world.db.update(self, roles=[*self["roles"], role.ref])


@message("subject.remove_from_roles(subject ref self, role ref role) -> void", role=_ADMIN, since="1.7")
def remove_from_roles(call: Call, self: Object, role: Object) -> None:
    """Take a role."""
    if role.ref not in self["roles"]:
        raise Failure("ROLE_NOT_FOUND")
    call.world.db.update(self, roles=[ref for ref in self["roles"] if ref != role.ref])


@message("subject.get_permissions_name_label(subject ref self) -> string set", since="1.7")
def get_subject_permissions(call: Call, self: Object) -> list[str]:
    """Names of the calls that a subject may make."""
    roles = (call.world.db.lookup("role", ref) for ref in self["roles"])
    return sorted({name for role in roles if role is not None for name in permissions(role["name_label"])})


@message("role.get_permissions_name_label(role ref self) -> string set", since="1.7")
def get_permissions_name_label(call: Call, self: Object) -> list[str]:
    """Names of the calls that a role permits."""
    return permissions(self["name_label"])


@message("role.get_permissions(role ref self) -> role ref set", since="1.7")
def get_permissions(call: Call, self: Object) -> list[str]:
    """The roles within a role that are calls. They have no records here."""
    return []


@message("role.get_by_permission(role ref permission) -> role ref set", since="1.7")
def get_by_permission(call: Call, permission: Object) -> list[Object]:
    """The roles that permit what another does."""
    name = permission["name_label"]
    return _at_least(call, name) if name in RANKS else []


@message("role.get_by_permission_name_label(string label) -> role ref set", since="1.7")
def get_by_permission_name_label(call: Call, label: str) -> list[Object]:
    """The roles that permit a call."""
    found = next((one for name, one in MESSAGES.items() if name.lower() == label.lower()), None)
    return _at_least(call, _rank_name(found.role)) if found is not None else []


@message("auth.get_subject_identifier(string subject_name) -> string", since="1.6")
def get_subject_identifier(call: Call, subject_name: str) -> str:
    """The identifier of a user or group of the directory."""
    for subject in call.world.db.all("subject"):
        if subject["other_config"].get("subject-name", "").rpartition("\\")[2] == subject_name:
            return str(subject["subject_identifier"])
    raise Failure("SUBJECT_CANNOT_BE_RESOLVED")


@message(
    "auth.get_subject_information_from_identifier(string subject_identifier) -> (string -> string) map", since="1.6"
)
def get_subject_information(call: Call, subject_identifier: str) -> dict[str, str]:
    """What the directory says of a user or group."""
    for subject in call.world.db.all("subject"):
        if subject["subject_identifier"] == subject_identifier:
            return dict(subject["other_config"])
    raise Failure("SUBJECT_CANNOT_BE_RESOLVED")


@message("auth.get_group_membership(string subject_identifier) -> string set", since="1.6")
def get_group_membership(call: Call, subject_identifier: str) -> list[str]:
    """The groups that a user is in. The directory has none."""
    get_subject_information(call, subject_identifier)
    return []


def permissions(role: str) -> list[str]:
    """Names of the calls that a role permits, in lower case as the product gives them."""
    if role not in RANKS:
        return []
    rank = RANKS.index(role)
    return sorted(name.lower() for name, one in MESSAGES.items() if RANKS.index(_rank_name(one.role)) <= rank)


def _rank_name(role: str) -> str:
    """A message's least role; those for other hosts' certificates are for operators too."""
    return role if role in RANKS else "pool-operator"


def _at_least(call: Call, name: str) -> list[Object]:
    rank = RANKS.index(name)
    known = {role["name_label"]: role for role in call.world.db.all("role") if role.ref != NULL}
    return [known[one] for one in RANKS[rank:] if one in known]
