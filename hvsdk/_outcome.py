"""How an operation ended."""

from __future__ import annotations

from typing import Literal

import attrs

from hvsdk.enums import PowerState
from hvsdk.errors import HvsdkError

__all__ = ["Outcome"]


@attrs.frozen(kw_only=True)
class Outcome:
    """How an operation ended, as `hvsdk_after_operation` gets it.

    Attributes:
        status: `unknown` when a changing call got no answer.
        error: What the caller gets, when it is one of ours.
        error_type: Class name of what the caller gets, ours or not.
        seconds: How long it took.
        native_id: Of the domain concerned; of the new one after creating.
        power_state: The state last seen.
    """

    status: Literal["ok", "failed", "cancelled", "unknown"]
    seconds: float
    error: HvsdkError | None = None
    error_type: str | None = None
    native_id: str | None = None
    power_state: PowerState | None = None
