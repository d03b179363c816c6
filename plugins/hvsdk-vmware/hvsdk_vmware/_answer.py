"""One exchange with the server, and what can be the matter with its answer."""

from __future__ import annotations

import http.client
import re
import zlib
from collections.abc import Mapping

import attrs
from hvsdk.connections import Connection

__all__ = ["ANSWER_LIMIT", "Answer", "AnswerError", "exchange", "read_body"]

ANSWER_LIMIT = 1 << 30
"""Bytes of one answer, unpacked; a page of a thousand VMs with all their devices is some 6 MB."""
_CHUNK = 1 << 20
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["'](?P<name>[^"']*)""")


class AnswerError(Exception):
    """The server's answer is none to what was asked."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


@attrs.frozen
class Answer:
    """What the server said."""

    status: int
    body: bytes = attrs.field(repr=False)
    cookies: tuple[str, ...] = attrs.field(repr=False)
    """The `Set-Cookie` headers."""

    @property
    def is_fault(self) -> bool:
        """Whether the body is a fault of the API's."""
        return self.status == 500


def exchange(connection: Connection, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send a request and return the answer, a fault of the API's among them.

    Raises:
        AnswerError: The server answered, but not as this API does.
    """
    connection.request("POST", path, body, dict(headers))
    response = connection.getresponse()
    found = read_body(response)
    if response.status not in (200, 500) or (response.status == 500 and b"Fault" not in found):
        raise AnswerError(f"the server answered {response.status} {response.reason}", response.status)
    _check_soap(found)
    return Answer(response.status, found, tuple(response.headers.get_all("Set-Cookie") or ()))


def _check_soap(body: bytes) -> None:
    """Refuse what SOAP forbids and a reader of XML would follow: a few declared entities make gigabytes of a kilobyte."""
    told = _ENCODING.match(body)
    if b"\0" in body[:4] or (told is not None and told["name"].lower() != b"utf-8") or b"<!DOCTYPE" in body:
        raise AnswerError("the server's answer is no SOAP: it is not in UTF-8, or declares a type of document")


def read_body(response: http.client.HTTPResponse) -> bytes:
    """Return what an answer holds, unpacked and whole."""
    size = response.length
    unpack = _unpacker(response.headers.get("Content-Encoding", ""))
    found, taken = bytearray(), 0
    while chunk := response.read(_CHUNK):
        taken += len(chunk)
        found += chunk if unpack is None else _unpacked(unpack, chunk, len(found))
        if len(found) > ANSWER_LIMIT:
            raise AnswerError(f"the server's answer has more than {ANSWER_LIMIT} bytes, which no answer has")
    if size is not None and taken < size:
        raise http.client.IncompleteRead(bytes(found[:100]), size - taken)
    if unpack is not None and not unpack.eof:
        raise http.client.IncompleteRead(bytes(found[:100]))
    return bytes(found)


def _unpacker(encoding: str) -> zlib._Decompress | None:
    if encoding.strip().lower() in ("", "identity"):
        return None
    if encoding.strip().lower() != "gzip":
        raise AnswerError(f"the server's answer is packed as {encoding!r}, which was not asked for")
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _unpacked(unpack: zlib._Decompress, chunk: bytes, before: int) -> bytes:
    try:
        return unpack.decompress(chunk, ANSWER_LIMIT + 1 - before)
    except zlib.error as exc:
        raise AnswerError("the server's answer cannot be unpacked") from exc
