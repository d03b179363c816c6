"""Where the demonstration takes place: an embedded QEMU driver below a temporary directory, and a pool of Xen hosts, a
Hyper-V host and a vCenter that simulators stand in for."""

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
from hvsdk_demo._talk import say


@dataclass(frozen=True)
class Workbench:
    """The hosts, and a directory for what the guests write."""

    kvm: hvsdk.Host
    xen: hvsdk.Host
    hyperv: hvsdk.Host
    vmware: hvsdk.Host | None
    """Only where there is Go to build the simulator with."""
    logs: Path


@contextlib.contextmanager
def workbench() -> Iterator[Workbench]:
    """Lend the hosts; at the end every guest is off and gone, also after Ctrl-C, and so is the directory."""
    with temporary_root() as root:
        os.environ.setdefault("LIBVIRT_LOG_OUTPUTS", f"3:file:{root}/libvirt.log")  # else warnings come on stderr
        try:
            # virt_type: having /dev/kvm does not prove that a guest runs on it; emulation always does.
            with (
                hvsdk.connect(prepare_root(root), virt_type="qemu") as kvm,
                hvsdk_simulators.start("xapi", domains=4, hosts=2, seed=1) as pool,
                hvsdk.connect(pool.url, password=pool.password, verify=pool.fingerprint) as xen,
                hvsdk_simulators.start("hyperv", domains=4, seed=3) as windows,
                hvsdk.connect(windows.url, password=windows.password, verify=windows.fingerprint) as hyperv,
                _vmware() as vmware,
            ):
                try:
                    yield Workbench(kvm, xen, hyperv, vmware, root)
                finally:
                    with _uninterrupted():
                        _remove_all(kvm)
        finally:
            _end_guests(root)


@contextlib.contextmanager
def _vmware() -> Iterator[hvsdk.Host | None]:
    """Lend a vCenter, and none where its simulator cannot be built."""
    try:
        server = hvsdk_simulators.start("vcsim", domains=4, hosts=2, seed=6)
    except hvsdk_simulators.BuildError as error:
        say(f"VMware is left out: {str(error).splitlines()[0]}")
        yield None
        return
    with server, hvsdk.connect(server.url, password=server.password, verify=server.fingerprint) as host:
        yield host


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
