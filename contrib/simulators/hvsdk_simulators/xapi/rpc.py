"""The two envelopes of calls: XML-RPC, and JSON-RPC in its versions 1.0 and 2.0."""

from __future__ import annotations

import json
import xmlrpc.client
from collections.abc import Sequence
from typing import Any
from xml.parsers.expat import ExpatError

from attrs import frozen

from .encoding import JSON, XML, Format
from .schema import kind_of
from .world import World

__all__ = ["Envelope", "UnreadableError", "read_json", "read_xml"]

_NOTHING: Any = object()


class UnreadableError(Exception):
    """What came is no call."""


@frozen
class Envelope:
    """A call as it came, and what its answer is wrapped in."""

    method: str
    params: Sequence[Any]
    format: Format
    content_type: str
    before: bytes
    after: bytes
    version: str = ""
    """Of JSON-RPC."""
    id: Any = None

    @property
    def exact(self) -> bool:
        """Whether it tells numbers with a point from those without."""
        return self.format is XML

    def failure(self, world: World, details: list[str]) -> bytes:
        """Return the whole answer of a call that failed."""
        if self.format is XML:
            listed = XML.text(world, kind_of("string set"), details)
            return _xml_answer(b"Failure", b"ErrorDescription", listed)
        if self.version == "2.0":
            error: Any = {"code": 1, "message": details[0], "data": details[1:]}
            answer: dict[str, Any] = {"jsonrpc": "2.0", "error": error, "id": self.id}
        else:
            answer = {"result": None, "error": details, "id": self.id}
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")


def read_json(body: bytes) -> Envelope:
    """Read a call of JSON-RPC.

    Raises:
        UnreadableError: It is none.
    """
    try:
        call = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from None
    if not isinstance(call, dict) or not isinstance(call.get("method"), str):
        raise UnreadableError("not a JSON-RPC call")
    params = call.get("params", [])
    if not isinstance(params, list):
        raise UnreadableError("the parameters are not a list")
    number = call.get("id", _NOTHING)
    if number is _NOTHING or number is None:
        raise UnreadableError("the call has no id")
    text = json.dumps(number).encode()
    if call.get("jsonrpc") == "2.0":
        before, after, version = b'{"jsonrpc":"2.0","result":', b',"id":%b}' % text, "2.0"
    else:
        before, after, version = b'{"result":', b',"error":null,"id":%b}' % text, "1.0"
    return Envelope(call["method"], params, JSON, "application/json", before, after, version, number)


def read_xml(body: bytes) -> Envelope:
    """Read a call of XML-RPC.

    Raises:
        UnreadableError: It is none.
    """
    try:
        params, method = xmlrpc.client.loads(body)
    except (ExpatError, xmlrpc.client.Error, ValueError, LookupError, TypeError, AssertionError) as error:
        raise UnreadableError(str(error)) from None
    if method is None:
        raise UnreadableError("not an XML-RPC call")
    whole = _xml_answer(b"Success", b"Value", b"%s")
    before, _, after = whole.partition(b"%s")
    return Envelope(method, params, XML, "text/xml", before, after)


def _xml_answer(status: bytes, name: bytes, value: bytes) -> bytes:
    return (
        b'<?xml version="1.0"?><methodResponse><params><param><value><struct><member><name>Status</name><value>%b</value>'
        b"</member><member><name>%b</name>%b</member></struct></value></param></params></methodResponse>"
        % (status, name, value)
    )
