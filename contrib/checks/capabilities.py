"""Make docs/capabilities-table.md from runs of the conformance kit: `make capabilities`.

The runs are those of `python -m hvsdk conformance`. The one on the embedded QEMU driver takes several minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hvsdk_simulators
from hvsdk_testbed.bootsector import make_disk
from hvsdk_testbed.embed import prepare_root, temporary_root

import hvsdk

TABLE = Path(__file__).resolve().parents[2] / "docs" / "capabilities-table.md"
SHOWN = {"yes": "yes", "no": "", "failed": "**failed**", "not checked": "claimed"}
LEFT_OUT = (
    "Left out: that a device is gone when `detach_…` returns, on the embedded QEMU (the boot sector that is its guest does "
    "not answer PCI unplugging); that a revert keeps a new name, on the test driver (it calls that name taken, by the "
    "domain itself); and what changed between snapshots, on vSphere (the kit's domains do not ask for its tracking)."
)


def matrix(url: str, *arguments: str) -> dict[str, Any]:
    """Run the kit against a host on which it may make domains, and return what it found."""
    command = [sys.executable, "-m", "hvsdk", "conformance", url, "--create", "--json", *arguments]
    print(" ".join(command), file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"the kit could not run against {url}")
    found: dict[str, Any] = json.loads(done.stdout)
    for name, reason in found["failures"].items():
        print(f"  failed: {name}: {reason}", file=sys.stderr)
    return found


def embedded() -> dict[str, Any]:
    """Run the kit against the QEMU driver in a process, with guests that boot."""
    with temporary_root() as root:
        url = prepare_root(root)
        disk = make_disk(root / "boot.qcow2", "kit")
        guest = ("--option", "virt_type=qemu", "--disk", str(disk), "--guest-obeys", "--patience", "20")
        return matrix(url, *guest, "-k", "not is_gone_when_detach")  # LEFT_OUT says why


def xen() -> dict[str, Any]:
    """Run the kit against a simulated pool of Xen hosts."""
    with hvsdk_simulators.start("xapi", domains=3, hosts=2) as pool:
        os.environ["XEN_PASSWORD"] = pool.password
        with hvsdk.connect(pool.url, password=pool.password, verify=pool.fingerprint) as host:
            library = host.storage_pool("ISO library")
            image = library.volumes()[0].name
        login = ("--secret", "env:XEN_PASSWORD", "--verify", pool.fingerprint)
        return matrix(pool.url, *login, "--image", image, "--guest-obeys", "--guest-agent", "--patience", "20")


def vsphere(**options: Any) -> dict[str, Any]:
    """Run the kit against a simulated vCenter, or a simulated ESXi host."""
    with hvsdk_simulators.start("vcsim", domains=3, **options) as server:
        os.environ["VMWARE_PASSWORD"] = server.password
        login = ("--secret", "env:VMWARE_PASSWORD", "--verify", server.fingerprint)
        return matrix(server.url, *login, "--patience", "20", "-k", "not changed_blocks_lie")  # LEFT_OUT says why


def hyperv() -> dict[str, Any]:
    """Run the kit against a simulated Hyper-V host."""
    with hvsdk_simulators.start("hyperv", domains=3, engine="python") as server:
        os.environ["HYPERV_PASSWORD"] = server.password
        image = "C:\\ISO\\kit.iso"
        server.act("file", path=image, size=1 << 16)
        login = ("--secret", "env:HYPERV_PASSWORD", "--verify", server.fingerprint, "--option", "transport=basic")
        # Only domains with UEFI, which are of generation 2, take disks and adapters while they run.
        return matrix(server.url, *login, "--image", image, "--firmware", "uefi", "--patience", "20")


def main() -> None:
    """Run the kit and write the table."""
    columns = {
        "fake": matrix("fake://kit?domains=3", "--guest-obeys", "--guest-agent"),
        "KVM, embedded QEMU": embedded(),
        "XAPI, simulated": xen(),
        "vCenter, simulated": vsphere(hosts=2),
        "ESXi, simulated": vsphere(esx=True),
        "Hyper-V, simulated": hyperv(),
        "libvirt's test driver": matrix("test:///default", "-k", "not reverting_keeps_the_labels"),
    }
    states = {name: {row["capability"]: row["state"] for row in run["capabilities"]} for name, run in columns.items()}
    lines = [f"| capability | {' | '.join(states)} |", f"|---|{'---|' * len(states)}"]
    for capability in next(iter(states.values())):
        cells = " | ".join(SHOWN[column[capability]] for column in states.values())
        lines.append(f"| `{capability}` | {cells} |")
    about = [f"{name}: {run['product']} {run['version'] or ''}".strip() for name, run in columns.items()]
    note = f"“claimed”: the run had no test that exercised it. {LEFT_OUT}"
    TABLE.write_text("\n".join([*lines, "", f"{'; '.join(about)}. {note}", ""]), "utf-8")


if __name__ == "__main__":
    main()
