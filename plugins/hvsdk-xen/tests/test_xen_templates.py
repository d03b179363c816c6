"""Domains from templates: the product's own, which only ask for disks, and such as have them."""

from __future__ import annotations

import pytest
from hvsdk.driver import DiskSpec, DomainSpec, NicSpec, errors
from xen_making import GIB, GOLDEN, MIB, calls, drives_of, nothing_new, record_of
from xen_support import NULL

DISK = DiskSpec(size="16MiB")


def test_a_default_template_makes_the_disks_that_it_asks_for(create, raw):
    domain = create(template="Debian Bullseye 11", memory="256MiB", vcpus=3, notes="mine", nics=[NicSpec()])
    assert [disk.capacity_bytes for disk in domain.info.disks if disk.device == "disk"] == [10 * GIB]
    assert (domain.vcpus, domain.memory_bytes, domain.info.notes) == (3, 256 * MIB, "mine")
    assert len(domain.info.nics) == 1
    vm = record_of(raw, domain)
    assert not vm["is_a_template"]
    assert vm["other_config"]["base_template_name"] == "Debian Bullseye 11"
    assert "disks" not in vm["other_config"]


def test_disks_of_the_specification_take_the_place_of_those_a_template_asks_for(create):
    domain = create(template="Debian Bullseye 11", memory="256MiB", disks=[DISK])
    assert [disk.capacity_bytes for disk in domain.info.disks if disk.device == "disk"] == [16 * MIB]


@pytest.mark.parametrize("full", [False, True])
def test_a_template_with_disks_is_copied(create, raw, full):
    domain = create(template=GOLDEN, memory="256MiB", disks=[DISK], hints={"xen.template_copy": full})
    disks = [disk for disk in domain.info.disks if disk.device == "disk"]
    assert [disk.capacity_bytes for disk in disks] == [10 * GIB, 16 * MIB]
    (template,) = raw("VM.get_by_name_label", GOLDEN)
    theirs = {raw("VBD.get_VDI", vbd) for vbd in raw("VM.get_VBDs", template)}
    ours = {drive["VDI"] for drive in drives_of(raw, domain).values()} - {NULL}
    assert not theirs & ours
    assert len(domain.info.nics) == 1, "the template's own adapter"


def test_a_template_is_found_by_its_uuid(create, raw):
    (template,) = raw("VM.get_by_name_label", GOLDEN)
    domain = create(template=raw("VM.get_uuid", template), memory="256MiB", nics=[NicSpec(mac="52:54:00:aa:bb:02")])
    assert [nic.mac for nic in domain.info.nics] == ["52:54:00:aa:bb:02"]


def test_templates_of_one_name_are_told_apart_by_their_uuids(refused, raw):
    (template,) = raw("VM.get_by_name_label", GOLDEN)
    twin = raw("VM.clone", template, GOLDEN)
    try:
        error = refused(errors.AmbiguousNameError, template=GOLDEN)
        assert {one[0] for one in error.candidates} == {raw("VM.get_uuid", ref) for ref in (template, twin)}
        assert all(one[0] in error.message for one in error.candidates)
    finally:
        raw._remove(twin)


def test_a_domain_is_no_template(refused, domain):
    assert "not a template" in str(refused(errors.InvalidSpecError, template=domain.name))


@pytest.mark.parametrize("method", ["Async.VM.provision", "VM.set_memory_limits", "VDI.create", "VIF.create"])
def test_a_copied_template_is_taken_back_with_its_disks(host, pool, raw, method):
    spec = DomainSpec(name="xen-undone", memory="256MiB", template=GOLDEN, disks=[DISK], nics=[NicSpec()])
    with nothing_new(raw):
        pool.fault(f"{method}:error=INTERNAL_ERROR,broken:1")
        with pytest.raises(errors.OperationFailedError):
            host.create_domain(spec)


def test_a_role_that_may_not_change_memory_makes_domains_of_templates(create, pool):
    counts = calls(pool, lambda: create(template=GOLDEN, memory="1GiB", vcpus=2))
    assert "VM.set_memory_limits" not in counts


def test_a_template_with_entities_in_its_wishes_is_not_read(refused, raw):
    (template,) = raw("VM.get_by_name_label", "Debian Bullseye 11")
    twin = raw("VM.clone", template, "xen-hostile")
    text = '<!DOCTYPE a [<!ENTITY b "c">]><provision><disk device="0" size="1" sr="&b;"/></provision>'
    try:
        raw("VM.set_other_config", twin, {"disks": text})
        refused(errors.InvalidSpecError, template="xen-hostile")
    finally:
        raw._remove(twin)
