"""A span of OpenTelemetry for each operation."""

from __future__ import annotations

import threading

from opentelemetry import trace
from opentelemetry.trace import Span, StatusCode

from hvsdk import Outcome, hookimpl
from hvsdk.driver import Operation

__all__ = ["hvsdk_after_operation", "hvsdk_before_operation"]

_open: dict[str, Span] = {}
_lock = threading.Lock()
_MOST = 10_000
"""Spans that are kept open at once: an operation that another hook refused ends no span."""


@hookimpl
def hvsdk_before_operation(operation: Operation) -> None:
    """Begin a span, below that of the operation that this one is part of."""
    with _lock:
        parent = _open.get(operation.parent or "")
    context = None if parent is None else trace.set_span_in_context(parent)
    attributes = {
        "hvsdk.operation": operation.id,
        "hvsdk.backend": operation.backend,
        "hvsdk.host": operation.host,
        "hvsdk.domain": operation.domain or "",
        "hvsdk.native_id": operation.native_id or "",
        "hvsdk.actor": operation.actor or "",
        **{f"hvsdk.mark.{name}": value for name, value in operation.marks.items()},
    }
    span = trace.get_tracer("hvsdk").start_span(f"hvsdk.{operation.verb}", context, attributes=attributes)
    with _lock:
        if len(_open) >= _MOST:
            _open.pop(next(iter(_open))).end()
        _open[operation.id] = span


@hookimpl
def hvsdk_after_operation(operation: Operation, outcome: Outcome) -> None:
    """End the span, and say how it went."""
    with _lock:
        span = _open.pop(operation.id, None)
    if span is None:
        return
    span.set_attribute("hvsdk.status", outcome.status)
    if outcome.power_state is not None:
        span.set_attribute("hvsdk.power_state", str(outcome.power_state))
    if outcome.status == "ok":
        span.set_status(StatusCode.OK)
    else:
        span.set_status(
            StatusCode.ERROR, f"{outcome.error_type}: {outcome.error}" if outcome.error else outcome.error_type
        )
    span.end()
