"""Errors as a client's resident script tells of them."""

from __future__ import annotations

import re
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.twins.registry import RefusalError
from hvsdk_simulators.hyperv.world import StoppedError

__all__ = ["MISTAKE", "failure", "hresults"]

MISTAKE = "SimulatorMistake"
"""The id of what is wrong in the simulator itself."""
_CODE = re.compile(r"0x([0-9A-Fa-f]{8})\b")
_EXCEPTION = 0x80131500
_INVALID_OPERATION = 0x80131509


def failure(error: BaseException) -> dict[str, Any]:
    """Return the second half of an answer that tells of an error. A mistake of the simulator is told as one."""
    found: dict[str, Any] = {"kind": None, "where": "", "details": None}
    if isinstance(error, RefusalError):
        return found | {
            "kind": error.kind,
            "id": error.message,
            "category": "OperationStopped",
            "message": error.message,
            "hresults": hresults(_INVALID_OPERATION, error.message),
            "type": "System.InvalidOperationException",
            "details": error.details,
        }
    if isinstance(error, CmdletError):
        return found | {
            "id": error.full_id,
            "category": error.category,
            "message": error.message,
            "hresults": hresults(_EXCEPTION if error.hresult is None else error.hresult, error.message),
            "type": error.exception_type,
        }
    stopped = isinstance(error, StoppedError)
    return found | {
        "id": "PipelineStopped" if stopped else MISTAKE,
        "category": "OperationStopped" if stopped else "NotSpecified",
        "message": "The pipeline has been stopped." if stopped else f"{type(error).__name__}: {error}",
        "hresults": hresults(_EXCEPTION, ""),
        "type": "System.Management.Automation.PipelineStoppedException" if stopped else "System.Exception",
    }


def hresults(code: int, message: str) -> list[str]:
    """Return the codes of an error: its exception's, and those that its text names."""
    found = [f"0x{code & 0xFFFFFFFF:08X}", *(f"0x{one.upper()}" for one in _CODE.findall(message))]
    return list(dict.fromkeys(found))
