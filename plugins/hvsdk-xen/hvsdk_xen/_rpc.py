"""Calls as JSON-RPC or XML-RPC: two ways to write the same messages."""

from __future__ import annotations

import http.client
import json
import re
import xmlrpc.client
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal
from xml.parsers.expat import ExpatError

import XenAPI
from hvsdk.connections import Connection
from hvsdk.driver import errors

__all__ = ["ANSWER_LIMIT", "JSON", "XML", "AnswerError", "NotSpokenError", "RpcFormat", "check_texts", "exchange"]

ANSWER_LIMIT = 1 << 30
"""Bytes of one answer; the records of 10,000 VMs are some 50 MB."""
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class AnswerError(Exception):
    """The server's answer is none to what was asked."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


class NotSpokenError(AnswerError):
    """The server does not know this way of writing calls; it has executed nothing."""


class RpcFormat(ABC):
    """One way to write calls."""

    name: ClassVar[Literal["json", "xml"]]
    path: ClassVar[str]
    content_type: ClassVar[str]

    @abstractmethod
    def encode(self, method: str, arguments: tuple[Any, ...]) -> bytes:
        """Write a call."""

    @abstractmethod
    def decode(self, body: bytearray) -> Any:
        """Read an answer.

        Raises:
            XenAPI.Failure: It says that the call failed.
            AnswerError: It is no answer.
        """


class _Json(RpcFormat):
    name = "json"
    path = "/jsonrpc"
    content_type = "application/json"

    def encode(self, method: str, arguments: tuple[Any, ...]) -> bytes:
        call = {"jsonrpc": "2.0", "method": method, "params": arguments, "id": 1}
        return json.dumps(call, ensure_ascii=False, allow_nan=False).encode()

    def decode(self, body: bytearray) -> Any:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as exc:
            raise AnswerError("the server's answer is no JSON") from exc
        if not isinstance(answer, dict):
            raise AnswerError("the server's answer is no JSON-RPC")
        error = answer.get("error")
        if error is not None:
            raise _failure(error)
        if "result" not in answer:
            raise AnswerError("the server's answer has neither a result nor an error")
        return answer["result"]


def _failure(error: Any) -> Exception:
    if isinstance(error, list) and error:  # JSON-RPC 1.0
        return _refused(error)
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        data = error.get("data")
        return _refused([error["message"], *(data if isinstance(data, list) else ())])
    return AnswerError("the server's answer has an error that is none of JSON-RPC's")


def _refused(details: Iterable[Any]) -> XenAPI.Failure:
    return XenAPI.Failure([str(detail) for detail in details])


class _Xml(RpcFormat):
    name = "xml"
    path = "/"
    content_type = "text/xml"

    def encode(self, method: str, arguments: tuple[Any, ...]) -> bytes:
        plain = tuple(_as_xml(argument) for argument in arguments)
        return xmlrpc.client.dumps(plain, method, encoding="utf-8").encode()

    def decode(self, body: bytearray) -> Any:
        parser, unmarshaller = xmlrpc.client.getparser()
        try:
            parser.feed(bytes(body))
            parser.close()
            answer: Any = unmarshaller.close()[0]
        except xmlrpc.client.Fault as exc:
            raise AnswerError(f"the server answered with a fault: {exc.faultString}") from exc
        except (ExpatError, xmlrpc.client.Error, ValueError, LookupError, TypeError, AssertionError) as exc:
            raise AnswerError("the server's answer is no XML-RPC") from exc
        status = answer.get("Status") if isinstance(answer, dict) else None
        if status == "Success" and "Value" in answer:
            return answer["Value"]
        details = answer.get("ErrorDescription") if status == "Failure" else None
        if isinstance(details, list) and details:
            raise _refused(details)
        raise AnswerError("the server's answer has neither a value nor an error")


def _as_xml(value: Any) -> Any:
    """Return a value as XAPI's XML-RPC has it: whole numbers are texts."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Mapping):
        return {str(key): _as_xml(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_as_xml(item) for item in value]
    return value


def check_texts(value: Any) -> None:
    """Raise `InvalidSpecError` for a text that XAPI cannot keep: its database is XML, whichever way the call is written."""
    if isinstance(value, str):
        if _NOT_IN_XML.search(value):
            raise errors.InvalidSpecError("XAPI keeps no text with control characters or half a surrogate pair in it")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            check_texts(key)
            check_texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_texts(item)


JSON: RpcFormat = _Json()
XML: RpcFormat = _Xml()


def exchange(connection: Connection, form: RpcFormat, body: bytes, headers: Mapping[str, str]) -> bytearray:
    """Send a call and return the answer's body.

    Raises:
        AnswerError: The server answered, but not to the call.
    """
    connection.request("POST", form.path, body, {**headers, "Content-Type": form.content_type})
    response = connection.getresponse()
    found = _read(response)
    kind = response.headers.get_content_type()
    if form.name == "json" and (response.status in (404, 405, 501) or kind == "text/xml"):
        raise NotSpokenError("the server does not speak JSON-RPC", response.status)
    if response.status != 200:
        raise AnswerError(f"the server answered {response.status} {response.reason}", response.status)
    return found


def _read(response: http.client.HTTPResponse) -> bytearray:
    size = response.length
    if size is not None and size > ANSWER_LIMIT:
        raise AnswerError(f"the server's answer has {size} bytes, which no answer has")
    found = bytearray()
    while chunk := response.read(1 << 20):
        found += chunk
        if len(found) > ANSWER_LIMIT:
            raise AnswerError(f"the server's answer has more than {ANSWER_LIMIT} bytes, which no answer has")
    if size is not None and len(found) < size:
        raise http.client.IncompleteRead(bytes(found[:100]), size - len(found))
    return found
