"""Names of files that go on top of a domain's disks, which say what they were made for."""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Mapping

__all__ = ["is_overlay", "new_overlays", "was_quiesced"]

_OVERLAY = re.compile(r"\.(snap|quiet)-[0-9a-f]{8}\.qcow2$")


def is_overlay(path: str) -> bool:
    """Whether a file was made for a snapshot here, going by its name."""
    return _OVERLAY.search(path) is not None


def was_quiesced(path: str) -> bool | None:
    """Whether the guest's disks were quiesced when a file was put on top of one; `None` when somebody else did that."""
    match = _OVERLAY.search(path)
    return None if match is None else match[1] == "quiet"


def new_overlays(sources: Mapping[str, str], *, quiesced: bool = False) -> dict[str, str]:
    """Choose a new file beside each of these, all with the same mark in their names.

    The names also keep what libvirt does not: whether the disks were quiesced.
    """
    mark, kind = secrets.token_hex(4), "quiet" if quiesced else "snap"
    chosen = {}
    for target, path in sources.items():
        directory, name = posixpath.split(path)
        stem = _OVERLAY.sub("", name).removesuffix(".qcow2").encode()[:200].decode(errors="ignore")
        chosen[target] = posixpath.join(directory, f"{stem}.{kind}-{mark}.qcow2")
    return chosen
