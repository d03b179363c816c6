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

FIRST_LISTING = "from hvsdk import connect, PowerState, errors\nconnect('fake://').domains()"


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


def test_a_first_listing_loads_no_record_but_that_of_domains_and_no_verb():
    found = {name for name in modules_after(FIRST_LISTING) if name.startswith("hvsdk")}
    assert {name for name in found if name.startswith("hvsdk.models.")} == {
        "hvsdk.models._base",
        "hvsdk.models._checks",
        "hvsdk.models._domain",
        "hvsdk.models._mapping",
    }
    verbs = ("_power_verbs", "_verbs", "_waiting", "_making", "_snapshot", "_storage", "_disk_io", "_fencing", "_watch")
    assert not {f"hvsdk.{name}" for name in verbs} & found
    assert (
        not {"hvsdk.credentials", "hvsdk._secrets", "hvsdk._outcome", "hvsdk._table", "hvsdk.testing.conformance"}
        & found
    )


def test_a_first_listing_loads_little_of_the_standard_library_beyond_what_attrs_and_pluggy_do():
    new = modules_after(FIRST_LISTING) - modules_after("import attrs, pluggy")
    assert (
        not {"logging", "ctypes", "uuid", "json", "pickle", "fnmatch", "hashlib", "ssl", "socket", "subprocess"} & new
    )
    assert not {"importlib.metadata", "urllib.parse", "asyncio", "concurrent.futures"} & new


def test_a_first_listing_makes_few_attrs_classes():
    code = f"""{FIRST_LISTING}
import attrs, sys
named = [thing for name, module in sys.modules.items() if name.startswith("hvsdk") for thing in vars(module).values()]
made = {{thing for thing in named if isinstance(thing, type) and attrs.has(thing)}}
assert 0 < len(made) <= 10, made"""
    modules_after(code)


def test_the_kit_loads_no_test_framework_before_it_is_used():
    assert "pytest" not in modules_after("import hvsdk.testing, hvsdk.testing.fake")


def test_nothing_is_logged_or_registered_by_importing():
    code = "import hvsdk.driver, hvsdk._hook_calls, hvsdk._endpoint, logging; assert not logging.root.handlers"
    assert "hvsdk.driver" in modules_after(code)
