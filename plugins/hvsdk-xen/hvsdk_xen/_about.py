"""What is at the other end of the connection, and the client library's own session."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

import XenAPI
from hvsdk.connections import Connection
from hvsdk.driver import Deadline, HostInfo

from hvsdk_xen._session import XenSession
from hvsdk_xen._values import as_time

__all__ = ["AboutReads"]


class AboutReads(XenSession):
    """`host_info` and `native`."""

    def host_info(self, *, deadline: Deadline) -> HostInfo:
        around = self.look_again(deadline)
        software = around.master.get("software_version", {})
        clock = self.call("host.get_servertime", around.pool.get("master"), deadline=deadline)
        details = {
            "xen.master": around.master.get("name_label"),
            "xen.hosts": len(around.hosts),
            "xen.rpc": self.rpc,
            "xen.build": software.get("build_number"),
            "xen.hypervisor": software.get("xen"),
            "xen.platform": software.get("platform_version"),
            "xen.edition": around.master.get("edition"),
        }
        return HostInfo(
            product=software.get("product_brand") or "XenServer",
            version=software.get("product_version_text") or software.get("product_version"),
            name=around.pool.get("name_label") or around.master.get("name_label"),
            uuid=around.pool.get("uuid"),
            api_version="{}.{}".format(*around.api_version),
            clock=as_time(clock),
            details={key: value for key, value in details.items() if value not in (None, "")},
        )

    def native(self, *, deadline: Deadline) -> XenAPI.Session:
        """Return a `XenAPI.Session` with our session and a connection of its own, checked as ours are.

        It is not safe for threads, does not follow a session that expires, and is not to be logged out.
        """
        transport = _Transport(self)
        session = XenAPI.Session(f"http://{self.master_endpoint}/", transport=transport)
        session._session = self.session_ref
        return session


class _Transport(xmlrpc.client.Transport):
    """Carries XML-RPC over one of our connections; nothing is sent twice."""

    def __init__(self, session: XenSession) -> None:
        super().__init__()
        self._session = session

    def __del__(self) -> None:
        self.close()

    def request(self, host: Any, handler: str, request_body: Any, verbose: bool = False) -> Any:
        return self.single_request(host, handler, request_body, verbose)

    def make_connection(self, host: Any) -> Connection:
        if self._connection[1] is None:
            self._connection = host, self._session.new_connection()
        connection = self._connection[1]
        assert isinstance(connection, Connection)
        if connection.sock is not None and not connection.ready():
            connection.close()
        connection.until(Deadline(self._session.target.timeout))
        return connection
