"""What the verbs share: time for a step after the first, guests that boot, and what may fail while others are undone."""

from __future__ import annotations

from datetime import timedelta
from http.client import HTTPException

import XenAPI
from hvsdk.driver import Deadline, errors

from hvsdk_xen._rpc import AnswerError
from hvsdk_xen._session import XenSession
from hvsdk_xen._values import as_time, is_ref

__all__ = ["FAILURES", "VerbSession"]

FAILURES = (XenAPI.Failure, AnswerError, HTTPException, OSError, errors.HvsdkError)
"""All that a call may raise, for the steps that undo others."""
TOOLS_COME_UP = timedelta(seconds=120)
"""How long after its start a guest that tells nothing is taken for one whose tools are not running yet."""


class VerbSession(XenSession):
    """A session that verbs are carried out on."""

    def soon(self) -> Deadline:
        """Return the time for one more call: a verb's own was for the first, and a task may have taken hours."""
        return Deadline(self.target.timeout)

    def management_network(self, host: str, deadline: Deadline) -> str | None:
        """Return the network that a host is managed on, from records: `host.get_management_interface` takes a role more."""
        pifs = self.call("PIF.get_all_records_where", 'field "management" = "true"', deadline=deadline)
        here = (pif.get("network") for pif in pifs.values() if pif.get("host") == host)
        return next((str(network) for network in here if is_ref(network)), None)

    def receiver_of(self, storage: str, deadline: Deadline) -> str | None:
        """Return a host that takes disks of an SR in, `None` for the master.

        XAPI redirects to such a host, but only once it has been sent a body, which is too late.
        """
        pbds = self.call("PBD.get_all_records_where", f'field "SR" = "{storage}"', deadline=deadline).values()
        hosts = {str(pbd.get("host")) for pbd in pbds if pbd.get("SR") == storage and pbd.get("currently_attached")}
        return None if not hosts or self.around.pool.get("master") in hosts else min(hosts)

    def is_booting(self, native_id: str, deadline: Deadline) -> bool:
        """Whether the VM was started so short a time ago that its tools may still come, by the host's clock."""
        vm = self.on_vm(native_id, "VM.get_record", deadline=deadline)
        host, metrics = vm.get("resident_on"), vm.get("metrics")
        if vm.get("power_state") != "Running" or not is_ref(host) or not is_ref(metrics):
            return False
        started = as_time(self.call("VM_metrics.get_start_time", metrics, deadline=deadline))
        now = as_time(self.call("host.get_servertime", host, deadline=deadline))
        return started is not None and now is not None and now - started < TOOLS_COME_UP
