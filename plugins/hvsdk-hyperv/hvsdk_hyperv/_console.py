"""Where a domain's screen is: the host's console service, which speaks RDP and is what `vmconnect` connects to."""

from __future__ import annotations

from urllib.parse import quote

from hvsdk.driver import Console, Deadline

from hvsdk_hyperv._session import HyperVSession

__all__ = ["PORT", "ConsoleReads"]

PORT = 2179
"""Of the console service, as hosts have it."""


class ConsoleReads(HyperVSession):
    """`console`."""

    def console(self, native_id: str, *, deadline: Deadline) -> Console:
        """Return where its screen is: at `host` and `port`, to be told the domain's id as the pre-connection blob.

        The id stands in `url`, written as clients of Remote Desktop read it (`pcb` as in `.rdp` files). The user must be
        allowed to connect: administrators of Hyper-V, and whom `Grant-VMConnectAccess` names. `vmconnect HOST -G ID` does
        the same on Windows.

        Raises:
            PowerStateError: It does not run.
        """
        found = self.call("console.find", {"id": native_id}, deadline=deadline)
        host = self.target.hostname or found["node"]
        shown = f"[{host}]" if ":" in host else host
        return Console(
            kind="rdp",
            host=host,
            port=PORT,
            url=f"rdp://full%20address=s:{quote(shown, safe='[]:.')}:{PORT}&pcb=s:{found['id']}",
        )
