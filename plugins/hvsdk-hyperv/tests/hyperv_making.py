"""What tests of disks make on a simulated host, and take away again."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import hvsdk
from hvsdk import DiskSpec, Domain, DomainSpec, Volume, VolumeSpec, errors
from hvsdk_simulators import Running
from hyperv_support import connect

__all__ = ["FOLDER", "MIB", "Lab", "lab_on"]

FOLDER = "C:\\Hyper-V\\Virtual Hard Disks"
MIB = 1 << 20
_numbers = itertools.count(1)


class Lab:
    """A host, and what is made on it."""

    def __init__(self, server: Running, host: hvsdk.Host) -> None:
        self.server = server
        self.host = host
        self.domains: list[Domain] = []

    @property
    def pool(self) -> hvsdk.StoragePool:
        return self.host.storage_pool(FOLDER)

    def name(self, rest: str = "disks") -> str:
        return f"{rest}-{next(_numbers)}"

    def domain(self, *disks: DiskSpec, **more: Any) -> Domain:
        wish: dict[str, Any] = {"name": self.name(), "memory": "64MiB", "disks": disks, "firmware": "uefi"} | more
        made = self.host.create_domain(DomainSpec(**wish))
        self.domains.append(made)
        return made

    def volume(self, name: str | None = None, size: int = 8 * MIB, **more: Any) -> Volume:
        return self.pool.create_volume(VolumeSpec(name=name or self.name(), size=size, **more))

    def file(self, name: str, size: int = 1 << 16) -> str:
        return str(self.server.act("file", path=f"{FOLDER}\\{name}", size=size)["path"])

    def files(self) -> set[str]:
        """Return the paths of all volumes in the host's own folder."""
        return {volume.id for volume in self.pool.volumes()}

    def close(self) -> None:
        for domain in reversed(self.domains):
            with contextlib.suppress(errors.DomainNotFoundError):
                domain.power_off(discard_memory=True)
                domain.delete(disks="keep")
        for volume in sorted(self.pool.volumes(), key=lambda one: one.backing is None):
            if "disks-" in volume.name:
                with contextlib.suppress(errors.HvsdkError):
                    volume.delete()


@contextlib.contextmanager
def lab_on(server: Running) -> Iterator[Lab]:
    """Connect, and take away what was made."""
    with connect(server) as host:
        lab = Lab(server, host)
        try:
            yield lab
        finally:
            lab.close()
