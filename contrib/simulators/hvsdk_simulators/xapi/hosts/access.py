"""Who may do what: subjects of a directory, their roles, and what a role permits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.roles import allowed, needed, permissions
from hvsdk_simulators.xapi.sessions import end
from hvsdk_simulators.xapi.users import ROLES, account, directory, groups_of

_ADMIN = "pool-admin"


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
            end(call.world, session)
    call.world.db.delete(self)


@message("subject.add_to_roles(subject ref self, role ref role) -> void", role=_ADMIN, since="1.7")
def add_to_roles(call: Call, self: Object, role: Object) -> None:
    """Give a role."""
    if role["name_label"] not in ROLES:
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
    names = (call.world.db.get("role", ref)["name_label"] for ref in self["roles"])
    return sorted({one for name in names for one in permissions(call.world.options.api, name)})


@message("role.get_permissions_name_label(role ref self) -> string set", since="1.7")
def get_permissions_name_label(call: Call, self: Object) -> list[str]:
    """Names of the calls that a role permits."""
    return list(permissions(call.world.options.api, self["name_label"]))


@message("role.get_permissions(role ref self) -> role ref set", since="1.7")
def get_permissions(call: Call, self: Object) -> list[str]:
    """The roles within a role that are calls. They have no records here."""
    return []


@message("role.get_by_permission(role ref permission) -> role ref set", since="1.7")
def get_by_permission(call: Call, permission: Object) -> list[Object]:
    """The roles that permit what another does."""
    name = permission["name_label"]
    return _named(call, allowed(name)) if name in ROLES else []


@message("role.get_by_permission_name_label(string label) -> role ref set", since="1.7")
def get_by_permission_name_label(call: Call, label: str) -> list[Object]:
    """The roles that permit a call."""
    least = needed(call.world.options.api).get(label)
    return _named(call, allowed(least)) if least is not None else []


@message("auth.get_subject_identifier(string subject_name) -> string", since="1.6")
def get_subject_identifier(call: Call, subject_name: str) -> str:
    """The identifier of a user or group of the directory."""
    wanted = account(subject_name) or subject_name.rpartition("\\")[2]
    for sid, entry in directory().items():
        if entry["subject-name"].rpartition("\\")[2] == wanted:
            return sid
    raise Failure("SUBJECT_CANNOT_BE_RESOLVED")


@message(
    "auth.get_subject_information_from_identifier(string subject_identifier) -> (string -> string) map", since="1.6"
)
def get_subject_information(call: Call, subject_identifier: str) -> dict[str, str]:
    """What the directory says of a user or group."""
    try:
        return directory()[subject_identifier]
    except KeyError:
        raise Failure("SUBJECT_CANNOT_BE_RESOLVED") from None


@message("auth.get_group_membership(string subject_identifier) -> string set", since="1.6")
def get_group_membership(call: Call, subject_identifier: str) -> list[str]:
    """The groups that a user is in."""
    get_subject_information(call, subject_identifier)
    return groups_of(subject_identifier)


def _named(call: Call, names: Collection[str]) -> list[Object]:
    return [role for role in call.world.db.all("role") if role["name_label"] in names]
