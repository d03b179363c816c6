"""The physical machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import libvirt
from hvsdk.driver import Deadline, Node, frozen

from hvsdk_kvm._errors import code_of
from hvsdk_kvm._session import Session
from hvsdk_kvm._xml import parse_xml

__all__ = ["NodeReads"]


class NodeReads(Session):
    """`list_nodes`."""

    def list_nodes(self, *, deadline: Deadline) -> Iterable[Node]:
        connection = self.connection
        model, megabytes, cpus, megahertz, *_ = cast("list[int]", connection.getInfo())
        host = parse_xml(connection.getCapabilities()).find("host")
        name = self.node_name or "localhost"
        version = connection.getVersion()
        return [
            Node(
                id=(host.findtext("uuid") if host is not None else None) or name,
                name=name,
                state="up",
                cpus=cpus,
                memory_bytes=megabytes * 2**20,
                free_memory_bytes=self._free_memory(),
                cpu_model=(host.findtext("cpu/model") if host is not None else None) or str(model),
                hypervisor_version=f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}",
                details=frozen({"kvm.cpu_mhz": megahertz}),
            )
        ]

    def _free_memory(self) -> int | None:
        try:
            return int(self.connection.getFreeMemory())
        except libvirt.libvirtError as exc:
            if code_of(exc) == libvirt.VIR_ERR_NO_SUPPORT:
                return None
            raise
