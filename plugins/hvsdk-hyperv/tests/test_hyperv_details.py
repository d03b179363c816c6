"""The page of this backend names what records of domains, networks and nodes have under keys of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hvsdk_hyperv._adapters import NIC_HINTS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "backends" / "hyperv.md").read_text(encoding="utf-8")
PLUGIN = ROOT / "plugins" / "hvsdk-hyperv" / "hvsdk_hyperv"


@pytest.mark.parametrize("name", ["_records", "_networks", "_nodes"])
def test_every_key_is_documented(name: str) -> None:
    keys = set(re.findall(r'"(hyperv\.[a-z_]+)"', (PLUGIN / f"{name}.py").read_text(encoding="utf-8")))
    assert keys
    assert not {key for key in keys if f"`{key}`" not in PAGE}


def test_hints_of_adapters_are_documented_with_what_they_take() -> None:
    for name, hint in NIC_HINTS.items():
        assert f"| `{name}` | {hint.help} |" in PAGE
