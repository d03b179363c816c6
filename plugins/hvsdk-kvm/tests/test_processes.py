"""Forks, exits and daemons that stop answering: what happens to a process that holds a connection."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import hvsdk
import pytest
from hvsdk import errors
from hvsdk_testbed.bootsector import make_disk
from hvsdk_testbed.domainxml import DiskXML, domain_xml
from hvsdk_testbed.libvirtd import PrivateLibvirtd
from kvm_support import eventually

FORK = """
import os, sys, hvsdk
host = hvsdk.connect(sys.argv[1])
assert [d.name for d in host.domains(full=True)] == ["d"]
if (child := os.fork()) == 0:
    code = 2
    try:
        code = 0 if [d.name for d in host.domains(full=True)] == ["d"] and "fork" in host.why_not("watch") else 1
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert [d.name for d in host.domains()] == ["d"]
host.domain("d").set_notes("the parent's connection still works")
"""

FORK_AND_LEAVE = """
import os, sys, hvsdk
host = hvsdk.connect(sys.argv[1])
assert [d.name for d in host.domains(full=True)] == ["d"]
if (child := os.fork()) == 0:
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
host.domain("d").set_notes("the parent's connection still works")
assert host.native().isAlive()
"""

LEAVE = """
import sys, hvsdk
host = hvsdk.connect(sys.argv[1])
watch = host.watch()
print(len(host.domains(full=True)))
"""


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("program", [FORK, FORK_AND_LEAVE])
def test_a_forked_child_connects_anew_and_leaves_the_parents_connection_alone(program: str) -> None:
    with PrivateLibvirtd() as daemon:
        with hvsdk.connect(daemon.uri) as host:
            host.native().defineXML(domain_xml("d"))
        run(program, daemon.uri)


def test_a_process_ends_with_a_connection_and_a_watch_open(libvirtd: PrivateLibvirtd) -> None:
    assert run(LEAVE, libvirtd.uri).strip().isdigit()


def test_a_process_ends_though_the_daemon_is_frozen() -> None:
    program = LEAVE + "sys.stdout.flush(); sys.stdin.readline()\n"
    with PrivateLibvirtd() as daemon:
        child = subprocess.Popen(
            [sys.executable, "-c", program, daemon.uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdin is not None
        assert child.stdout is not None
        with child:
            child.stdout.readline()
            daemon.freeze()
            child.stdin.write("\n")
            child.stdin.flush()
            try:
                assert child.wait(timeout=10) == 0
            finally:
                child.kill()
                daemon.thaw()


def test_a_verb_on_a_frozen_daemon_is_of_unknown_outcome_and_ends_in_time() -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(PrivateLibvirtd())
        patient = stack.enter_context(hvsdk.connect(daemon.uri))  # to define and start takes as long as it takes
        disk = make_disk(daemon.pool_directory / "d.qcow2", "d")
        patient.native().defineXML(domain_xml("d", [DiskXML(path=disk)]))
        patient.domain("d").start()
        host = stack.enter_context(hvsdk.connect(daemon.uri, timeout=4))
        d = host.domain("d")
        daemon.freeze()
        began = time.monotonic()
        with pytest.raises((errors.OutcomeUnknownError, errors.OperationTimeoutError, errors.ConnectError)):
            d.pause(timeout=6)
        assert time.monotonic() - began < 20
        daemon.thaw()
        assert eventually(lambda: _is_there(host))
        d.pause()
        assert d.power_state == "paused"


def _is_there(host: hvsdk.Host) -> bool:
    try:
        return len(host.domains()) == 1
    except errors.HvsdkError:
        return False


def test_threads_share_one_connection(libvirtd: PrivateLibvirtd) -> None:
    with hvsdk.connect(libvirtd.uri) as host:
        host.native().defineXML(domain_xml("shared"))
        failures: list[BaseException] = []

        def read() -> None:
            try:
                for _ in range(10):
                    assert "shared" in [domain.name for domain in host.domains(include=("config",))]
            except BaseException as exc:
                failures.append(exc)

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        host.native().lookupByName("shared").undefine()
        assert failures == []


def guests_of(process: subprocess.Popen[bytes]) -> list[str]:
    """Return the ids of the QEMU processes below the root that a process has open."""
    with suppress(OSError):
        files = [os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
        roots = {"/".join(file.split("/")[:3]) for file in files if file.startswith("/tmp/hvsdk-")}
        return [entry.name for entry in Path("/proc").iterdir() if runs_below(entry, roots)]
    return []


def runs_below(entry: Path, roots: set[str]) -> bool:
    command = ""
    with suppress(OSError):
        command = (entry / "cmdline").read_text(errors="replace") if entry.name.isdigit() else ""
    return "qemu-system" in command and any(f"{root}/" in command for root in roots)


@pytest.mark.full
def test_a_test_run_that_is_terminated_leaves_no_guest() -> None:
    test = Path(__file__).with_name("test_devices.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test), "-k", "never_shrinks"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run_of_tests:
        try:
            assert eventually(lambda: guests_of(run_of_tests), 30)
            guests = guests_of(run_of_tests)
            run_of_tests.terminate()
            assert run_of_tests.wait(30) == pytest.ExitCode.INTERRUPTED
        finally:
            run_of_tests.kill()
    assert guests
    assert eventually(lambda: not any(Path(f"/proc/{guest}/exe").exists() for guest in guests))
