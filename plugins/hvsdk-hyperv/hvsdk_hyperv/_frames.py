"""Requests and answers as lines: base64 of JSON, packed where that pays."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import zlib
from typing import Any

__all__ = ["Lines", "encode", "packed"]

_PACK_FROM = 2048
_PACKED = re.compile(rb"H4sI[A-Za-z0-9+/]*={0,2}")
"""What base64 of gzip begins with."""


def packed(text: str) -> bytes:
    """Return a text as one line, packed."""
    return base64.b64encode(gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0)) + b"\r\n"


def encode(request: dict[str, Any]) -> bytes:
    """Return the line of a request."""
    text = json.dumps(request, separators=(",", ":"))
    return packed(text) if len(text) > _PACK_FROM else base64.b64encode(text.encode()) + b"\r\n"


class Lines:
    """Finds answers in output that comes in arbitrary pieces, and skips whatever else is written there."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take a piece of output, and return the answers that are whole by now."""
        if b"\n" not in data:
            self._rest.append(data)
            return []
        *lines, rest = b"".join((*self._rest, data)).split(b"\n")
        self._rest = [rest]
        return [answer for line in lines if (answer := _decode(line.rstrip(b"\r"))) is not None]


def _decode(line: bytes) -> dict[str, Any] | None:
    """Return the answer that a line ends with; `None` when it holds none."""
    for begin in (found.start() for found in re.finditer(rb"H4sI", line)):
        whole = _PACKED.fullmatch(line, begin)
        if whole is None:
            continue
        try:
            answer = json.loads(gzip.decompress(base64.b64decode(whole.group(), validate=True)))
        except (ValueError, OSError, EOFError, zlib.error, binascii.Error):
            continue
        if isinstance(answer, dict) and "id" in answer:
            return answer
    return None
