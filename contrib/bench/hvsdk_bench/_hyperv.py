"""A simulated Hyper-V host: one PowerShell that stays against pywinrm's `run_ps` for each call, on a slow line."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hvsdk_simulators
import winrm
from hvsdk_simulators.samba import Samba

import hvsdk
from hvsdk_bench._measure import Row, compare

LATENCY = 0.02
RUNS = 5
DISK_BYTES = 64 << 20
PIECE_BYTES = 4 << 20
ONE = "Get-VM -Id {} | Select-Object Id, Name, State | ConvertTo-Json"
ALL = "ConvertTo-Json @(Get-VM | Select-Object Id, Name, State, ProcessorCount, MemoryStartup) -Compress"
_TOOL = Path(__file__).resolve().parents[4] / "shared" / "tools" / "powershell"


def rows(runs: int, many: int) -> Iterator[Row]:
    """Measure one operation and a listing of many; without PowerShell only the requests are counted."""
    few = min(runs, RUNS)
    engine = "powershell" if _powershell() else "python"
    late = hvsdk_simulators.start("hyperv", domains=10, engine=engine, latency=LATENCY)
    with late as server, _connect(server) as host:
        domain = host.domains()[0]
        where = f"Hyper-V, {LATENCY * 1000:.0f} ms"
        yield _requests(f"{where}: HTTP requests and new connections of one operation", server, domain.refresh, 2)
        yield _requests(f"{where}: HTTP requests and new connections of stats()", server, host.stats, 2)
        if engine == "powershell":
            by_hand = _run_ps(server)
            yield compare(
                f"{where}: refresh() / Session.run_ps of Get-VM",
                domain.refresh,
                lambda: by_hand(ONE.format(domain.native_id)),
                target=0.15,
                runs=few,
            )
        else:
            print("left out: Session.run_ps, which needs a PowerShell (HVSDK_POWERSHELL)", file=sys.stderr)
    yield from _by_smb(few)
    with hvsdk_simulators.start("hyperv", domains=many, engine=engine) as server, _connect(server) as host:
        where = f"Hyper-V, {many:,} domains"
        yield _sends(f"{where}: request lines of domains()", server, host.domains)
        if engine == "powershell":
            by_hand = _run_ps(server)
            yield compare(
                f"{where}: summary / Session.run_ps of five properties",
                host.domains,
                lambda: by_hand(ALL),
                target=1.0,
                runs=1,
            )


def _by_smb(runs: int) -> Iterator[Row]:
    """Measure reading of a disk by SMB, where there is a Samba for it."""
    if lacks := Samba.missing():
        print(f"left out: reading disks by SMB, which needs {' and '.join(lacks)} (Debian: samba)", file=sys.stderr)
        return
    with hvsdk_simulators.start("hyperv", domains=0, engine="python") as server, _connect(server) as host:
        disk = hvsdk.DiskSpec(size=DISK_BYTES, hints={"hyperv.provisioning": "fixed"})
        spec = hvsdk.DomainSpec(name="read", vcpus=1, memory="512MiB", disks=[disk])
        domain = host.create_domain(spec)
        with Samba(server) as samba, _connect(server, disk_io="smb", smb_port=samba.port) as other:
            by_smb = other.domain(domain.native_id)
            yield compare(
                f"Hyper-V: reading {DISK_BYTES >> 20} MiB of a disk by SMB / through WinRM",
                lambda: _read(by_smb),
                lambda: _read(domain),
                target=0.5,
                runs=runs,
            )


def _read(domain: hvsdk.Domain) -> None:
    with domain.open_disk(domain.info.disks[0]) as reader:
        for offset in range(0, reader.size, PIECE_BYTES):
            reader.read(offset, PIECE_BYTES)


def _powershell() -> str | None:
    return os.environ.get("HVSDK_POWERSHELL") or (str(_TOOL) if _TOOL.exists() else shutil.which("pwsh"))


def _connect(server: hvsdk_simulators.Running, **options: Any) -> hvsdk.Host:
    wishes = {"password": server.password, "verify": server.fingerprint or True, "transport": "basic", "timeout": 120.0}
    return hvsdk.connect(server.url, **wishes | options)


def _run_ps(server: hvsdk_simulators.Running) -> Callable[[str], str]:
    """Return what runs a script as pywinrm's users do."""
    url = urlsplit(server.url)
    target = f"https://{url.hostname}:{url.port}/wsman"
    session = winrm.Session(
        target, (server.username, server.password), transport="basic", server_cert_validation="ignore"
    )

    def run(script: str) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = session.run_ps(script)
        if answer.status_code:
            raise RuntimeError(answer.std_err.decode(errors="replace"))
        return answer.std_out.decode(errors="replace")

    return run


def _requests(name: str, server: hvsdk_simulators.Running, work: Callable[[], object], target: int) -> Row:
    with contextlib.suppress(hvsdk.errors.PowerStateError):
        work()
    server.reset_counts()
    with contextlib.suppress(hvsdk.errors.PowerStateError):
        work()
    return Row(name=name, ratio=float(_counted(server)), target=float(target))


def _sends(name: str, server: hvsdk_simulators.Running, work: Callable[[], object]) -> Row:
    server.reset_counts()
    work()
    return Row(name=name, ratio=float(server.counts().get("Send", 0)), target=1.0)


def _counted(server: hvsdk_simulators.Running) -> int:
    return sum(count for name, count in server.counts().items() if "/" not in name or name == "/connections")
