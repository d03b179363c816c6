"""A Linux guest, for what needs an operating system: unplugging PCI devices, UEFI, the guest agent.

Debian's cloud kernel, busybox and QEMU's guest agent are fetched with `apt-get download` and unpacked into
the cache; nothing is installed. `linux_init.sh` is its only program of ours; its head lists what it writes on
the serial port.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ._run import TestbedError, run
from .cache import digest, made_once
from .cpio import Cpio
from .packages import UNPACKED

MEMORY_BYTES = 128 * 2**20
"""Enough for a guest; one that starts with UEFI needs twice as much."""

MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_scsi",
    "sd_mod",
    "virtio_net",
    "virtio_console",
    "virtio_rng",
    "virtio_balloon",
    "evdev",
    "button",
)
"""Kernel modules that are loaded at boot, besides those they need."""

_KERNEL_PACKAGE = "linux-image-cloud-amd64"

_SHUTDOWN = """\
#!/bin/busybox sh
# What the guest agent calls: -P is off, -r is a reboot.
case " $* " in
    *" -r "*) exec reboot -f ;;
    *) exec poweroff -f ;;
esac
"""

_UDHCPC = """\
#!/bin/busybox sh
case $1 in
    bound | renew) ip address replace "$ip/$mask" dev "$interface" ;;
    deconfig) ip address flush dev "$interface" ;;
esac
exit 0
"""

_OS_RELEASE = """\
ID=hvsdk
NAME="hvsdk testbed"
PRETTY_NAME="hvsdk testbed"
VERSION_ID=1
"""


@dataclass(frozen=True)
class LinuxGuest:
    """The files for a direct boot: `<kernel>` and `<initrd>`."""

    kernel: Path
    initrd: Path


def linux_guest() -> LinuxGuest:
    """Return kernel and initial file system, made the first time.

    Raises:
        TestbedError: A package cannot be fetched; `apt-get update` may not have been run.
    """
    made = made_once(f"linux-{digest(_init(), _recipe())}", _make)
    return LinuxGuest(made / "vmlinuz", made / "initrd.img")


def command_line(label: str, *, answers_power_button: bool = True, address: str | None = None) -> str:
    """Return the kernel's command line for a guest.

    Args:
        label: What the guest calls itself: at most 32 letters, digits, dots and hyphens.
        address: An address with prefix length for its network cards, such as `192.0.2.5/24`; DHCP otherwise.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,31}", label):
        raise ValueError(f"label is {label!r}; give 1 to 32 letters, digits, dots and hyphens")
    if address is not None and not re.fullmatch(r"[0-9A-Fa-f.:]+/[0-9]+", address):
        raise ValueError(f"address is {address!r}; give one such as 192.0.2.5/24")
    # On a busy machine the kernel's check of the emulated timer fails, which would end the boot.
    words = ["console=ttyS0", "quiet", "panic=-1", "no_timer_check", f"hvsdk.label={label}"]
    if not answers_power_button:
        words.append("hvsdk.power=ignore")
    if address is not None:
        words.append(f"hvsdk.address={address}")
    return " ".join(words)


def up_line(label: str) -> str:
    """Return the line the guest writes when it has booted."""
    return f"hvsdk linux up {label}"


def fetch_package(name: str, directory: Path) -> Path:
    """Fetch a Debian package and unpack it into a directory below the one given; return that."""
    download = directory / f"{name}.deb.d"
    download.mkdir()
    try:
        run(["apt-get", "-q", "download", name], cwd=download, timeout=300)
    except TestbedError as exc:
        raise TestbedError(f"cannot fetch the package {name}; has apt-get update been run? {exc}") from exc
    package = next(download.glob("*.deb"))
    unpacked = directory / name
    run(["dpkg-deb", "-x", package, unpacked])
    shutil.rmtree(download)
    return unpacked


def _init() -> bytes:
    return resources.files(__package__).joinpath("linux_init.sh").read_bytes()


def _recipe() -> bytes:
    return "\n".join([*MODULES, *UNPACKED, _SHUTDOWN, _UDHCPC, _OS_RELEASE]).encode()


def _make(directory: Path) -> None:
    work = directory / "packages"
    work.mkdir()
    kernel = fetch_package(_present_kernel(), work)
    busybox = fetch_package("busybox-static", work) / "bin/busybox"
    agent = fetch_package("qemu-guest-agent", work) / "usr/sbin/qemu-ga"
    shutil.copyfile(next(kernel.glob("boot/vmlinuz-*")), directory / "vmlinuz")
    modules = in_load_order(MODULES, next(kernel.glob("lib/modules/*")))
    (directory / "initrd.img").write_bytes(_initrd(modules, busybox, agent))
    shutil.rmtree(work)


def _present_kernel() -> str:
    """Return the name of the package that the meta package stands for."""
    shown = run(["apt-cache", "show", "--no-all-versions", _KERNEL_PACKAGE]).decode()
    found = re.search(r"^Depends: (linux-image-\S+)", shown, re.MULTILINE)
    if found is None:
        raise TestbedError(f"{_KERNEL_PACKAGE} names no kernel; has apt-get update been run?")
    return found[1]


def _initrd(modules: Sequence[Path], busybox: Path, agent: Path) -> bytes:
    archive = Cpio()
    for name in ("dev", "proc", "sys", "run", "tmp", "bin", "var/run"):
        archive.directory(name)
    archive.character_device("dev/console", 5, 1)
    archive.program("init", _init())
    archive.program("bin/busybox", busybox.read_bytes())
    archive.program("bin/qemu-ga", agent.read_bytes())
    for library in _libraries(agent):
        archive.program(str(library).lstrip("/"), library.read_bytes())
    archive.program("sbin/shutdown", _SHUTDOWN.encode())
    archive.program("etc/udhcpc.sh", _UDHCPC.encode())
    archive.file("etc/os-release", _OS_RELEASE.encode())
    archive.file("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\n")
    for module in modules:
        archive.file(f"modules/{module.name}", module.read_bytes())
    archive.file("modules/order", "\n".join(module.stem for module in modules).encode())
    return archive.finish()


def _libraries(program: Path) -> list[Path]:
    """Return the shared libraries of this machine that a program needs; QEMU needs them too."""
    shown = run(["ldd", program]).decode()
    if missing := re.findall(r"^\s*(\S+) => not found", shown, re.MULTILINE):
        raise TestbedError(f"{program.name} needs {', '.join(missing)}, which this machine does not have")
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", shown)]


def in_load_order(names: Sequence[str], directory: Path) -> list[Path]:
    """Return the files of kernel modules and of those they need, each after what it needs.

    What is built into the kernel has no file and is passed over.
    """
    files = {path.stem.replace("-", "_"): path for path in directory.rglob("*.ko")}
    builtin = {Path(line).stem.replace("-", "_") for line in _lines(directory / "modules.builtin")}
    order: dict[str, Path] = {}

    def add(name: str) -> None:
        name = name.replace("-", "_")
        if name in order or name in builtin:
            return
        if name not in files:
            raise TestbedError(f"the kernel has no module {name}")
        for needed in _needs(files[name]):
            add(needed)
        order[name] = files[name]

    for name in names:
        add(name)
    return list(order.values())


def _needs(module: Path) -> list[str]:
    """Return what a module says in its `.modinfo` section that it depends on."""
    found = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    return [name for name in found[1].decode().split(",") if name] if found else []


def _lines(path: Path) -> list[str]:
    return path.read_text().split("\n") if path.exists() else []
