"""Where the demonstration takes place: an embedded QEMU driver below a temporary directory, and a pool of Xen hosts that a
simulator stands in for."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hvsdk_simulators
from hvsdk_testbed.embed import prepare_root, temporary_root

import hvsdk


@dataclass(frozen=True)
class Workbench:
    """Two hosts, and a directory for what the guests write."""

    kvm: hvsdk.Host
    xen: hvsdk.Host
    logs: Path


@contextlib.contextmanager
def workbench() -> Iterator[Workbench]:
    """Lend both hosts; at the end every guest is off and gone, also after Ctrl-C, and so is the directory."""
    with temporary_root() as root:
        os.environ.setdefault("LIBVIRT_LOG_OUTPUTS", f"3:file:{root}/libvirt.log")  # else warnings come on stderr
        try:
            # virt_type: having /dev/kvm does not prove that a guest runs on it; emulation always does.
            with (
                hvsdk.connect(prepare_root(root), virt_type="qemu") as kvm,
                hvsdk_simulators.start("xapi", domains=4, hosts=2, seed=1) as pool,
                hvsdk.connect(pool.url, password=pool.password, verify=pool.fingerprint) as xen,
            ):
                try:
                    yield Workbench(kvm, xen, root)
                finally:
                    with _uninterrupted():
                        _remove_all(kvm)
        finally:
            _end_guests(root)


def _remove_all(host: hvsdk.Host) -> None:
    for domain in host.domains():
        domain.power_off(discard_memory=True)
        domain.delete(disks="delete")


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a second Ctrl-C wait until the guests are gone."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _end_guests(root: Path) -> None:
    """End what runs below the root all the same: the removal itself may have failed."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if b"qemu-system" in command[0] and any(os.fsencode(f"{root}/") in word for word in command):
                os.kill(int(entry.name), signal.SIGKILL)
