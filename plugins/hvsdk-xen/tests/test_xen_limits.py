"""What a connection cannot do: the user's role, the version of the product; and what a domain cannot."""

from __future__ import annotations

import pytest
from hvsdk.driver import Capability, errors
from xen_support import connect

from hvsdk_xen._limits import NEEDS
from hvsdk_xen._roles import role_of, wanted_role


@pytest.mark.parametrize("name", ["EXAMPLE\\vm-operator", "vm-operator@example.com", "vm-operator"])
def test_users_of_a_directory_are_named_in_each_of_its_ways(pool, name):
    with connect(pool, username=name) as host:
        assert len(host.domains()) >= 30


def test_a_user_who_may_operate_domains_does_not_make_them(pool, domain):
    with connect(pool, username="vm-operator@example.com") as host:
        assert host.supports(Capability.START)
        assert host.supports(Capability.SHUTDOWN)
        for capability, role in {
            Capability.DELETE: "vm-admin",
            Capability.CREATE_DOMAIN: "vm-admin",
            Capability.FENCE: "vm-admin",
            Capability.CREATE_SNAPSHOT: "vm-power-admin",
            Capability.MIGRATE: "vm-power-admin",
            Capability.SET_NIC_LINK: "pool-operator",
        }.items():
            reason = host.why_not(capability)
            assert "the role of the user, vm-operator, does not include" in reason, capability
            assert f": {role} does" in reason, capability
        seen = host.domain(domain.native_id)
        seen.start()
        seen.power_off()
        with pytest.raises(errors.UnsupportedError, match="role"):
            seen.delete()


def test_a_user_who_may_read_reads(pool, domain):
    with connect(pool, username="read-only@example.com") as host:
        assert host.domain(domain.native_id).refresh().disks
        changing = {Capability.START, Capability.POWER_OFF, Capability.RENAME, Capability.SET_TAGS, Capability.MIGRATE}
        assert not {capability for capability in changing if host.supports(capability)}


def test_roles_are_those_of_the_product(reference):
    least = ("pool-operator", "vm-power-admin", "vm-admin", "vm-operator", "read-only")
    messages = {f"{cls['name']}.{one['name']}": one["roles"] for cls in reference for one in cls["messages"]}
    for message in NEEDS.values():
        assert wanted_role(message) == max(set(messages[message]) & set(least), key=least.index), message
    for message, roles in messages.items():
        told = wanted_role(f"async.{message}".lower())
        assert told is None or told == max(set(roles) & set(least), key=least.index), message


@pytest.mark.parametrize("role", ["pool-operator", "vm-power-admin", "vm-admin", "vm-operator", "read-only"])
def test_a_role_is_known_by_its_permissions(pool, role):
    with connect(pool, username=f"{role}@example.com") as host:
        session = host.native()
        permissions = session.xenapi.session.get_rbac_permissions(session.handle)
    assert role_of({str(name).lower() for name in permissions}) == role


def test_root_may_do_everything(host):
    for capability in (Capability.DELETE, Capability.CREATE_DOMAIN, Capability.FENCE, Capability.MIGRATE_STORAGE):
        assert host.why_not(capability) is None


def test_what_a_version_does_not_have_is_refused_with_its_number(make_pool):
    pool = make_pool(api="2.0")
    with connect(pool) as host:
        for capability in (Capability.UEFI, Capability.SECURE_BOOT, Capability.CHANGED_BLOCKS):
            assert "API 2.0" in host.why_not(capability), capability
        assert host.supports(Capability.SNAPSHOT_QUIESCE)
        assert host.supports(Capability.RECONFIGURE)


def test_a_control_domain_is_part_of_its_host(host):
    control = next(domain for domain in host.domains(control=True) if domain.is_control)
    for verb in ("power_off", "delete", "fence", "create_snapshot"):
        assert "control domain" in control.why_not(verb), verb


def test_a_template_is_made_a_domain_of_and_not_started(host):
    template = next(domain for domain in host.domains(templates=True) if domain.is_template)
    assert "clone()" in template.why_not("start")
    assert template.why_not("clone") is None
