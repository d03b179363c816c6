"""Who may do what: roles, subjects of a directory, and a secret."""

from __future__ import annotations

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.users import ROLES, directory, group_sid
from hvsdk_simulators.xapi.world import World

_ROLES = {
    "pool-admin": "0165f154-ba3e-034e-6b27-5d271af109ba",
    "pool-operator": "b9ce9791-0604-50cd-0649-09b3284c7dfd",
    "vm-power-admin": "7955168d-7bec-10ed-105f-c6a7e6e63249",
    "vm-admin": "aaa00ab5-7340-bfbc-0d1b-7cf342639a6e",
    "vm-operator": "fb8d4ff9-310c-a959-0613-54101535d3d5",
    "read-only": "7233b8e3-eacb-d7da-2c95-f2e581cdbf4e",
}
"""The roles with the UUIDs that they have in every pool."""


def make_access(world: World) -> None:
    """Make the roles, a subject with each of them, and a secret."""
    for name in ROLES:
        _subject(world, name, _role(world, name))
    world.db.create("secret", value="a password of a storage array", other_config={})


def _role(world: World, name: str) -> Object:
    return world.db.create("role", uuid=_ROLES[name], name_label=name, name_description=f"The role of a {name}")


def _subject(world: World, name: str, role: Object) -> None:
    sid = group_sid(name)
    world.db.create("subject", subject_identifier=sid, other_config=directory()[sid], roles=[role.ref])
