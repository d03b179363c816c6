"""How cmdlets fail."""

from __future__ import annotations

from typing import Any

__all__ = ["CmdletError", "not_found", "wrong_state"]


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


def not_found(what: str) -> CmdletError:
    """Say that there is no such object, as all cmdlets but `Get-VM -Name` do."""
    return CmdletError("ObjectNotFound", "ObjectNotFound", f"Hyper-V was unable to find {what}.")


def wrong_state(name: str) -> CmdletError:
    """Say that a VM is in a state that forbids this."""
    text = "The operation cannot be performed while the object is in its current state."
    return CmdletError("InvalidState", "InvalidOperation", f"Modifying the properties of '{name}' failed. {text}")
