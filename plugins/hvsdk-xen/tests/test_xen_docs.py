"""The page of this backend names every key of `details`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ("about", "details", "devices", "networks", "nodes", "pools", "stats")


@pytest.mark.parametrize("name", SOURCES)
def test_every_key_of_details_is_documented(name: str) -> None:
    page = (ROOT / "docs" / "backends" / "xen.md").read_text(encoding="utf-8")
    source = (ROOT / "plugins" / "hvsdk-xen" / "hvsdk_xen" / f"_{name}.py").read_text(encoding="utf-8")
    keys = set(re.findall(r'"(xen\.[a-z_]+)"', source))
    assert keys
    assert not {key for key in keys if f"`{key}`" not in page}
