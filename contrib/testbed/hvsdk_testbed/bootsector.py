"""A guest that needs no download: one boot sector, assembled when it is first used.

It writes `hvsdk guest <label> up` to its first serial port and to the first row of its screen, then
`<label> boot T` and `<label> tick N` about once a second, with N counting from 1 in RAM, and T another
number at each boot. It switches itself off when the ACPI power button is pressed (`<label> off`), and
sleeps in between. It needs a BIOS (SeaBIOS), machine type `pc` or `q35`, a disk on virtio, SATA, IDE or
virtio-scsi, and 1 MiB of memory.

The screen is in 80 x 25 text mode, in a screenshot 720 x 400 pixels. The text is light grey on black in the
first 16 pixel rows from the left edge, 9 pixels a character; all below is black but for the cursor.
"""

from __future__ import annotations

import re
import tempfile
from importlib import resources
from pathlib import Path
from typing import Literal

from ._run import TestbedError, run
from .cache import digest, made_once

SECTOR = 512
MAGIC = b"HVSDKBT1"
MAGIC_AT = 2
FLAGS_AT = 10
LABEL_AT = 11
LABEL_MAX = 32
IGNORE_POWER_BUTTON = 1

_LABEL = re.compile(rf"[A-Za-z0-9][A-Za-z0-9 ._:+-]{{0,{LABEL_MAX - 1}}}", re.ASCII)


def make_disk(
    path: str | Path,
    label: str,
    size_bytes: int = 8 * 2**20,
    format: Literal["qcow2", "raw"] = "qcow2",
    *,
    answers_power_button: bool = True,
) -> Path:
    """Write a disk image that boots, and return its path.

    An image that is already there is replaced.

    Args:
        label: What the guest calls itself: at most 32 letters, digits, spaces and `._:+-`.
        size_bytes: The disk's size for the guest, a multiple of 512; the file itself is small.
        answers_power_button: False makes a guest that ignores a request to shut down.

    Raises:
        ValueError: The label, size or format cannot be.
        TestbedError: An assembler or qemu-img is missing.
    """
    if format not in ("qcow2", "raw"):
        raise ValueError(f"format is {format!r}; give 'qcow2' or 'raw'")
    if size_bytes < SECTOR or size_bytes % SECTOR:
        raise ValueError(f"size_bytes is {size_bytes}; give a multiple of {SECTOR}")
    sector = make_sector(label, answers_power_button=answers_power_button)
    path = Path(path)
    if format == "raw":
        _write_raw(path, sector, size_bytes)
        return path
    with tempfile.TemporaryDirectory(prefix="hvsdk-testbed-") as work:
        raw = Path(work, "disk.raw")
        _write_raw(raw, sector, size_bytes)
        run(["qemu-img", "convert", "-f", "raw", "-O", format, raw, path.absolute()])
    return path


def make_sector(label: str, *, answers_power_button: bool = True) -> bytes:
    """Return the 512 bytes that `make_disk` puts at the start of a disk."""
    if not _LABEL.fullmatch(label):
        raise ValueError(
            f"label is {label!r}; give 1 to {LABEL_MAX} letters, digits, spaces and ._:+-,"
            " a letter or digit first, all of it ASCII"
        )
    sector = bytearray(_assembled())
    sector[LABEL_AT : LABEL_AT + len(label)] = label.encode("ascii")
    sector[FLAGS_AT] = 0 if answers_power_button else IGNORE_POWER_BUTTON
    return bytes(sector)


def read_label(path: str | Path) -> str:
    """Return the label in a disk image of any format QEMU knows, also while a guest runs from it.

    Raises:
        TestbedError: The disk does not start with our boot sector.
    """
    with tempfile.TemporaryDirectory(prefix="hvsdk-testbed-") as work:
        out = Path(work, "sector")
        files = [f"if={Path(path).absolute()}", f"of={out}"]
        run(["qemu-img", "dd", "-U", "-O", "raw", "bs=512", "count=1", *files])
        sector = out.read_bytes()
    if sector[MAGIC_AT : MAGIC_AT + len(MAGIC)] != MAGIC:
        raise TestbedError(f"{path} does not start with a boot sector of the testbed")
    return sector[LABEL_AT : LABEL_AT + LABEL_MAX].split(b"\0", 1)[0].decode("ascii")


def up_line(label: str) -> str:
    """Return the line the guest writes when it has booted."""
    return f"hvsdk guest {label} up"


def ticks(text: str, label: str) -> list[int]:
    """Return the numbers of the ticks in what a guest with this label has written, in order."""
    return [int(number) for number in re.findall(rf"{re.escape(label)} tick (\d+)\r\n", text)]


def _assembled() -> bytes:
    source = resources.files(__package__).joinpath("bootsector.S").read_bytes()

    def make(directory: Path) -> None:
        text, linked, image = (directory / f"bootsector.{kind}" for kind in ("S", "o", "bin"))
        text.write_bytes(source)
        run(["as", "--32", "-o", linked, text])
        run(["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", image, linked])

    sector = (made_once(f"bootsector-{digest(source)}", make) / "bootsector.bin").read_bytes()
    if len(sector) != SECTOR:
        raise TestbedError(f"the assembler made {len(sector)} bytes of the boot sector, not {SECTOR}")
    return sector


def _write_raw(path: Path, sector: bytes, size_bytes: int) -> None:
    with path.open("wb") as disk:
        disk.write(sector)
        disk.truncate(size_bytes)
