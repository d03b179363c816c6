"""A disk that starts the Linux guest with UEFI and on its own, with no kernel given from outside.

The disk has one EFI system partition with one program, `EFI/BOOT/BOOTX64.EFI`, where firmware looks on a disk
it knows nothing of. The program is systemd's boot stub with kernel, initial file system and command line as
sections of its own. It needs no driver for the disk once the firmware has read it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from ._run import TestbedError, run
from .cache import digest, made_once
from .fat import fat16
from .gpt import gpt_disk
from .linux import LinuxGuest, command_line, fetch_package, linux_guest

MEMORY_BYTES = 256 * 2**20
"""Enough for a guest that starts with UEFI."""

_STUB = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"
_PAGE = 4096


def make_uefi_disk(
    path: str | Path,
    label: str,
    format: Literal["qcow2", "raw"] = "qcow2",
    *,
    answers_power_button: bool = True,
    address: str | None = None,
) -> Path:
    """Write a disk image that boots Linux with UEFI, and return its path; the arguments are `command_line`'s.

    An image that is already there is replaced.
    """
    if format not in ("qcow2", "raw"):
        raise ValueError(f"format is {format!r}; give 'qcow2' or 'raw'")
    words = command_line(label, answers_power_button=answers_power_button, address=address)
    path = Path(path)
    with tempfile.TemporaryDirectory(prefix="hvsdk-testbed-") as work:
        program = efi_program(linux_guest(), words, Path(work))
        raw = Path(work, "disk.raw")
        raw.write_bytes(gpt_disk(fat16({"EFI/BOOT/BOOTX64.EFI": program}, hidden_sectors=2048)))
        run(["qemu-img", "convert", "-f", "raw", "-O", format, raw, path.absolute()])
    return path


def efi_program(guest: LinuxGuest, command: str, work: Path) -> bytes:
    """Return one EFI program of kernel, initial file system and command line; `work` is for scratch."""
    text, program = work / "cmdline", work / "linux.efi"
    text.write_text(command)
    stub = _stub()
    address = _end(stub)
    options: list[str | Path] = []
    for section, file in ((".cmdline", text), (".linux", guest.kernel), (".initrd", guest.initrd)):
        options += ["--add-section", f"{section}={file}"]
        options += ["--set-section-flags", f"{section}=alloc,load,readonly,data"]
        options += ["--change-section-vma", f"{section}={address:#x}"]
        address = _next_page(address + file.stat().st_size)
    run(["objcopy", *options, stub, program])
    return program.read_bytes()


def _stub() -> Path:
    def make(directory: Path) -> None:
        unpacked = fetch_package("systemd-boot-efi", directory)
        shutil.copyfile(unpacked / _STUB, directory / "stub.efi")
        shutil.rmtree(unpacked)

    return made_once(f"stub-{digest(_STUB.encode())}", make) / "stub.efi"


def _end(program: Path) -> int:
    """Return the first page behind all sections of a program."""
    shown = run(["objdump", "-h", program]).decode()
    sections = re.findall(r"^\s*\d+\s+\S+\s+([0-9a-f]+)\s+([0-9a-f]+)", shown, re.MULTILINE)
    if not sections:
        raise TestbedError(f"objdump shows no sections in {program}")
    return _next_page(max(int(size, 16) + int(start, 16) for size, start in sections))


def _next_page(address: int) -> int:
    return -(-address // _PAGE) * _PAGE
