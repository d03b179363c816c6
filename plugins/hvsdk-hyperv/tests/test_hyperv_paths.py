"""Paths and names of files on the host: Windows', wherever this runs."""

from __future__ import annotations

import pytest
from hvsdk.driver import DiskSpec, errors

from hvsdk_hyperv._drives import disk_wish, image_place, making
from hvsdk_hyperv._paths import file_name, file_place, pool_path
from hvsdk_hyperv._volumes import volume_file

POOL = "C:\\Hyper-V\\Virtual Hard Disks"
GIB = 1 << 30
ODD = [
    "[x]*",
    "a\nb",
    'say "hi"',
    "a/b",
    "a\\b",
    "c:d",
    "CON",
    "lpt1.old",
    "aux",
    "end.",
    "end ",
    " begin",
    "\0",
    "<x>",
    "a|b",
]
FINE = [
    "[x]",
    "it's",
    "$(Get-Date)",
    "`n",
    "\u2018\u2019\u201c",
    "\u65e5\u672c",
    "a.b.c",
    "console",
    "com",
    "x" * 200,
    "a;b&c",
]


@pytest.mark.parametrize("name", [*ODD[1:], "[x]*.vhdx", "", "x" * 201, "half \ud800"], ids=ascii)
def test_names_that_windows_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(errors.InvalidSpecError, match="no file on Windows"):
        file_name(name, "vhdx")


@pytest.mark.parametrize("name", FINE, ids=ascii)
def test_other_names_are_taken_as_they_are(name: str) -> None:
    assert file_name(name, "vhdx") == f"{name}.vhdx"
    assert file_place(f"{POOL}\\{name}.vhdx", None) == (POOL, f"{name}.vhdx")
    assert volume_file(POOL, f"{POOL.upper()}/{name}.vhdx") == f"{name}.vhdx"


@pytest.mark.parametrize("pool", ["Virtual Hard Disks", "C:", "", "..\\x", "C:\\a*", "C:\\a\nb", "\\\\server", 'C:\\"'])
def test_only_whole_paths_are_pools(pool: str) -> None:
    with pytest.raises(errors.StoragePoolNotFoundError):
        pool_path(pool)


@pytest.mark.parametrize("pool", ["C:\\a/b\\", "c:\\a\\.\\b", "C:\\x\\..\\a\\b"])
def test_detours_of_paths_are_left_out(pool: str) -> None:
    assert pool_path(pool).lower() == "c:\\a\\b"
    assert pool_path("\\\\server\\share\\a") == "\\\\server\\share\\a"


@pytest.mark.parametrize(
    "volume",
    [
        "C:\\other\\a.vhdx",
        f"{POOL}\\inner\\a.vhdx",
        f"{POOL}\\..\\a.vhdx",
        "..\\a.vhdx",
        "inner\\a.vhdx",
        f"{POOL}\\a.txt",
        f"{POOL}\\*.vhdx",
        "a\0.vhdx",
        "",
    ],
    ids=ascii,
)
def test_what_is_not_in_a_pool_is_none_of_its_volumes(volume: str) -> None:
    with pytest.raises(errors.VolumeNotFoundError):
        volume_file(POOL, volume)


def test_sizes_are_of_whole_sectors() -> None:
    assert making(3 * GIB + 1, None, {}) == {
        "format": "vhdx",
        "size": 3 * GIB + 512,
        "fixed": False,
        "block_size": None,
    }
    assert making(GIB, "vhd", {"hyperv.provisioning": "fixed", "kvm.x": 1})["fixed"] is True


@pytest.mark.parametrize(
    ("size", "format", "hints"),
    [
        (GIB, "qcow2", {}),
        (1 << 20, None, {}),
        (65 << 40, None, {}),
        (3 << 40, "vhd", {}),
        (GIB, None, {"hyperv.block_size": 1000}),
        (GIB, "vhd", {"hyperv.block_size": 1 << 20}),
        (GIB, None, {"hyperv.provisioning": "thin"}),
        (GIB, None, {"hyperv.unheard": 1}),
    ],
)
def test_disks_that_hyperv_has_not_are_refused(size: int, format: str | None, hints: dict[str, object]) -> None:
    with pytest.raises(errors.InvalidSpecError):
        making(size, format, hints)


@pytest.mark.parametrize(
    "disk",
    [
        DiskSpec(size=GIB, bus="virtio"),
        DiskSpec(size=GIB, readonly=True),
        DiskSpec(size=GIB, serial="1"),
        DiskSpec(source="a.vhdx", format="vhd"),
        DiskSpec(device="cdrom", size=GIB),
        DiskSpec(device="cdrom", source="a.iso", format="vhdx"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_not_left_out(disk: DiskSpec) -> None:
    with pytest.raises(errors.InvalidSpecError):
        disk_wish(disk)


def test_a_volume_is_meant_by_path_or_by_name_in_a_pool() -> None:
    by_path = disk_wish(DiskSpec(source=f"{POOL}\\a.vhdx"))
    assert (by_path["source_pool"], by_path["names"][0]) == (POOL, "a.vhdx")
    by_name = disk_wish(DiskSpec(source="a", pool=POOL))
    assert (by_name["source_pool"], by_name["names"]) == (POOL, ["a.vhdx", "a.vhd"])
    by_format = disk_wish(DiskSpec(source="a", pool=POOL, format="vhd"))
    assert by_format["names"] == ["a.vhd"]
    assert disk_wish(DiskSpec(source="a.b"))["names"] == ["a.b.vhdx", "a.b.vhd"]
    copied = disk_wish(DiskSpec(source="a", copy=True, pool="D:\\x"))
    assert (copied["source_pool"], copied["pool"]) == ("D:\\x", "D:\\x")


def test_images_are_meant_by_path_or_by_name() -> None:
    assert image_place("C:\\ISO\\a.iso") == ("C:\\ISO", ["a.iso", "a.iso.iso"])
    assert image_place("C:\\ISO/a") == ("C:\\ISO", ["a", "a.iso"])
    assert image_place("a.iso") == (None, ["a.iso", "a.iso.iso"])
    for source in ("iso/a.iso", "*.iso", "a\nb", " "):
        with pytest.raises(errors.VolumeNotFoundError):
            image_place(source)


@pytest.mark.parametrize("name", ["data.vhdx", "data.VHD", "setup.iso", "x.avhdx"])
def test_a_name_with_the_ending_of_a_file_is_not_given_another_one(name: str) -> None:
    with pytest.raises(errors.InvalidSpecError, match="a volume's name has none"):
        file_name(name, "vhdx")
