"""What needs the tools in the guest: asked before it is begun, and told in words when they are not there."""

from __future__ import annotations

import XenAPI
from hvsdk.driver import Deadline, Operation, Pause, Steps, current_operation, errors

from hvsdk_xen._login import code_of
from hvsdk_xen._refusals import next_step
from hvsdk_xen._verbs import VerbSession

__all__ = ["NO_TOOLS", "ToolsVerbs"]

TOOLS_PATIENCE = 3.0
"""Seconds for which a guest is waited for that has been started a short time ago, before that is told."""
_BETWEEN = 0.2
NO_TOOLS = frozenset(
    ("VM_LACKS_FEATURE", "VM_LACKS_FEATURE_SHUTDOWN", "VM_LACKS_FEATURE_SUSPEND", "VM_MISSING_PV_DRIVERS")
)
"""Codes for a guest whose tools are not there, or not yet."""


class ToolsVerbs(VerbSession):
    """Asks XAPI whether the guest can be asked."""

    def once_tools_run(self, native_id: str, operation: str) -> Steps[None]:
        """See that the guest can be asked; one that has just been started gets a moment.

        Raises:
            GuestAgentError: The guest has no tools, or they are not running yet.
        """
        patience = Deadline(TOOLS_PATIENCE)
        while True:
            try:
                self.ask_whether(operation, native_id, self.soon())
            except errors.GuestAgentError as exc:
                if not exc.not_yet or patience.expired:
                    raise
            else:
                return
            yield Pause(_BETWEEN)

    def ask_whether(self, operation: str, native_id: str, deadline: Deadline) -> None:
        """Have XAPI say now what would be the matter, which a task says only later.

        Raises:
            GuestAgentError: The guest has no tools, or they are not running yet.
        """
        try:
            self.on_vm(native_id, "VM.assert_operation_valid", operation, deadline=deadline)
        except XenAPI.Failure as exc:
            if code_of(exc) not in NO_TOOLS:
                raise
            not_yet = self.is_booting(native_id, deadline)
            what = "do not run yet" if not_yet else "are not there, or cannot do it"
            asked = current_operation.get() or Operation(id="", verb=operation, native_id=native_id)
            whose = f"domain {asked.domain!r}" if asked.domain else native_id
            raise errors.GuestAgentError(
                f"{asked.verb} needs the tools in the guest of {whose}, and they {what} ({code_of(exc)})",
                not_yet=not_yet,
                hint=next_step(code_of(exc), (), asked),
                native_code=code_of(exc),
            ) from exc
