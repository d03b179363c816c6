"""Envelopes: requests taken apart by namespace, never by prefix, and answers and faults put together."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from attrs import field, frozen

__all__ = ["ACTIONS", "NAMESPACES", "Fault", "MalformedError", "Message", "envelope", "fault_envelope", "read"]

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
}
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_SHELL = NAMESPACES["rsp"]
ACTIONS = {
    f"{_TRANSFER}/Create": "Create",
    f"{_TRANSFER}/Delete": "Delete",
    f"{_SHELL}/Command": "Command",
    f"{_SHELL}/Send": "Send",
    f"{_SHELL}/Receive": "Receive",
    f"{_SHELL}/Signal": "Signal",
}
_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
_KNOWN_HEADERS = frozenset(
    f"{{{NAMESPACES[prefix]}}}{name}"
    for prefix, names in {
        "a": ("To", "ReplyTo", "FaultTo", "Action", "MessageID", "RelatesTo", "From"),
        "w": ("ResourceURI", "MaxEnvelopeSize", "OperationTimeout", "Locale", "OptionSet", "SelectorSet"),
        "p": ("DataLocale", "SessionId", "OperationID", "SequenceId", "ActivityId", "CompressionType"),
    }.items()
    for name in names
)
_TRUE = ("1", "true")
_PROVIDER = r'provider="Shell cmd plugin" path="%systemroot%\system32\winrscmd.dll"'


class MalformedError(Exception):
    """What came is no envelope; nothing can be said to it but that."""


@frozen
class Fault(Exception):
    """A request that is refused.

    Attributes:
        code: `Sender`, `Receiver` or `MustUnderstand`.
        subcode: With its prefix, as `w:TimedOut`; None for none.
        reason: For people.
        wsman_code: Microsoft's number; None where the fault has none.
        detail: URI of `w:FaultDetail`; None for none.
        message: What stands in `f:Message`; the reason, when it is empty.
        not_understood: A header's name as (namespace, local name).
        provider: Whether it comes from what is behind the service.
    """

    code: str
    subcode: str | None
    reason: str
    wsman_code: int | None = None
    detail: str | None = None
    message: str = ""
    not_understood: tuple[str, str] | None = None
    provider: bool = False


@frozen
class Message:
    """A request.

    Attributes:
        action: The URI.
        id: Of the message, which the answer relates to.
        resource: The resource's URI.
        selectors: By name.
        options: By name.
        timeout: Seconds of `w:OperationTimeout`.
        max_envelope: Bytes that the answer may have.
        body: The body's first element; None when it is empty.
    """

    action: str
    id: str
    resource: str
    selectors: dict[str, str] = field(factory=dict)
    options: dict[str, str] = field(factory=dict)
    timeout: float = 60.0
    max_envelope: int = 512_000
    body: Any = None


def read(data: bytes) -> Message:
    """Take a request apart.

    Raises:
        MalformedError: It is no XML, or has a document type, which could make much out of little.
        Fault: It is an envelope, but lacks what is needed, or demands that something unknown is understood.
    """
    if b"<!" in data.replace(b"<![CDATA[", b"").replace(b"<!--", b"") or b"\0" in data:
        raise MalformedError
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError):
        raise MalformedError from None
    if root.tag != _name("s", "Envelope"):
        raise MalformedError
    header = root.find(_name("s", "Header"))
    body = root.find(_name("s", "Body"))
    if header is None or body is None:
        raise MalformedError
    _refuse_unknown(header)
    action = _text(header, "a", "Action")
    message_id = _text(header, "a", "MessageID")
    if not action or not message_id:
        raise Fault(
            "Sender", "a:InvalidMessageInformationHeader", "A header is missing or invalid. ", wsman_code=2150858767
        )
    timeout = _text(header, "w", "OperationTimeout")
    size = _text(header, "w", "MaxEnvelopeSize")
    return Message(
        action=action,
        id=message_id,
        resource=_text(header, "w", "ResourceURI"),
        selectors=_named(header, "SelectorSet", "Selector"),
        options=_named(header, "OptionSet", "Option"),
        timeout=seconds_of(timeout) if timeout else 60.0,
        max_envelope=int(size) if size.isdecimal() else 512_000,
        body=body[0] if len(body) else None,
    )


def _name(prefix: str, name: str) -> str:
    return f"{{{NAMESPACES[prefix]}}}{name}"


def _text(header: Any, prefix: str, name: str) -> str:
    return (header.findtext(_name(prefix, name)) or "").strip()


def _named(header: Any, group: str, item: str) -> dict[str, str]:
    found = header.find(_name("w", group))
    if found is None:
        return {}
    return {one.get("Name", ""): one.text or "" for one in found.findall(_name("w", item))}


def _refuse_unknown(header: Any) -> None:
    """Refuse what must be understood and is not; the attribute counts with and without its namespace."""
    for one in header:
        must = one.get(_name("s", "mustUnderstand")) or one.get("mustUnderstand") or ""
        if must.lower() in _TRUE and one.tag not in _KNOWN_HEADERS:
            namespace, _, local = one.tag.lstrip("{").rpartition("}")
            raise Fault(
                "MustUnderstand",
                None,
                "The WS-Management service cannot process a SOAP header in the request that is marked as mustUnderstand "
                "by the client. ",
                not_understood=(namespace, local),
            )


def seconds_of(duration: str) -> float:
    """Return the seconds of a duration such as `PT20S` or `P0DT0H1M0.5S`.

    Raises:
        Fault: It is none.
    """
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", duration)
    if found is None:
        raise Fault("Sender", "w:SchemaValidationError", f"The duration {duration} is not valid. ", wsman_code=87)
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def envelope(action: str, body: str, relates_to: str) -> bytes:
    """Put an answer together; `body` is XML with the prefixes of `NAMESPACES`."""
    return _envelope(action, body, relates_to, ("s", "a", "x", "w", "rsp", "p"))


def _envelope(action: str, body: str, relates_to: str | None, prefixes: tuple[str, ...], first: str = "") -> bytes:
    declared = "".join(f' xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in prefixes)
    relates = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f'<s:Envelope xml:lang="en-US"{declared}><s:Header>{first}<a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid4()).upper()}</a:MessageID><a:To>{_ANONYMOUS}</a:To>{relates}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault_envelope(fault: Fault, relates_to: str | None, machine: str) -> bytes:
    """Put a fault together."""
    subcode = f"<s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode>" if fault.subcode else ""
    detail = f"<w:FaultDetail>{fault.detail}</w:FaultDetail>" if fault.detail else ""
    if fault.wsman_code is not None:
        text = escape(fault.message or fault.reason)
        if fault.provider:
            text = f"<f:ProviderFault {_PROVIDER}>{text}</f:ProviderFault>"
        detail += (
            '<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" '
            f"Code={quoteattr(str(fault.wsman_code))} Machine={quoteattr(machine)}><f:Message>{text}</f:Message></f:WSManFault>"
        )
    detail = f"<s:Detail>{detail}</s:Detail>" if detail else ""
    first = ""
    if fault.not_understood is not None:
        namespace, local = fault.not_understood
        first = f"<s:NotUnderstood qname={quoteattr(f'q:{local}')} xmlns:q={quoteattr(namespace)}/>"
    body = (
        f"<s:Fault><s:Code><s:Value>s:{fault.code}</s:Value>{subcode}</s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(fault.reason)}</s:Text></s:Reason>{detail}</s:Fault>'
    )
    return _envelope(_FAULT_ACTION, body, relates_to, ("s", "a", "x", "w", "p"), first)
