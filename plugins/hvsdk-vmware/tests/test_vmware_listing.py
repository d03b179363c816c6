"""Listing and finding domains: round trips, pages, what is not set, and both UUIDs."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import hvsdk
import pytest
from hvsdk.driver import DomainInfo, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, connect, domain_calls, opened, soon

EVERYTHING = frozenset({"config", "guest"})


@pytest.mark.parametrize(
    ("include", "count"), [(frozenset(), 1), (frozenset({"guest"}), 2), (frozenset({"config"}), 2), (EVERYTHING, 2)]
)
def test_a_listing_is_at_most_two_calls(either: Running, include: frozenset[str], count: int) -> None:
    with opened(either) as driver:
        list(driver.list_domains(include, deadline=soon()))  # makes the views, and looks at the templates
        calls = domain_calls(either, lambda: list(driver.list_domains(include, deadline=soon())))
    assert calls == {"RetrievePropertiesEx": count}


def test_templates_are_looked_at_once(center: Running) -> None:
    """Whether a fence made them: that takes a property which is large."""
    with opened(center) as driver:
        found: list[DomainInfo] = []
        calls = domain_calls(center, lambda: found.extend(driver.list_domains(frozenset(), deadline=soon())))
        assert any(one.is_template for one in found)
        assert calls["RetrievePropertiesEx"] == 2
        calls = domain_calls(center, lambda: list(driver.list_domains(frozenset(), deadline=soon())))
        assert calls == {"RetrievePropertiesEx": 1}


def test_pages_hold_the_same_domains(center: Running) -> None:
    with opened(center) as driver, opened(center, options={"page_size": 3}) as paged:
        whole = {info.native_id: info for info in driver.list_domains(EVERYTHING, deadline=soon())}
        center.reset_counts()
        pages = {info.native_id: info for info in paged.list_domains(EVERYTHING, deadline=soon())}
        assert pages == whole
        assert center.counts()["ContinueRetrievePropertiesEx"] > len(whole) / 3


def test_a_domain_is_read_in_one_call_as_it_is_listed(either: Running) -> None:
    with opened(either) as driver:
        for listed in driver.list_domains(EVERYTHING, deadline=soon()):
            either.reset_counts()
            assert driver.get_domain(listed.native_id, EVERYTHING, deadline=soon()) == listed
            counts = {name: count for name, count in either.counts().items() if count and name != "Logout"}
            assert counts.pop("/rest/com/vmware/cis/tagging/tag-association", 0) == driver.is_vcenter
            assert counts == {"RetrievePropertiesEx": 1}


def test_a_domain_is_read_as_it_is_listed_without_a_listing_before(either: Running) -> None:
    with opened(either) as driver:
        listed = list(driver.list_domains(EVERYTHING, deadline=soon()))
    with opened(either) as driver:
        for info in listed[:5]:
            assert driver.get_domain(info.native_id, EVERYTHING, deadline=soon()) == info


def test_what_pyvmomi_says_is_what_is_listed(center: Running, raw: Raw, host: hvsdk.Host) -> None:
    known = {vm._moId: vm for vm in raw.all(vim.VirtualMachine)}
    listed = host.domains(full=True, templates=True)
    assert {domain.native_id for domain in listed} == set(known)
    for domain in listed:
        vm = known[domain.native_id]
        config = vm.config
        assert domain.uuid == config.instanceUuid.lower()
        assert domain.details["vmware.bios_uuid"] == config.uuid.lower()
        assert domain.vcpus == config.hardware.numCPU
        assert domain.memory_bytes == config.hardware.memoryMB << 20
        assert domain.node == vm.runtime.host.name
        assert domain.is_template == config.template
        disks = [one for one in config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk)]
        assert {disk.id: disk.capacity_bytes for disk in domain.disks if disk.device == "disk"} == {
            str(one.key): one.capacityInKB << 10 for one in disks
        }
        cards = [one for one in config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard)]
        assert {nic.mac for nic in domain.nics} == {one.macAddress.lower() for one in cards}
        assert domain.created_at == config.createDate


def test_a_domain_that_is_not_there_is_not_found(host: hvsdk.Host) -> None:
    with pytest.raises(errors.DomainNotFoundError) as caught:
        host.domain("vm-999999")
    assert "vm-999999" in str(caught.value)


def test_names_uuids_and_ids_find_the_same_domain(host: hvsdk.Host) -> None:
    one = host.domains(include=("config",))[0]
    asked = uuid.UUID(one.uuid)
    seen_by_guest = one.details["vmware.bios_uuid"]
    keys = [one.native_id, one.name, one.uuid, one.uuid.upper(), str(uuid.UUID(bytes_le=asked.bytes)), seen_by_guest]
    keys.append(str(uuid.UUID(bytes_le=uuid.UUID(seen_by_guest).bytes)))
    assert [host.domain(key).native_id for key in keys] == [one.native_id] * len(keys)


def test_a_name_that_nobody_has_is_not_found(host: hvsdk.Host) -> None:
    with pytest.raises(errors.DomainNotFoundError):
        host.domain("nobody")


def test_two_domains_of_a_name_in_two_folders_are_told_apart(center: Running, raw: Raw, host: hvsdk.Host) -> None:
    first, other = sorted(host.domains(include=("config",)), key=lambda one: one.name)[1:3]
    parent = raw.content.rootFolder.childEntity[0].vmFolder
    folder = parent.CreateFolder("twins")
    try:
        raw.done(folder.MoveIntoFolder_Task([raw.vm(other.native_id)]))
        raw.done(raw.vm(other.native_id).Rename_Task(first.name))
        with pytest.raises(errors.AmbiguousNameError) as caught:
            host.domain(first.name)
        assert {one[0] for one in caught.value.candidates} == {first.native_id, other.native_id}
        folder_seen = other.refresh().folder
        assert folder_seen is not None
        assert folder_seen.endswith("/vm/twins")
    finally:
        raw.done(raw.vm(other.native_id).Rename_Task(other.name + "-back"))
        raw.done(parent.MoveIntoFolder_Task([raw.vm(other.native_id)]))


@pytest.mark.parametrize("state", ["inaccessible", "orphaned", "disconnected", "invalid"])
def test_a_domain_that_vsphere_cannot_see_is_listed_all_the_same(
    make_center: Callable[..., Running], state: str
) -> None:
    center = make_center()
    with connect(center) as host:
        one = host.domains()[0]
        center.act("inaccessible", vm=one.native_id, state=state)
        again = host.domain(one.native_id)
        listed = {each.native_id: each for each in host.domains(full=True)}[one.native_id]
        assert again.power_state == listed.power_state == "unknown"
        assert again.name == one.name
        assert again.details["vmware.connection"] == state
        if state != "disconnected":
            assert again.uuid is None
            assert again.disks == ()


def test_names_are_shown_as_people_write_them(raw: Raw, domain: hvsdk.Domain) -> None:
    raw.done(raw.vm(domain.native_id).Rename_Task("a%2fb%5c%25c%2"))
    assert domain.refresh().name == "a/b\\%c%2"


def test_the_folder_is_a_path_of_the_inventory(raw: Raw, host: hvsdk.Host) -> None:
    one = host.domains(include=("config",))[0]
    assert raw.content.searchIndex.FindByInventoryPath(f"{one.folder}/{one.name}")._moId == one.native_id


def test_a_listing_goes_on_in_a_new_session(make_center: Callable[..., Running]) -> None:
    center = make_center(domains=7)
    with opened(center, options={"page_size": 2}) as driver:
        before = list(driver.list_domains(EVERYTHING, deadline=soon()))
        center.act("expire-sessions")
        assert list(driver.list_domains(EVERYTHING, deadline=soon())) == before
        center.fault("ContinueRetrievePropertiesEx:session-expired:1")
        assert {info.native_id for info in driver.list_domains(frozenset(), deadline=soon())} == {
            info.native_id for info in before
        }
