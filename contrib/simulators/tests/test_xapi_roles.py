"""Each role may call what the data model lets it call, and is told of what it may not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hvsdk_simulators.xapi.dispatch import Dispatcher
from hvsdk_simulators.xapi.pool import Pool
from hvsdk_simulators.xapi.schema import NULL
from hvsdk_simulators.xapi.users import ROLES
from wire_pool import Client, listening
from xapi_reference import model_messages


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with listening(domains=2, api=(2, 23)) as pool:
        yield pool


def _user(pool: Pool, role: str) -> Client:
    client = Client(pool)
    client.login(role)
    return client


def test_a_denied_call_names_the_permission_and_the_roles_that_have_it(pool: Pool) -> None:
    operator = _user(pool, "vm-operator")
    vm = operator("VM.get_all")[0]
    assert operator.refusal("VM.destroy", vm) == [
        "RBAC_PERMISSION_DENIED",
        "vm.destroy",
        "No permission in user session. (Roles with this permission: pool-admin, pool-operator, vm-power-admin, vm-admin)",
    ]
    assert operator.refusal("Async.VM.destroy", vm)[:2] == ["RBAC_PERMISSION_DENIED", "vm.destroy"]
    assert vm in operator("VM.get_all")


@pytest.mark.parametrize("role", ROLES)
def test_roles_are_denied_what_the_model_denies_them(pool: Pool, role: str) -> None:
    user = _user(pool, role)
    denied = {
        name: one
        for name, one in Dispatcher(pool.world).messages.items()
        if one.session
        and (roles := model_messages().get(name, {}).get("roles"))
        and role not in roles
        and [param.kind.name for param in one.params] in (["ref"], ["string"], [])
    }
    assert bool(denied) == (role != "pool-admin")
    with user.keeping():
        for name, one in denied.items():
            assert user.refusal(name, *[NULL] * len(one.params))[:2] == ["RBAC_PERMISSION_DENIED", name.lower()]


def test_root_may_do_what_every_role_may_and_readers_may_read(pool: Pool) -> None:
    reader = _user(pool, "read-only")
    assert reader("VM.get_all_records")
    assert reader("event.from", ["vm"], "", 0.0)["events"]
    root = _user(pool, "root")
    made = root("secret.create", {"value": "s", "other_config": {}})
    assert reader.refusal("secret.get_value", made)[0] == "RBAC_PERMISSION_DENIED"
    assert root("secret.get_value", made) == "s"
    root("secret.destroy", made)


def test_a_role_lists_the_calls_that_it_permits(pool: Pool) -> None:
    reader = _user(pool, "read-only")
    permitted = {role: set(reader("role.get_permissions_name_label", _role(reader, role))) for role in ROLES}
    for mighty, weak in pairwise(ROLES):
        assert permitted[weak] < permitted[mighty]
    assert "vm.start" in permitted["vm-operator"] - permitted["read-only"]
    assert "vm.get_record" in permitted["read-only"]
    found = reader("role.get_by_permission_name_label", "vm.destroy")
    assert {reader("role.get_name_label", ref) for ref in found} == set(ROLES[:4])


def test_a_session_carries_its_permissions(pool: Pool) -> None:
    user = _user(pool, "vm-operator")
    permissions = user("session.get_rbac_permissions", user.session)
    assert "vm.start" in permissions
    assert "vm.destroy" not in permissions


def test_the_directory_knows_users_and_the_groups_that_have_the_roles(pool: Pool) -> None:
    reader = _user(pool, "read-only")
    sid = reader("auth.get_subject_identifier", "EXAMPLE\\vm-admin")
    (group,) = reader("auth.get_group_membership", sid)
    assert reader("auth.get_subject_information_from_identifier", group)["subject-name"] == "EXAMPLE\\vm-admins"
    assert group in {one["subject_identifier"] for one in reader("subject.get_all_records").values()}
    assert reader.refusal("auth.get_subject_identifier", "nobody") == ["SUBJECT_CANNOT_BE_RESOLVED"]
    assert reader.refusal("auth.get_group_membership", "S-1-0") == ["SUBJECT_CANNOT_BE_RESOLVED"]


def _role(client: Client, name: str) -> str:
    (found,) = client("role.get_by_name_label", name)
    return str(found)
