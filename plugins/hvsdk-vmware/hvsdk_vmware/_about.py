"""What is at the other end of the connection, and the client library's own object for it."""

from __future__ import annotations

from datetime import UTC

from hvsdk.driver import Deadline, HostInfo
from pyVmomi import vim
from pyVmomi.VmomiSupport import versionIdMap

from hvsdk_vmware._session import VmwareSession

__all__ = ["AboutReads"]


class AboutReads(VmwareSession):
    """`host_info` and `native`."""

    def host_info(self, *, deadline: Deadline) -> HostInfo:
        """Return what the server says of itself, in two calls."""
        about = self.call(self.service.RetrieveContent, deadline=deadline).about
        clock = self.call(self.service.CurrentTime, deadline=deadline)
        details = {
            "vmware.kind": "vcenter" if self.is_vcenter else "esxi",
            "vmware.full_name": about.fullName,
            "vmware.build": about.build,
            "vmware.os": about.osType,
            "vmware.spoken": versionIdMap[self.stub.version],
            "vmware.licence": about.licenseProductName,
        }
        return HostInfo(
            product=about.name,
            version=about.version,
            name=self.target.hostname,
            uuid=(about.instanceUuid or "").lower() or None,
            api_version=about.apiVersion,
            clock=clock.astimezone(UTC),
            details={key: value for key, value in details.items() if value},
        )

    def native(self, *, deadline: Deadline) -> vim.ServiceInstance:
        """Return pyvmomi's `ServiceInstance` on this connection: its calls have our certificates, session and limits.

        Each call may take `timeout=` of `connect`; it is safe for threads, and not to be logged out.
        """
        return self.service
