"""The Debian packages that the testbed uses, and what each is for.

`python -m hvsdk_testbed.packages` prints their names, one a line, for
`apt-get install --no-install-recommends`.
"""

from __future__ import annotations

INSTALLED: dict[str, str] = {
    "binutils": "assembles the boot sector",
    "dnsmasq-base": "gives guests addresses on a network of libvirt's",
    "iproute2": "brings up the loopback device of a private libvirtd",
    "iptables": "libvirt puts rules around its networks",
    "libvirt-daemon": "libvirtd, with its storage and network drivers",
    "libvirt-daemon-driver-qemu": "the QEMU driver, in the daemon and embedded",
    "libvirt-daemon-system": "makes the user libvirt-qemu, without which the QEMU driver does not start",
    "openssl": "makes certificates for TLS",
    "ovmf": "UEFI firmware",
    "qemu-system-x86": "runs the guests; brings SeaBIOS",
    "qemu-utils": "qemu-img",
    "util-linux": "unshare, nsenter and mount for a private libvirtd",
}
"""To be installed on the machine."""

UNPACKED: dict[str, str] = {
    "busybox-static": "the user land of the Linux guest",
    "linux-image-cloud-amd64": "names the present kernel; not unpacked itself",
    "qemu-guest-agent": "the agent in the Linux guest",
    "systemd-boot-efi": "makes one EFI program of the Linux guest",
}
"""Fetched with `apt-get download` and unpacked into the cache by the first Linux guest; never installed."""


def main() -> None:
    """Print the packages to install."""
    print(*INSTALLED, sep="\n")


if __name__ == "__main__":
    main()
