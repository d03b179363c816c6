"""Removing domains: what goes, what stays, and when nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import attrs
import pytest
from hvsdk import CloudInit, DiskSpec, errors
from hvsdk_simulators import Running
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.world import World
from hyperv_engines import OFF, RUNNING, Engine
from hyperv_making import FOLDER, Lab, lab_on
from hyperv_support import powershell


def test_disks_that_stay_are_whole_and_named_as_before(lab: Lab) -> None:
    volume = lab.volume()
    before = lab.files()
    domain = lab.domain(DiskSpec(source=volume.path))
    for name in ("first", "second"):
        domain.create_snapshot(name)
    assert len(lab.files()) == len(before) + 2
    domain.delete(disks="keep")
    assert lab.files() == before
    assert lab.pool.volume(volume.id).backing is None
    volume.delete()


def test_its_own_volumes_go_and_images_stay(lab: Lab) -> None:
    image = lab.file("disks-setup.iso")
    before = lab.files()
    domain = lab.domain(DiskSpec(size="8MiB"), DiskSpec(size="8MiB"), media=image)
    domain.create_snapshot("first")
    domain.delete(disks="delete")
    assert lab.files() == before
    with pytest.raises(errors.DomainNotFoundError):
        lab.host.domain(domain.native_id)


def test_the_image_for_cloud_init_goes_with_its_domain(lab: Lab) -> None:
    before = lab.files()
    domain = lab.domain(cloud_init=CloudInit(user_data="#cloud-config\n"))
    assert len(lab.files() - before) == 1
    domain.delete(disks="keep")
    assert lab.files() == before


def test_a_running_or_suspended_domain_stays(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    snapshot = domain.create_snapshot("first")
    domain.start()
    with pytest.raises(errors.PowerStateError):
        domain.delete(disks="delete")
    domain.suspend()
    with pytest.raises(errors.PowerStateError):
        domain.delete(disks="delete")
    assert [one.id for one in domain.snapshots()] == [snapshot.id]


def test_a_volume_that_another_domain_has_keeps_all(lab: Lab) -> None:
    volume = lab.volume()
    shared = DiskSpec(source=volume.path, shareable=True)
    one, _other = lab.domain(shared), lab.domain(shared)
    with pytest.raises(errors.BusyError, match="has it"):
        one.delete(disks="delete")
    assert one.refresh().disks[0].source == volume.path


def test_what_a_linked_clone_lies_on_stays(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    copy = domain.clone(lab.name(), linked=True)
    lab.domains.append(copy)
    (ground,) = {volume.backing for volume in lab.pool.volumes() if volume.id == copy.disks[0].source}
    domain.refresh().create_snapshot("first")
    domain.delete(disks="delete")
    assert ground in lab.files()
    copy.start()
    copy.power_off()
    copy.delete(disks="delete")
    lab.pool.volume(str(ground)).delete()


@pytest.mark.parametrize("engine", ["python", "powershell"])
@pytest.mark.parametrize("disks", ["keep", "delete"])
def test_nothing_is_removed_or_merged_that_a_foreign_disk_lies_on(tmp_path: Path, engine: str, disks: str) -> None:
    """Nobody but the file itself tells that it lies on the disk of a domain."""
    if engine == "powershell":
        powershell()
    with Engine(engine, tmp_path) as host:
        vm = host.world.vms[UUID(OFF)]
        record = registry.run(host.world, "Get-VM", {"Id": vm.id})
        registry.run(host.world, "Checkpoint-VM", {"VM": record, "SnapshotName": "first"})
        base, foreign = vm.checkpoints[0].hardware.drives[0].path, f"{FOLDER}\\foreign.vhdx"
        registry.run(host.world, "New-VHD", {"Path": [foreign], "ParentPath": base, "Differencing": True})
        before = sorted(one.name for one in tmp_path.iterdir())
        answer = host.ask("delete.run", {"id": OFF, "disks": disks})
        assert answer["error"]["kind"] == "Busy"
        assert foreign in answer["error"]["message"]
        assert sorted(one.name for one in tmp_path.iterdir()) == before
        assert len(vm.checkpoints) == 1
        registry.run(host.world, "Remove-Item", {"LiteralPath": [foreign]})
        assert "result" in host.ask("delete.run", {"id": OFF, "disks": disks})
        assert vm.id not in host.world.vms
        assert ((tmp_path / str(base)).exists()) is (disks == "keep")


def test_nothing_goes_while_a_file_cannot_be_read(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    broken = lab.file("broken disks-.vhdx", size=5)
    try:
        with pytest.raises(errors.BusyError, match="broken"):
            domain.delete(disks="delete")
        assert len(domain.refresh().disks) == 1
    finally:
        lab.pool.volume(broken).delete()
    domain.delete(disks="delete")


def test_a_disk_whose_file_is_gone_is_no_hindrance(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    lab.server.act("file", path=domain.disks[0].source, gone=True)
    domain.delete(disks="delete")


def test_merges_end_before_the_domain_goes(make_server: Callable[..., Running]) -> None:
    with lab_on(make_server(duration_scale=0.3)) as lab:
        domain = lab.domain(DiskSpec(size="8MiB"))
        path = domain.disks[0].source
        domain.create_snapshot("first")
        shares: list[float | None] = []
        domain.delete(disks="keep", progress=shares.append)
        assert [one for one in lab.files() if one.endswith(".avhdx")] == []
        assert path in lab.files()
        lab.pool.volume(str(path)).delete()


def test_a_role_in_a_cluster_goes_too(make_server: Callable[..., Running]) -> None:
    with lab_on(make_server(nodes=2)) as lab:
        clustered = [one for one in lab.host.domains(full=True) if one.info.details.get("hyperv.clustered")]
        if not clustered:
            pytest.skip("no domain of the simulated cluster has a role")
        domain = clustered[0]
        domain.power_off(discard_memory=True)
        domain.delete(disks="delete")
        assert domain.native_id not in [one.native_id for one in lab.host.domains()]


def test_the_folder_for_disks_outlives_the_last_of_them(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    domain.delete(disks="delete")
    assert lab.host.storage_pool(FOLDER).info.active


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_what_somebody_took_meanwhile_stays(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merging may take hours after the look at who has the disks."""
    if engine == "powershell":
        powershell()
    with Engine(engine, tmp_path) as host:
        vm, other = host.world.vms[UUID(OFF)], host.world.vms[UUID(RUNNING)]
        path, remove = str(vm.hardware.drives[0].path), registry.CMDLETS["Remove-VM"]

        def taken(world: World, bound: registry.Bound) -> Any:
            other.hardware.drives.append(attrs.evolve(other.hardware.drives[0], id=uuid4(), location=7, path=path))
            return remove(world, bound)

        monkeypatch.setitem(registry.CMDLETS, "Remove-VM", taken)
        answer = host.ask("delete.run", {"id": OFF, "disks": "delete"})
        assert answer["error"]["kind"] == "OperationFailed"
        assert "kept" in answer["error"]["message"]
        assert vm.id not in host.world.vms
        assert (tmp_path / path).exists()


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_a_machine_that_stays_keeps_its_role(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if engine == "powershell":
        powershell()
    with Engine(engine, tmp_path, nodes=2) as host:
        vm = host.world.vms[UUID(OFF)]
        vm.clustered = True

        def refused(world: World, bound: registry.Bound) -> Any:
            raise CmdletError("InvalidState", "InvalidOperation", "somebody started it")

        monkeypatch.setitem(registry.CMDLETS, "Remove-VM", refused)
        assert "error" in host.ask("delete.run", {"id": OFF, "disks": "delete"})
        assert vm.clustered
        assert (tmp_path / str(vm.hardware.drives[0].path)).exists()
