"""The hints that this backend understands, by what they are for. Keys of other products are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hvsdk import driver
from hvsdk.driver import Hint

__all__ = ["DISK_HINTS", "DOMAIN_HINTS", "NIC_HINTS", "RECONFIGURE_HINTS", "read_hints"]


PREFIX = "kvm."
_ACTIONS = ("destroy", "restart", "preserve")

DOMAIN_HINTS: Final[Mapping[str, Hint]] = {
    "kvm.cpu_mode": Hint("the CPU that the guest sees", choices=("host-model", "host-passthrough", "maximum")),
    "kvm.cpu_model": Hint("a CPU model by libvirt's name, such as 'EPYC', instead of a mode"),
    "kvm.cpu_shares": Hint("weight against other domains; 1024 is normal", int, least=2),
    "kvm.on_crash": Hint("what a crash leads to; 'preserve' keeps it CRASHED for study", choices=_ACTIONS),
    "kvm.on_reboot": Hint("what a guest's own reboot leads to", choices=("restart", "destroy")),
    "kvm.serial_file": Hint("file on the node that the first serial port is written to; a pty without it"),
    "kvm.graphics": Hint("the remote screen, on 127.0.0.1", choices=("vnc", "none")),
    "kvm.video": Hint("the graphics card", choices=("vga", "virtio", "qxl", "bochs", "cirrus", "none")),
    "kvm.kernel": Hint("kernel on the node for a direct boot"),
    "kvm.initrd": Hint("initial ramdisk on the node for a direct boot"),
    "kvm.cmdline": Hint("command line for a direct boot"),
    "kvm.enrolled_keys": Hint("whether secure boot starts with Microsoft's keys; they are there by default", bool),
    "kvm.tpm": Hint("an emulated TPM of this version", choices=("1.2", "2.0")),
    "kvm.virtio_scsi": Hint("put disks that name no bus on virtio-scsi; so it is with more than 8 of them", bool),
    "kvm.spare_ports": Hint("PCI Express ports left free for hot plug; 4 without it", int),
    "kvm.balloon": Hint("whether memory can be given back while it runs; on by default", bool),
    "kvm.rng": Hint("whether the guest gets random numbers from the node; on by default", bool),
    "kvm.agent": Hint("whether there is a port for the guest agent; on by default", bool),
}
"""`DomainSpec.hints`."""

RECONFIGURE_HINTS: Final = {
    key: DOMAIN_HINTS[key]
    for key in ("kvm.cpu_mode", "kvm.cpu_model", "kvm.cpu_shares", "kvm.on_crash", "kvm.on_reboot")
}
"""`Domain.reconfigure(hints=…)`."""

DISK_HINTS: Final[Mapping[str, Hint]] = {
    "kvm.cache": Hint(
        "the node's cache", choices=("default", "none", "writethrough", "writeback", "directsync", "unsafe")
    ),
    "kvm.io": Hint("how QEMU does I/O", choices=("threads", "native", "io_uring")),
    "kvm.discard": Hint("whether the guest's trims reach the volume; 'unmap' by default", choices=("unmap", "ignore")),
    "kvm.detect_zeroes": Hint("what becomes of written zeros", choices=("off", "on", "unmap")),
    "kvm.logical_block_size": Hint("sector size that the guest sees, 512 or 4096", int, least=512),
    "kvm.iops": Hint("most operations in a second", int, least=1),
    "kvm.bytes_per_second": Hint("most bytes in a second", int, least=1),
}
"""`DiskSpec.hints`."""

NIC_HINTS: Final[Mapping[str, Hint]] = {
    "kvm.type": Hint("what `network` names", choices=("network", "bridge", "user")),
    "kvm.virtualport": Hint("the kind of switch behind a bridge", choices=("openvswitch",)),
    "kvm.filter": Hint("network filter, such as 'clean-traffic'"),
    "kvm.boot_rom": Hint("whether the firmware can boot from it; it can by default", bool),
}
"""`NicSpec.hints`."""


def read_hints(hints: Mapping[str, Any], known: Mapping[str, Hint]) -> dict[str, Any]:
    """Return our hints among those given, without their prefix.

    Raises:
        InvalidSpecError: One of ours is not known, or has a value that it does not take.
    """
    return driver.read_hints(hints, known, prefix=PREFIX)
