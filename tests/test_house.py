"""Rules of the house that no tool checks: who may import what, and what listing backends costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VENDORS = {"libvirt", "libvirt_qemu", "XenAPI", "pyVim", "pyVmomi", "winrm", "pypsrp"}
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
TEMPLATE = ROOT / "contrib" / "plugin-template"


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names of what a file imports, `module.name` for `from module import name`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("plugin", [*PLUGINS, TEMPLATE], ids=lambda path: path.name)
def test_plugins_use_public_names_of_the_core_only(plugin: Path) -> None:
    private = {
        f"{path.relative_to(plugin)}: {name}"
        for path in plugin.glob("hvsdk_*/**/*.py")
        for name in imported(path)
        if name.split(".")[0] == "hvsdk" and any(part.startswith("_") for part in name.split("."))
    }
    assert not private


def python(code: str) -> str:
    """Return what a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_listing_backends_imports_no_vendor_library() -> None:
    code = f"import sys, hvsdk; hvsdk.backends(); print(*sorted({VENDORS!r} & sys.modules.keys()))"
    assert python(code) == ""


def test_importing_the_core_imports_neither_its_dependencies_nor_a_plugin() -> None:
    heavy = ["attr", "pluggy", "logging", "ssl", "importlib.metadata", "pytest", "hvsdk_kvm"]
    assert python(f"import sys, hvsdk; print(*sorted({set(heavy)!r} & sys.modules.keys()))") == ""


def test_the_fake_needs_no_test_framework() -> None:
    code = "import sys, hvsdk; hvsdk.connect('fake://demo').domains(); print('pytest' in sys.modules)"
    assert python(code) == "False"
