"""Clones: full ones owe the original nothing, linked ones lie on blocks that nobody writes any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import hvsdk
import pytest
from hvsdk import PowerState, errors
from hvsdk_simulators import Running
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.world import World
from hyperv_disks import chain_of, path_of, peek, poke, spare_domain
from hyperv_engines import OFF, Engine
from hyperv_support import powershell

NAMES = ["copy", "a'b\"c`d$(e) [x]*", "\u2018look\u2019 ünï😀", "..\\..\\x"]


@pytest.fixture
def spare(host: hvsdk.Host) -> Iterator[hvsdk.Domain]:
    yield from spare_domain(host, disks=2)


def removed(domain: hvsdk.Domain) -> None:
    if domain.refresh().power_state is not PowerState.SHUTOFF:
        domain.power_off()
    domain.delete(disks="delete")


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_full_clone_owes_the_original_nothing(server: Running, spare: hvsdk.Domain, name: str) -> None:
    poke(server, path_of(spare, 0), b"first")
    poke(server, path_of(spare, 1), b"second")
    spare.create_snapshot("not carried over")
    copy = spare.clone(name)
    try:
        assert (copy.name, copy.snapshots()) == (name, [])
        assert (peek(server, path_of(copy, 0)), peek(server, path_of(copy, 1))) == (b"first", b"second")
        assert len(chain_of(server, path_of(copy))) == 1
        poke(server, path_of(copy), b"changed")
        assert peek(server, path_of(spare)) == b"first"
    finally:
        removed(copy)


def test_settings_are_carried_over(spare: hvsdk.Domain) -> None:
    spare.set_notes("copied too")
    spare.set_tags({"prod"})
    spare.set_metadata({"team.owner": "ann"})
    spare.reconfigure(vcpus=2)
    copy = spare.clone("copy")
    try:
        mine, its = spare.refresh().info, copy.refresh().info
        assert (its.notes, its.tags, its.metadata) == (mine.notes, mine.tags, mine.metadata)
        same = ("vcpus", "memory_bytes", "firmware", "secure_boot", "autostart")
        assert [getattr(its, name) for name in same] == [getattr(mine, name) for name in same]
        assert [disk.id for disk in its.disks] == [disk.id for disk in mine.disks]
        assert [nic.network for nic in its.nics] == [nic.network for nic in mine.nics]
        assert [disk.boot_order for disk in its.disks] == [disk.boot_order for disk in mine.disks]
    finally:
        removed(copy)


def test_an_image_for_cloud_init_is_one_domains_own(host: hvsdk.Host) -> None:
    domain = host.create_domain(
        hvsdk.DomainSpec(name="seeded", vcpus=1, memory="512MiB", cloud_init=hvsdk.CloudInit(user_data="#cloud-config"))
    )
    copy = domain.clone("copy")
    assert [disk.source for disk in domain.info.disks if disk.device == "cdrom"] != [None]
    assert [disk.source for disk in copy.info.disks if disk.device == "cdrom"] == [None]
    removed(copy)
    removed(domain)


def test_a_fence_is_not_carried_over(spare: hvsdk.Domain) -> None:
    spare.fence("under repair")
    try:
        copy = spare.clone("copy")
        assert copy.refresh().info.fenced is None
        removed(copy)
    finally:
        spare.unfence()


def test_a_running_domain_is_cloned_as_of_one_moment(server: Running, spare: hvsdk.Domain) -> None:
    poke(server, path_of(spare), b"now")
    spare.start()
    copy = spare.clone("copy")
    try:
        assert peek(server, path_of(copy)) == b"now"
        assert copy.power_state is PowerState.SHUTOFF
        assert (spare.refresh().power_state, spare.snapshots()) == (PowerState.RUNNING, [])
        assert len(chain_of(server, path_of(spare))) == 1
    finally:
        removed(copy)


def test_a_linked_clone_and_its_original_part_ways(place: tuple[Running, hvsdk.Host]) -> None:
    server, host = place
    for spare in spare_domain(host, "original"):
        ground = path_of(spare)
        poke(server, ground, b"common")
        copy = spare.clone("linked", linked=True)
        try:
            assert chain_of(server, path_of(copy))[1:] == chain_of(server, path_of(spare))[1:] == [ground]
            poke(server, path_of(spare), b"original")
            poke(server, path_of(copy), b"copy")
            assert (peek(server, path_of(spare)), peek(server, path_of(copy))) == (b"original", b"copy")
            assert peek(server, ground) == b"common"
            spare.start()
            copy.start()
        finally:
            removed(copy)


def test_no_linked_clone_lies_on_what_hyper_v_merges(spare: hvsdk.Domain) -> None:
    spare.create_snapshot("first")
    with pytest.raises(errors.UnsupportedError, match="snapshots"):
        spare.clone("linked", linked=True)


def test_a_clone_that_fails_leaves_nothing(server: Running, host: hvsdk.Host, spare: hvsdk.Domain) -> None:
    paths = [path_of(spare, 0), path_of(spare, 1)]
    names = {one.name for one in host.domains()}
    pool = next(one for one in host.storage_pools() if any(paths[0] == volume.path for volume in one.volumes()))
    before = {volume.path for volume in pool.volumes()}
    server.act("file", path=paths[1], gone=True)
    with pytest.raises(errors.HvsdkError):
        spare.clone("copy")
    with pytest.raises(errors.HvsdkError):
        spare.clone("copy", linked=True)
    assert {one.name for one in host.domains()} == names
    assert {volume.path for volume in pool.volumes()} == before - {paths[1]}
    assert path_of(spare, 0) == paths[0]


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_nothing_lies_on_disks_that_the_original_still_writes(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client may die, and its shell with it, between any two steps."""
    if engine == "powershell":
        powershell()
    with Engine(engine, tmp_path) as host:
        vm = host.world.vms[UUID(OFF)]
        ground, make = vm.hardware.drives[0].path, registry.CMDLETS["New-VM"]
        seen: list[str | None] = []

        def watched(world: World, bound: registry.Bound) -> Any:
            seen.append(vm.hardware.drives[0].path)
            return make(world, bound)

        monkeypatch.setitem(registry.CMDLETS, "New-VM", watched)
        assert "result" in host.ask("clone.make", {"id": OFF, "name": "copy", "linked": True, "notes": ""})
        assert seen == [vm.hardware.drives[0].path]
        assert seen != [ground]


@pytest.mark.parametrize("engine", ["python", "powershell"])
@pytest.mark.parametrize("started", [False, True])
def test_an_original_that_was_used_meanwhile_keeps_what_it_wrote(
    tmp_path: Path, engine: str, started: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "powershell":
        powershell()
    with Engine(engine, tmp_path) as host:
        vm = host.world.vms[UUID(OFF)]
        ground = vm.hardware.drives[0].path

        def refused(world: World, bound: registry.Bound) -> Any:
            if started:
                vm.state = "Running"
            raise CmdletError("OutOfMemory", "InvalidOperation", "no")

        monkeypatch.setitem(registry.CMDLETS, "New-VM", refused)
        assert "error" in host.ask("clone.make", {"id": OFF, "name": "copy", "linked": True, "notes": ""})
        own = vm.hardware.drives[0].path
        assert (own == ground) is not started
        assert (tmp_path / str(own)).exists()
        assert len(list(tmp_path.iterdir())) == 2 + started
