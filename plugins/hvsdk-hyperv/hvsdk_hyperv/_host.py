"""What is at the other end, and pywinrm's own object for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hvsdk.driver import Capability, Deadline, HostInfo, Unsupported, errors

from hvsdk_hyperv._session import HyperVSession

__all__ = ["HostReads"]

_MODULE_OF_2016: Final = (2,)
_NOT_IN_2012: Final[Mapping[Capability, str]] = {
    Capability.HOTPLUG_NIC: "Windows Server 2012 R2 plugs no adapters into what runs",
    Capability.RECONFIGURE_RUNNING: "Windows Server 2012 R2 changes neither processors nor memory of what runs",
}


class HostReads(HyperVSession):
    """`host_info`, `host_limits`, `native`."""

    def host_info(self, *, deadline: Deadline) -> HostInfo:
        """Tell what the host said when the connection was opened, and what time it is there."""
        about = self.about
        details = {
            "hyperv.build": about.get("build"),
            "hyperv.module": about.get("module"),
            "hyperv.cluster": about.get("cluster"),
            "hyperv.powershell": about.get("powershell"),
        }
        return HostInfo(
            product=str(about.get("product") or "Windows Server"),
            version=about.get("version"),
            name=about.get("node") or about.get("computer"),
            api_version=about.get("module"),
            clock=datetime.fromisoformat(self.call("host.clock", {}, deadline=deadline)),
            details={name: value for name, value in details.items() if value is not None},
        )

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        """Say what this host cannot do; the parts of the driver add theirs."""
        old = self.module_version and self.module_version < _MODULE_OF_2016
        return {name: Unsupported(reason) for name, reason in _NOT_IN_2012.items()} if old else {}

    @property
    def module_version(self) -> tuple[int, ...]:
        """The version of the Hyper-V module: (1, 1) on Windows Server 2012 R2, (2, 0, …) from 2016."""
        parts = str(self.about.get("module") or "").split(".")
        return tuple(int(part) for part in parts if part.isdecimal())

    def native(self, *, deadline: Deadline) -> Any:
        """Return pywinrm's `Protocol`, logged in: for one thread at a time, hvsdk's own calls included."""
        if self._wsman is None:
            raise errors.ConnectionLostError("there is no session any more")
        return self._wsman.protocol
