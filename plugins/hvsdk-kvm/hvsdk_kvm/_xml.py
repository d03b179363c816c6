"""libvirt's XML, read without document types and entities."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import NoReturn

from hvsdk.errors import OperationFailedError

__all__ = ["HVSDK_NAMESPACE", "parse_xml", "write_xml"]

HVSDK_NAMESPACE = "https://hvsdk.dev/xmlns/domain/1"
"""URI of the element in a domain's metadata where hvsdk keeps its labels."""


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise OperationFailedError(
            "the daemon sent XML with a document type, which libvirt never does; it was not read"
        )


def parse_xml(text: str) -> ET.Element:
    """Return the root of a document that a daemon sent.

    Entities can only be declared in a document type: one that has it is refused.

    Raises:
        OperationFailedError: It is no XML, or has a document type.
    """
    try:
        if "<!DOCTYPE" not in text:
            return ET.fromstring(text)
        return ET.fromstring(text, parser=ET.XMLParser(target=_NoDoctype()))
    except ET.ParseError as exc:
        raise OperationFailedError(f"the daemon sent XML that cannot be read: {exc}") from exc


def write_xml(element: ET.Element) -> str:
    """Return an element as text for libvirt."""
    return ET.tostring(element, encoding="unicode")
