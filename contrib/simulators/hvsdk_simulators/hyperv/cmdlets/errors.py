"""How cmdlets fail."""

from __future__ import annotations

from typing import Any

__all__ = ["CmdletError", "class_name", "not_found", "wrong_state"]

_NO_SUCH_COMMAND = "CommandNotFoundException"
_EXCEPTIONS = {
    "CimException": "Microsoft.Management.Infrastructure.CimException",
    "CimJobException": "Microsoft.PowerShell.Cmdletization.Cim.CimJobException",
    "ClusterCmdletException": "Microsoft.FailoverClusters.PowerShell.ClusterCmdletException",
    "CommandNotFoundException": "System.Management.Automation.CommandNotFoundException",
    "IOException": "System.IO.IOException",
    "ItemNotFoundException": "System.Management.Automation.ItemNotFoundException",
    "UnauthorizedAccessException": "System.UnauthorizedAccessException",
}
_MODULES = dict.fromkeys(("Item", "ChildItem", "Path", "ItemProperty"), "Microsoft.PowerShell.Commands")


_KEPT_BY_OLD = {
    "AccessDenied": "VirtualizationOperationFailedException",
    "InvalidParameter": "VirtualizationInvalidArgumentException",
}
"""Ids that the older module has too, and the classes of its exceptions; it calls all other failures unspecified."""
_OF_HYPERV = ("Microsoft.HyperV.", "Microsoft.Vhd.")


class CmdletError(Exception):
    """An error record of a cmdlet.

    Attributes:
        error_id: Without the class of the cmdlet, which whoever shows it appends: `ObjectNotFound`.
        category: One of PowerShell's: `ObjectNotFound`, `InvalidOperation`, …
        message: The text.
        target: What the record's target object is.
        exception: Name of the exception's class: `VirtualizationException` for cmdlets of Hyper-V.
        hresult: What the exception carries, where that matters: 0x80070020 for a sharing violation.
    """

    def __init__(
        self,
        error_id: str,
        category: str,
        message: str,
        target: Any = None,
        *,
        exception: str = "VirtualizationException",
        hresult: int | None = None,
    ) -> None:
        super().__init__(message)
        self.error_id = error_id
        self.category = category
        self.message = message
        self.target = target
        self.exception = exception
        self.hresult = hresult
        self.cmdlet: str | None = None
        self.old = False
        """Whether the older module says it, whose classes are called `…Command`."""
        self.written: list[Any] = []
        """What the cmdlet had put out before."""

    def be_of(self, cmdlet: str, *, old: bool) -> None:
        """Be an error of this cmdlet; that of the older module tells less of what is wrong."""
        self.cmdlet, self.old = cmdlet, old
        if old and self.exception == "VirtualizationException" and class_name(cmdlet).startswith(_OF_HYPERV):
            self.exception = _KEPT_BY_OLD.get(self.error_id, "VirtualizationOperationFailedException")
            if self.error_id not in _KEPT_BY_OLD:
                self.error_id, self.category = "Unspecified", "NotSpecified"

    @property
    def full_id(self) -> str:
        """What `$_.FullyQualifiedErrorId` is in a host that has the real cmdlet: the id with the cmdlet's class."""
        if self.cmdlet is None:
            return self.error_id
        if self.error_id == _NO_SUCH_COMMAND:
            return self.error_id
        found = class_name(self.cmdlet)
        return (
            f"{self.error_id},{found}Command"
            if self.old and not found.endswith("Command")
            else f"{self.error_id},{found}"
        )

    @property
    def exception_type(self) -> str:
        """The whole name of the exception's class."""
        if "." in self.exception:
            return self.exception
        return _EXCEPTIONS.get(self.exception, f"Microsoft.HyperV.PowerShell.{self.exception}")


def class_name(cmdlet: str) -> str:
    """Return the class of a cmdlet, as it stands behind the comma of error ids."""
    verb, _, noun = cmdlet.partition("-")
    if noun in ("VHD", "VFD", "VHDSet", "VHDSnapshot"):
        noun = "Vhd" if (verb, noun) == ("New", "VHD") else noun
        return f"Microsoft.Vhd.PowerShell.Cmdlets.{verb}{noun}"
    module = _MODULES.get(noun)
    if module is not None:
        return f"{module}.{verb}{noun}Command"
    if noun.startswith("Cluster"):
        return f"Microsoft.FailoverClusters.PowerShell.{verb}{noun}Command"
    if noun.startswith("Cim"):
        return f"Microsoft.Management.Infrastructure.CimCmdlets.{verb}{noun}Command"
    return f"Microsoft.HyperV.PowerShell.Commands.{verb}{noun}"


def not_found(what: str) -> CmdletError:
    """Say that there is no such object, as all cmdlets but `Get-VM -Name` do."""
    return CmdletError("ObjectNotFound", "ObjectNotFound", f"Hyper-V was unable to find {what}.")


def wrong_state(name: str) -> CmdletError:
    """Say that a VM is in a state that forbids this."""
    text = "The operation cannot be performed while the object is in its current state."
    return CmdletError("InvalidState", "InvalidOperation", f"Modifying the properties of '{name}' failed. {text}")
