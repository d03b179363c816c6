"""Servers that trickle or stand still cost a fleet no more than their deadline, and do not keep the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import hvsdk_simulators
import pytest
from hvsdk_simulators import Running

PROGRAM = """
import json, sys, time
import hvsdk

fleet = hvsdk.Fleet(json.loads(sys.stdin.read()), deadline=10)
began = time.monotonic()
found = fleet.domains(include=["config"])
kinds = {failure.host: failure.kind for failure in found.failures}
said = [str(failure) for failure in found.failures]
print(json.dumps({"kinds": kinds, "said": said, "answered": found.answered, "seconds": time.monotonic() - began}), flush=True)
"""


@pytest.fixture
def servers() -> Iterator[dict[str, Running]]:
    kinds = {
        "xen": "xapi",
        "xen-trickles": "xapi",
        "xen-frozen": "xapi",
        "hyperv-trickles": "hyperv",
        "hyperv-frozen": "hyperv",
    }
    with ExitStack() as stack:
        yield {name: stack.enter_context(hvsdk_simulators.start(kind, domains=20)) for name, kind in kinds.items()}


def test_the_process_leaves_soon_whatever_trickles_or_stands_still(servers: dict[str, Running]) -> None:
    hosts: dict[str, Any] = {
        name: {"url": server.url, "password": server.password, "verify": server.fingerprint, "timeout": 600}
        for name, server in servers.items()
    }
    hosts["xen"]["deadline"] = 60  # it answers, however busy the machine is
    frozen = [server.pid for name, server in servers.items() if name.endswith("-frozen")]
    for name, server in servers.items():
        if name.endswith("-trickles"):
            server.fault("*:trickle:1000")
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdin is not None
    assert program.stdout is not None
    with program:
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            program.stdin.write(json.dumps(hosts))
            program.stdin.close()
            told = json.loads(program.stdout.readline())
            began = time.monotonic()
            assert program.wait(30) == 0
            assert time.monotonic() - began < 5
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
            program.kill()
    assert told["answered"] == ["xen"], told["said"]
    assert told["kinds"] == dict.fromkeys(sorted(servers.keys() - {"xen"}), "OperationTimeout"), told["said"]
    assert told["seconds"] < 60
