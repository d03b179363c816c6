"""What services of a member answer to members of another pool: a result, or the failure, as one JSON object."""

import json
from collections.abc import Callable
from typing import Any

from .failure import Failure
from .handlers import Exchange


def reply(exchange: Exchange, function: Callable[[], Any]) -> None:
    """Answer with what a function returns, or with the failure that it raises; the task hears of that too."""
    failed: Failure | None = None
    try:
        told = {"result": function()}
    except Failure as failure:
        failed, told = failure, {"error": failure.details}
    body = json.dumps(told).encode()
    exchange.start(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
    exchange.write(body)
    if failed is not None:
        raise failed
