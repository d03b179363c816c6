"""Volumes: made, listed, and removed only when nobody needs them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hvsdk import DiskSpec, errors
from hvsdk_simulators.hyperv.cmdlets.clusters import node_states
from hyperv_engines import Engine
from hyperv_making import FOLDER, MIB, Lab
from hyperv_support import powershell


def test_a_new_volume_is_a_dynamic_vhdx(lab: Lab) -> None:
    volume = lab.volume()
    assert (volume.capacity_bytes, volume.format, volume.backing) == (8 * MIB, "vhdx", None)
    assert volume.path == volume.id == f"{FOLDER}\\{volume.name}.vhdx"
    assert volume.info.details["hyperv.type"] == "Dynamic"
    assert lab.pool.volume(volume.name).info == volume.info
    volume.delete()
    assert volume.id not in lab.files()


def test_a_volume_can_be_of_another_kind(lab: Lab) -> None:
    volume = lab.volume(format="vhd", hints={"hyperv.provisioning": "fixed"})
    assert volume.format == "vhd"
    assert volume.info.details["hyperv.type"] == "Fixed"
    assert volume.info.allocated_bytes is not None
    assert volume.info.allocated_bytes >= 8 * MIB


@pytest.mark.parametrize(
    "rest", ["[x] $(1)", "it's `n", "\u2018q\u2019 \u201d", "\u65e5\u672c\u8a9e", "a.b"], ids=ascii
)
def test_odd_names_come_through_whole(lab: Lab, rest: str) -> None:
    volume = lab.volume(lab.name(f"{rest} disks"))
    assert lab.pool.volume(volume.id).name == volume.name
    volume.delete()


def test_a_name_that_windows_cannot_hold_is_refused_before_anything_happens(lab: Lab) -> None:
    before = lab.files()
    for name in ("[x]*", "a\nb", "CON", "end."):
        with pytest.raises(errors.InvalidSpecError):
            lab.volume(name)
    assert lab.files() == before


def test_a_name_is_not_given_twice_in_any_case(lab: Lab) -> None:
    volume = lab.volume()
    with pytest.raises(errors.AlreadyExistsError):
        lab.volume(volume.name.upper())
    assert lab.pool.volume(volume.id).capacity_bytes == 8 * MIB


def test_files_that_cannot_be_read_are_shown(lab: Lab) -> None:
    broken = lab.file("broken disks-.vhdx", size=5)
    try:
        info = next(volume.info for volume in lab.pool.volumes() if volume.id == broken)
        assert (info.capacity_bytes, info.allocated_bytes, info.format) == (None, 5, "vhdx")
        assert info.details["hyperv.problem"]
        whole = lab.volume()
        with pytest.raises(errors.BusyError, match="broken"):
            whole.delete()
    finally:
        lab.pool.volume(broken).delete()
    whole.delete()


def test_a_volume_that_a_domain_or_its_snapshot_has_stays(lab: Lab) -> None:
    volume = lab.volume()
    domain = lab.domain(DiskSpec(source=volume.path))
    with pytest.raises(errors.BusyError, match="has it"):
        volume.delete()
    domain.create_snapshot("first")
    assert domain.refresh().disks[0].source != volume.path
    with pytest.raises(errors.BusyError):
        volume.delete()
    assert volume.id in lab.files()


def test_an_image_in_a_drive_stays(lab: Lab) -> None:
    image = lab.file("disks-image.iso")
    domain = lab.domain(media=image)
    volume = lab.pool.volume(image)
    assert (volume.name, volume.format, volume.capacity_bytes) == ("disks-image.iso", "raw", 1 << 16)
    with pytest.raises(errors.BusyError):
        volume.delete()
    domain.eject_media()
    volume.delete()
    with pytest.raises(errors.VolumeNotFoundError):
        volume.delete()


def test_a_volume_that_another_one_lies_on_stays(lab: Lab) -> None:
    volume = lab.volume()
    domain = lab.domain(DiskSpec(source=volume.path))
    copy = domain.clone(lab.name(), linked=True)
    lab.domains.append(copy)
    domain.delete(disks="keep")
    with pytest.raises(errors.BusyError):
        volume.delete()
    copy.detach_disk(copy.disks[0])  # then nobody has it, and it still lies there
    with pytest.raises(errors.BusyError, match="lies on"):
        volume.delete()
    for other in lab.pool.volumes():
        if other.backing == volume.id:
            other.delete()
    volume.delete()


@pytest.mark.parametrize("engine", ["python", "powershell"])
def test_a_volume_that_a_node_out_of_sight_may_use_stays(tmp_path: Path, engine: str) -> None:
    if engine == "powershell":
        powershell()
    shared = "C:\\ClusterStorage\\Volume1"
    with Engine(engine, tmp_path, nodes=2) as host:
        for pool in (shared, FOLDER):
            made = {"pool": pool, "name": "v.vhdx", "size": 8 * MIB, "fixed": False, "block_size": None}
            assert host.ask("volumes.create", made)["result"]["size"] == 8 * MIB
        node_states(host.world)[host.world.nodes[1]] = "Down"
        error = host.ask("volumes.delete", {"pool": shared, "name": "v.vhdx"})["error"]
        assert (error["kind"], error["details"]["lasting"]) == ("Busy", True)
        assert (tmp_path / f"{shared}\\v.vhdx").exists()
        assert "error" not in host.ask("volumes.delete", {"pool": FOLDER, "name": "v.vhdx"})
        node_states(host.world)[host.world.nodes[1]] = "Up"
        assert "error" not in host.ask("volumes.delete", {"pool": shared, "name": "v.vhdx"})
        assert not (tmp_path / f"{shared}\\v.vhdx").exists()
