"""XAPI by hand: JSON-RPC over `http.client`, the XenAPI library, and the loop that most programs have."""

from __future__ import annotations

import http.client
import json
import ssl
import xmlrpc.client
from typing import Any, Self

import XenAPI
from hvsdk_simulators import Running

HOSTS = ("host", "host_metrics")
"""Classes of the few records that each listing reads together."""
RELATED = ("VM_metrics", "VM_guest_metrics", "VBD", "VDI", "SR", "VIF", "network", "PIF")
"""Classes that the rest of a full listing is in."""


def context_for(pool: Running) -> tuple[ssl.SSLContext, int]:
    """Return what trusts the master's certificate alone, and its port."""
    port = int(pool.members[0]["port"])
    context = ssl.create_default_context(cadata=ssl.get_server_certificate(("127.0.0.1", port)))
    context.check_hostname = False
    return context, port


class Json:
    """One connection, one session, `json.loads` of each answer."""

    def __init__(self, pool: Running) -> None:
        context, port = context_for(pool)
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
        self._session = self._send("session.login_with_password", pool.username, pool.password, "2.0", "bench")

    def call(self, method: str, *arguments: Any) -> Any:
        """Make a call with the session put in."""
        return self._send(method, self._session, *arguments)

    def _send(self, method: str, *arguments: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": arguments})
        self._connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
        return json.loads(self._connection.getresponse().read())["result"]

    def summary(self) -> dict[str, Any]:
        """Return the records that a summary is made from."""
        return {"VM": self.call("VM.get_all_records"), "hosts": self.call("event.from", HOSTS, "", 0.0)}

    def full(self) -> dict[str, Any]:
        """Return the records that a full listing is made from."""
        return self.summary() | {cls: self.call(f"{cls}.get_all_records") for cls in RELATED}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.call("session.logout")
        self._connection.close()


class Xml:
    """The XenAPI library, as its manual shows it."""

    def __init__(self, pool: Running) -> None:
        context, port = context_for(pool)
        transport = xmlrpc.client.SafeTransport(context=context)
        self.session = XenAPI.Session(f"https://127.0.0.1:{port}", transport=transport)
        self.session.login_with_password(pool.username, pool.password, "2.0", "bench")

    def summary(self) -> dict[str, Any]:
        """Return all VM records."""
        found: dict[str, Any] = self.session.xenapi.VM.get_all_records()
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.xenapi.session.logout()


def one_by_one(client: Xml) -> list[tuple[Any, ...]]:
    """Ask each VM for its record, disks and adapters."""
    api = client.session.xenapi
    found = []
    for vm in api.VM.get_all():
        record = api.VM.get_record(vm)
        if record["is_a_template"] or record["is_control_domain"]:
            continue
        disks = [api.VBD.get_record(vbd) for vbd in record["VBDs"]]
        nics = [api.VIF.get_record(vif) for vif in record["VIFs"]]
        found.append((record, disks, nics))
    return found
