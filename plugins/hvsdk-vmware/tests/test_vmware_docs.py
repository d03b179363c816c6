"""The page of this backend names every option, hint and key of `details`, and the privileges that the API tells of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pyVmomi import vim

from hvsdk_vmware import OPTIONS
from hvsdk_vmware._hints import DISK_HINTS, DOMAIN_HINTS, NIC_HINTS, VOLUME_HINTS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "backends" / "vmware.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "plugins" / "hvsdk-vmware" / "hvsdk_vmware").glob("*.py"))
HINTS = {**DOMAIN_HINTS, **DISK_HINTS, **NIC_HINTS, **VOLUME_HINTS}
VM, SNAPSHOT = vim.VirtualMachine, vim.vm.Snapshot
CALLS = {
    "start": [VM.PowerOn],
    "power_off": [VM.PowerOff, VM.ShutdownGuest],
    "reset": [VM.Reset, VM.RebootGuest],
    "suspend": [VM.Suspend],
    "answer": [VM.AnswerVM],
    "create_snapshot": [VM.CreateSnapshotEx_Task, SNAPSHOT.Revert, SNAPSHOT.Remove, VM.RemoveAllSnapshots_Task],
    "changed_blocks": [VM.QueryChangedDiskAreas],
    "create_domain": [vim.Folder.CreateVm],
    "fence": [VM.MarkAsTemplate, VM.MarkAsVirtualMachine],
    "migrate": [VM.Relocate],
    "console": [VM.AcquireMksTicket, VM.CreateScreenshot],
    "open_disk": [VM.ExportVm, SNAPSHOT.ExportSnapshot],
    "open_writer": [vim.ResourcePool.ImportVApp],
    "set_autostart": [vim.host.AutoStartManager.Reconfigure],
}
"""What verbs call: the API's own model tells the privilege of each."""


def documented(name: str) -> bool:
    return f"`{name}`" in PAGE


def test_every_key_of_details_is_documented() -> None:
    keys = {key for path in SOURCES for key in re.findall(r'"(vmware\.[a-z_]+)"', path.read_text(encoding="utf-8"))}
    assert keys > {"vmware.bios_uuid", "vmware.question", "vmware.kind"}
    assert not {key for key in keys if not documented(key)}


def test_every_option_and_hint_is_documented() -> None:
    assert not [name for name in (*OPTIONS, *HINTS) if not documented(name)]


def test_hints_are_documented_with_what_they_take() -> None:
    for name, hint in HINTS.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
        assert hint.help in row
        assert all(f"`{choice}`" in row for choice in hint.choices)


@pytest.mark.parametrize("verb", CALLS)
def test_privileges_are_those_of_the_calls(verb: str) -> None:
    row = next(line for line in PAGE.splitlines() if re.match(rf"\| [^|]*{verb}`[^|]*\| `", line))
    for call in CALLS[verb]:
        assert f"`{call.info.privId}`" in row


def test_no_row_of_a_table_lacks_a_cell() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        rows = table.splitlines()
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {rows[0].count("|")}
