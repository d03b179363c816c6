"""Disks of domains that are there: attached, grown, detached; what fails leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hvsdk import DiskSpec, PowerState, errors
from hvsdk_simulators import Running
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.world import World
from hyperv_engines import OFF, Engine
from hyperv_making import FOLDER, MIB, Lab, lab_on
from hyperv_support import powershell

from hvsdk_hyperv._drives import disk_wish


@pytest.mark.parametrize("running", [False, True], ids=["off", "running"])
def test_a_disk_comes_and_goes_on_scsi(lab: Lab, running: bool) -> None:
    domain = lab.domain()
    if running:
        domain.start()
    disk = domain.attach_disk(DiskSpec(size="8MiB"))
    assert (disk.id, disk.bus, disk.capacity_bytes, disk.format) == ("scsi:0:0", "scsi", 8 * MIB, "vhdx")
    assert disk.source is not None
    assert disk.source.startswith(f"{FOLDER}\\{domain.name}-")
    domain.detach_disk(disk)
    assert domain.refresh().disks == ()
    assert disk.source in lab.files(), "a detached disk keeps its file"


def test_ide_is_for_generation_1_that_is_off(lab: Lab) -> None:
    old, new = lab.domain(firmware="bios"), lab.domain()
    disk = old.attach_disk(DiskSpec(size="8MiB", bus="ide"))
    assert disk.bus == "ide"
    with pytest.raises(errors.InvalidSpecError):
        new.attach_disk(DiskSpec(size="8MiB", bus="ide"))
    old.start()
    before = lab.files()
    with pytest.raises(errors.PowerStateError) as caught:
        old.attach_disk(DiskSpec(size="8MiB", bus="ide"))
    assert caught.value.state is PowerState.RUNNING
    with pytest.raises(errors.PowerStateError):
        old.detach_disk(disk)
    with pytest.raises(errors.PowerStateError):
        old.resize_disk(disk, 16 * MIB)
    assert lab.files() == before


def test_a_disk_grows_while_it_runs(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    domain.start()
    grown = domain.resize_disk(domain.disks[0], 16 * MIB + 1)
    assert grown.capacity_bytes == 16 * MIB + 512
    with pytest.raises(errors.InvalidSpecError):
        domain.resize_disk(grown, 8 * MIB)


def test_a_disk_with_snapshots_keeps_its_size(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    snapshot = domain.create_snapshot("first")
    disk = domain.refresh().disks[0]
    with pytest.raises(errors.UnsupportedError, match="snapshots"):
        domain.resize_disk(disk, 16 * MIB)
    snapshot.delete()
    disk = domain.refresh().disks[0]
    assert domain.resize_disk(disk, 16 * MIB).capacity_bytes == 16 * MIB


def test_neither_a_linked_clone_nor_what_it_lies_on_grows(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    copy = domain.clone(lab.name(), linked=True)
    lab.domains.append(copy)
    with pytest.raises(errors.UnsupportedError, match="lies on another"):
        copy.resize_disk(copy.disks[0], 16 * MIB)
    with pytest.raises(errors.HvsdkError):
        domain.resize_disk(domain.refresh().disks[0], 16 * MIB)
    assert [disk.capacity_bytes for disk in domain.refresh().disks] == [8 * MIB]


def test_a_volume_is_attached_as_it_is_or_copied(lab: Lab) -> None:
    volume, domain = lab.volume(), lab.domain()
    first = domain.attach_disk(DiskSpec(source=volume.name, pool=volume.pool.name))
    assert first.source == volume.path
    with pytest.raises(errors.AlreadyExistsError):
        domain.attach_disk(DiskSpec(source=volume.path))
    second = domain.attach_disk(DiskSpec(source=volume.path, copy=True, size="16MiB"))
    assert second.source not in (None, volume.path)
    assert second.capacity_bytes == 16 * MIB
    before = lab.files()
    with pytest.raises(errors.InvalidSpecError):
        domain.attach_disk(DiskSpec(source=volume.path, copy=True, size="4MiB"))
    with pytest.raises(errors.VolumeNotFoundError):
        domain.attach_disk(DiskSpec(source="no such volume"))
    assert lab.files() == before
    assert len(domain.refresh().disks) == 2


def test_what_fails_leaves_no_file(lab: Lab) -> None:
    """Generation 2 takes no VHD, which the host says when the new file is there already."""
    domain = lab.domain()
    before = lab.files()
    with pytest.raises(errors.InvalidSpecError):
        domain.attach_disk(DiskSpec(size="8MiB", format="vhd"))
    assert lab.files() == before
    assert domain.refresh().disks == ()


def test_a_disk_is_not_attached_to_a_suspended_domain(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    domain.start()
    domain.suspend()
    before = lab.files()
    for work in (
        lambda: domain.attach_disk(DiskSpec(size="8MiB")),
        lambda: domain.detach_disk("scsi:0:0"),
        lambda: domain.resize_disk("scsi:0:0", 16 * MIB),
    ):
        with pytest.raises(errors.PowerStateError):
            work()
    assert lab.files() == before


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_windows_server_2012_r2_does_the_same(make_server: Callable[..., Running], engine: str) -> None:
    with lab_on(make_server(version=2012, engine=engine, domains=0)) as lab:
        domain = lab.domain(DiskSpec(size="8MiB"))
        domain.insert_media(lab.file("disks-old.iso"))
        domain.start()
        disk = domain.attach_disk(DiskSpec(size="8MiB"))
        assert domain.resize_disk(disk, 16 * MIB).capacity_bytes == 16 * MIB
        domain.detach_disk(disk)
        domain.power_off()
        domain.create_snapshot("first")
        lab.pool.volume(str(disk.source)).delete()
        domain.delete(disks="delete")
        assert [volume.name for volume in lab.pool.volumes()] == ["disks-old.iso"]


def test_a_disk_of_another_domain_is_not_attached(lab: Lab) -> None:
    first, second = lab.domain(), lab.domain()
    disk = first.attach_disk(DiskSpec(size="8MiB"))
    with pytest.raises(errors.BusyError, match=first.name):
        second.attach_disk(DiskSpec(source=disk.source))
    assert second.refresh().disks == ()


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_a_controller_that_came_although_it_failed_goes_again(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "powershell":
        powershell()
    with Engine(engine, tmp_path) as host:
        make, hardware = registry.CMDLETS["Add-VMScsiController"], host.world.vms[UUID(OFF)].hardware
        hardware.scsi_controllers = 0

        def cut_off(world: World, bound: registry.Bound) -> Any:
            list(make(world, bound) or ())
            raise CmdletError("OperationStopped", "OperationStopped", "The pipeline has been stopped.")

        monkeypatch.setitem(registry.CMDLETS, "Add-VMScsiController", cut_off)
        answer = host.ask("disks.attach", {"id": OFF, "wish": disk_wish(DiskSpec(size="4MiB", bus="scsi"))})
        assert "stopped" in answer["error"]["message"]
        assert hardware.scsi_controllers == 0
        assert len(list(tmp_path.iterdir())) == 2
