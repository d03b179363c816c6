"""What is imported when, each time in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

VENDORS = {
    "libvirt",
    "libvirt_qemu",
    "libvirtmod",
    "pyVmomi",
    "vmware",
    "XenAPI",
    "winrm",
    "pypsrp",
    "requests",
    "keyring",
}


def modules_after(code):
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code", ["import hvsdk", "from hvsdk import connect, PowerState, errors", "import hvsdk; dir(hvsdk)"]
)
def test_importing_hvsdk_imports_nothing_dear(code):
    new = modules_after(code) - modules_after("pass")
    assert not {"attr", "attrs", "pluggy", "logging", "importlib.metadata", "inspect", "ssl", "socket"} & new
    assert {name for name in new if name.startswith("hvsdk")} <= {
        "hvsdk",
        "hvsdk._lazy",
        "hvsdk._connect",
        "hvsdk.enums",
        "hvsdk.errors",
    }


def test_listing_backends_imports_no_driver_and_no_client_library():
    found = modules_after("import hvsdk; hvsdk.backends()")
    assert not VENDORS & found
    assert not {name for name in found if name.endswith("._driver") and name != "hvsdk._driver"}


def test_connecting_to_fake_scans_no_entry_points():
    found = modules_after("from hvsdk._registry import find_backend; find_backend('fake')")
    assert "importlib.metadata" not in found
    assert not {"pytest", "unittest"} & found


def test_the_kit_loads_no_test_framework_before_it_is_used():
    assert "pytest" not in modules_after("import hvsdk.testing, hvsdk.testing.fake")


def test_nothing_is_logged_or_registered_by_importing():
    code = "import hvsdk.driver, hvsdk._hook_calls, hvsdk._endpoint, logging; assert not logging.root.handlers"
    assert "hvsdk.driver" in modules_after(code)
