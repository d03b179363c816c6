"""An operation that failed on the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["RefusedError"]


class RefusedError(Exception):
    """What PowerShell, a cmdlet or a script of ours said; with what was made before and stays.

    Attributes:
        kind: Name of hvsdk's error without `Error`, where the script itself refused.
        error_id: The record's FullyQualifiedErrorId before the first comma.
        category: The record's category, such as `ObjectNotFound`.
        hresults: Of the exception, of those that led to it, and those that its text names, as `0x80070020`.
        type: Full name of the exception's class.
        details: What the error's class takes beside its message.
        where: The scripts' stack.
    """

    def __init__(self, answer: Mapping[str, Any]) -> None:
        left = "; ".join(str(one) for one in answer.get("left") or ())
        message = str(answer.get("message") or "it failed without a reason").strip()
        super().__init__(f"{message}; what could not be taken back: {left}" if left else message)
        self.kind: str | None = answer.get("kind")
        self.error_id = str(answer.get("id") or "").partition(",")[0]
        self.category = str(answer.get("category") or "")
        self.hresults = tuple(str(one) for one in answer.get("hresults") or ())
        self.type = str(answer.get("type") or "")
        self.details: Mapping[str, Any] = answer.get("details") or {}
        self.where = str(answer.get("where") or "")
