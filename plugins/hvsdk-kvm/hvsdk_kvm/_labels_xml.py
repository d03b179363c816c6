"""Tags and metadata as one element in a domain's `<metadata>`.

The element holds JSON, so that texts which XML would alter (blanks only, trailing newlines) come back as they went in.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import NamedTuple

from hvsdk_kvm._xml import HVSDK_NAMESPACE

__all__ = ["Labels", "labels_element", "parse_labels", "read_labels"]

_NAME = "labels"
_NO_XML = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML does not hold, or not unchanged; JSON has escapes for it."""
_QUALIFIED = f"{{{HVSDK_NAMESPACE}}}{_NAME}"
ET.register_namespace("hvsdk", HVSDK_NAMESPACE)


class Labels(NamedTuple):
    """What hvsdk keeps with a domain for its users."""

    tags: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = {}


def labels_element(labels: Labels, *, bare: bool = False) -> ET.Element | None:
    """Return the element to store, or `None` when there is nothing to keep.

    Args:
        bare: Leave out the namespace, which `setMetadata` puts in itself and does not bear to find there.
    """
    if not labels.tags and not labels.metadata:
        return None
    element = ET.Element(_NAME if bare else _QUALIFIED)
    values = {"tags": sorted(labels.tags), "metadata": dict(labels.metadata)}
    text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    element.text = json.dumps(values, sort_keys=True) if _NO_XML.search(text) else text
    return element


def read_labels(domain: ET.Element) -> Labels:
    """Return the labels in a domain's XML."""
    return parse_labels(domain.findtext(f"metadata/{_QUALIFIED}"))


def parse_labels(text: str | None) -> Labels:
    """Return the labels that a text of ours holds; one that somebody else wrote holds none."""
    if not text:
        return Labels()
    try:
        values = json.loads(text)
        tags = frozenset(map(str, values["tags"]))
        return Labels(tags, {str(key): str(value) for key, value in values["metadata"].items()})
    except (ValueError, TypeError, KeyError, AttributeError):
        return Labels()
