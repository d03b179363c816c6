"""Debian packages: which are missing, and how they get onto the machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

BUILD: dict[str, str] = {
    "ca-certificates": "Debian's pip checks servers against them",
    "gcc": "libvirt-python comes as source",
    "libvirt-dev": "the headers that libvirt-python is made from",
    "make": "runs the tasks",
    "pkg-config": "finds these headers",
    "samba": "shares the files of a simulated Hyper-V host in tests",
}
KERBEROS: dict[str, str] = {
    "krb5-admin-server": "adds users to a realm for tests",
    "krb5-kdc": "gives out tickets in tests of logins to Hyper-V",
    "krb5-user": "kinit gets these tickets",
    "libkrb5-dev": "the headers that gssapi, krb5 and pykerberos are made from",
}
"""For `make test-full`."""
PYTHON: dict[str, str] = {
    "python3-dev": "Python's own headers",
    "python3-venv": "makes .venv",
}
LISTS = Path("/var/lib/apt/lists")


def needed(*, full: bool) -> dict[str, str]:
    """Return the packages that hvsdk's tests and demo use, and what each is for."""
    return BUILD | (KERBEROS if full else {}) | _for_this_python() | _testbed()


def missing(names: list[str]) -> list[str] | None:
    """Return those that are not installed, or `None` where there is no dpkg to ask."""
    if shutil.which("dpkg-query") is None:
        return None
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}${Package}\n", *names]
    shown = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    installed = {line[3:].strip() for line in shown.splitlines() if line.startswith("ii")}
    return [name for name in names if name not in installed]


def ensure(*, full: bool) -> bool:
    """Install what is missing, and return whether everything is there now.

    As root that is done at once, else through sudo, and each says so; where neither goes, the list is printed.
    """
    if os.environ.get("HVSDK_SKIP_PACKAGES"):
        return True
    purpose = needed(full=full)
    wanted = missing(list(purpose))
    if wanted == [] and _has_lists():
        return True
    if wanted is None or shutil.which("apt-get") is None:
        _explain(purpose, list(purpose), "this is not a Debian system")
        return False
    prefix = _as_root()
    if prefix is None:
        if wanted:
            _explain(purpose, wanted, "you are not root and there is no sudo")
        return not wanted
    if wanted:
        how = "through sudo" if prefix else "as root"
        print(f"setup: installing {len(wanted)} Debian packages {how}: {' '.join(wanted)}", flush=True)
    if _apt(prefix, "update") and _apt(prefix, "install", "-y", "--no-install-recommends", *wanted):
        return True
    if wanted:
        _explain(purpose, wanted, "apt-get failed")
    return not wanted


def _testbed() -> dict[str, str]:
    path = ROOT / "contrib" / "testbed" / "hvsdk_testbed" / "packages.py"
    spec = importlib.util.spec_from_file_location("testbed_packages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    installed: dict[str, str] = module.INSTALLED
    return installed


def _for_this_python() -> dict[str, str]:
    if sys.base_prefix == "/usr":
        return PYTHON
    if not Path(sysconfig.get_path("include"), "Python.h").exists() or importlib.util.find_spec("ensurepip") is None:
        sys.exit(f"setup: {sys.executable} has no headers or no venv; put a complete Python 3.11 first on the PATH")
    return {}


def _has_lists() -> bool:
    """Whether apt knows any package: the testbed's Linux guest is fetched with `apt-get download`."""
    return not LISTS.is_dir() or any(LISTS.glob("*_Packages*")) or any(LISTS.glob("*_InRelease"))


def _as_root() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    return [sudo] if sys.stdin.isatty() else [sudo, "-n"]


def _apt(prefix: list[str], *arguments: str) -> bool:
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", *arguments]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


def _explain(purpose: dict[str, str], names: list[str], why: str) -> None:
    print(f"setup: these packages are needed and could not be installed, since {why}:", file=sys.stderr)
    for name in names:
        print(f"  {name:28} {purpose[name]}", file=sys.stderr)
    print(
        f"As root: apt-get install --no-install-recommends {' '.join(names)}\n"
        "Where they are there under other names: HVSDK_SKIP_PACKAGES=1 make …",
        file=sys.stderr,
    )
