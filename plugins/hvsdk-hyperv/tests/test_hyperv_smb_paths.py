"""Files that are not there by SMB, or not for everybody, and whose names lead elsewhere."""

from __future__ import annotations

import pytest
from hvsdk import errors
from hvsdk_simulators import Running
from hyperv_samba import Samba, files_of, put, workers
from hyperv_support import eventually

from hvsdk_hyperv._smb_paths import share_of


@pytest.mark.parametrize("path", ["C:\\disks\\none.vhdx", "C:\\none\\a.vhdx", "C:\\disks", "C:\\disks\\a\nb.vhdx"])
def test_no_such_file(server: Running, share: Samba, path: str) -> None:
    put(share)
    with pytest.raises(errors.NotFoundError, match="there is no file"):
        files_of(server, share).open(path)
    assert eventually(lambda: not workers())


def test_no_such_share(server: Running, share: Samba) -> None:
    with pytest.raises(errors.NotFoundError, match="has no share") as caught:
        files_of(server, share).open("E:\\disks\\here.vhdx")
    assert "winrm" in (caught.value.hint or "")


def test_a_share_that_the_user_may_not_use(server: Running, share: Samba) -> None:
    with pytest.raises(errors.PermissionDeniedError, match="may not read") as caught:
        files_of(server, share).open("D:\\disks\\here.vhdx")
    assert "Hyper-V Administrators" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("C:\\VMs\\a.vhdx", ("C$", "VMs\\a.vhdx")),
        ("c:/VMs/../other/a.vhdx", ("C$", "other\\a.vhdx")),
        ("\\\\?\\C:\\VMs\\a.vhdx", ("C$", "VMs\\a.vhdx")),
        ("C:\\ClusterStorage\\Volume1\\a.vhdx", ("C$", "ClusterStorage\\Volume1\\a.vhdx")),
        ("\\\\HV-1.example\\vms\\a.vhdx", ("vms", "a.vhdx")),
    ],
)
def test_paths_are_found_among_the_shares(path: str, place: tuple[str, str]) -> None:
    assert share_of(path, "hv-1.example") == place


@pytest.mark.parametrize(
    "path",
    [
        "\\\\evil.example\\vms\\a.vhdx",
        "//evil.example/vms/a.vhdx",
        "\\\\hv-1.example@8080\\vms\\a.vhdx",
        "\\\\hv-1\\vms\\a.vhdx",
    ],
)
def test_the_login_goes_to_no_other_server(path: str) -> None:
    with pytest.raises(errors.UnsupportedError, match=r"for hv-1\.example alone"):
        share_of(path, "hv-1.example")


@pytest.mark.parametrize(
    "path",
    [
        *("", "a.vhdx", "C:a.vhdx", "C:\\", "\\VMs\\a.vhdx", "\\\\.\\PhysicalDrive0", "\\\\.\\C:\\a.vhdx"),
        *("\\\\?\\Volume{9d5e0a5c-0000-0000-0000-100000000000}\\a.vhdx", "\\\\?\\UNC\\evil\\share\\a.vhdx"),
        *("\\\\?\\GLOBALROOT\\Device\\x\\y", "C:\\a.vhdx:stream", "C:\\a\0.vhdx", "C:\\*.vhdx", "C:\\a\ud800.vhdx"),
        "\\\\hv-1.example\\a:b\\a.vhdx",
    ],
)
def test_hostile_names_are_of_no_file(path: str) -> None:
    with pytest.raises(errors.NotFoundError):
        share_of(path, "hv-1.example")
