"""Sessions: renewed in the middle of whatever is going on, one for each host, and always logged out."""

from __future__ import annotations

import gc
import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from vmware_disks import MIB, write
from vmware_support import Raw, connect, eventually, opened, some, soon


@pytest.fixture
def own(make_center: Callable[..., Running]) -> Running:
    """A vCenter of the test's own."""
    return make_center()


@pytest.mark.parametrize(
    "method",
    [
        "CreateContainerView",
        "RetrievePropertiesEx",
        "FindAllByUuid",
        "PowerOnVM_Task",
        "CreatePropertyCollector",
        "CreateFilter",
        "WaitForUpdatesEx",
        "DestroyPropertyFilter",
        "ReconfigVM_Task",
        "RetrieveServiceContent",
    ],
)
def test_a_session_that_ends_in_the_middle_of_a_call_is_renewed(own: Running, method: str) -> None:
    with connect(own) as host:
        domain = some(host)
        own.reset_counts()
        own.fault(f"{method}:session-expired:1")
        host.info()
        host.domains(full=True)
        assert host.domain(str(domain.uuid)) == domain
        own.fault("PowerOnVM_Task:task-slow=0.3:1")
        domain.start()
        domain.set_notes("noted")
        assert (domain.power_state, domain.notes) == ("running", "noted")
        assert own.counts()[method] >= 1
        assert own.counts()["Login"] <= 2


def test_a_session_that_ends_between_pages_is_renewed(make_center: Callable[..., Running]) -> None:
    center = make_center(domains=9)
    with connect(center, page_size=2) as host:
        whole = host.domains()
        center.fault("ContinueRetrievePropertiesEx:session-expired:1")
        assert host.domains() == whole
        assert len(whole) == 9


def test_a_host_that_nobody_uses_any_more_is_logged_out(own: Running) -> None:
    host = connect(own)
    host.domains()
    assert len(own.sessions()) == 1
    del host

    def gone() -> bool:
        gc.collect()
        return own.sessions() == []

    assert eventually(gone)


@pytest.fixture
def in_a_process(own: Running) -> Callable[[str], None]:
    """Run code in an interpreter of its own, which has to end well and to say nothing; `host` is connected there."""

    def run(code: str) -> None:
        head = (
            "import hvsdk, os, sys, threading, time\n"
            "host = hvsdk.connect(sys.argv[1], password=sys.argv[2], verify=sys.argv[3])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", head + code, own.url, own.password, own.fingerprint],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")

    return run


def test_an_interpreter_that_ends_logs_out(own: Running, in_a_process: Callable[[str], None]) -> None:
    in_a_process("watch = host.watch()\nassert host.domains()\n")
    assert eventually(lambda: own.sessions() == [])


def test_a_forked_child_leaves_its_parents_session_alone(own: Running, in_a_process: Callable[[str], None]) -> None:
    own.reset_counts()
    in_a_process(
        "before = len(host.domains(full=True))\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    fine = len(host.domains(full=True)) == before\n"
        "    host.close()\n"
        "    os._exit(0 if fine else 1)\n"
        "_, status = os.waitpid(child, 0)\n"
        "assert len(host.domains(full=True)) == before\n"
        "sys.exit(os.waitstatus_to_exitcode(status))\n"
    )
    assert own.counts()["Login"] == 2, "one each, and none was renewed"
    assert eventually(lambda: own.sessions() == [])


def test_a_forked_child_leaves_what_its_parent_reads_alone(own: Running, in_a_process: Callable[[str], None]) -> None:
    raw = Raw(own)
    write(own, raw.make_vm("read"), {0: hashlib.shake_256(b"seed").digest(12 * MIB)})
    raw.close()
    own.reset_counts()
    in_a_process(
        "(domain,) = host.domains(name='read')\n"
        "disk = next(one for one in domain.refresh().disks if one.device == 'disk')\n"
        "with domain.open_disk(disk) as reader:\n"
        "    reader.read(0, 1)\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        host.close()\n"
        "        os._exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "    reader.read(1 << 20, 11 << 20)\n"
        "host.close()\n"
    )
    assert own.counts()["/nfc"] == 1, "the stream of the disk did not break"


def test_a_child_that_is_forked_while_an_answer_is_read_goes_on(
    own: Running, in_a_process: Callable[[str], None]
) -> None:
    own.fault("RetrievePropertiesEx:trickle:1")
    in_a_process(
        "threading.Thread(target=host.domains, daemon=True).start()\n"
        "time.sleep(1)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if len(host.domains()) == 4 else 1)\n"
        "os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )


def test_a_session_that_is_renewed_while_its_connection_is_closed_ends(own: Running) -> None:
    with opened(own) as driver:
        own.act("expire-sessions")
        own.fault("Login:slow=0.5:1")
        own.reset_counts()
        failures: list[BaseException] = []

        def read() -> None:
            try:
                driver.list_nodes(deadline=soon())
                failures.append(AssertionError("it was read"))
            except BaseException as exc:
                failures.append(exc)

        thread = threading.Thread(target=read)
        thread.start()
        assert eventually(lambda: own.counts().get("Login"))
        driver.close()
        thread.join(20)
        assert [type(one) for one in failures] == [errors.ConnectionLostError]
    assert own.sessions() == []


def test_failed_logins_leave_no_session(own: Running) -> None:
    with pytest.raises(errors.AuthenticationError):
        connect(own, password="wrong")
    own.fault("RetrieveServiceContent:drop-before")
    with pytest.raises(errors.ConnectError):
        connect(own).domains()
    assert own.sessions() == []


def test_many_threads_share_one_host_and_one_session(make_center: Callable[..., Running]) -> None:
    center = make_center(domains=12, hosts=2)
    failures: list[BaseException] = []
    with connect(center) as host:
        domains = host.domains()

        def work(number: int) -> None:
            try:
                domain = host.domain(domains[number % len(domains)].native_id)
                domain.set_notes(f"by {number}")
                assert len(host.domains(full=True)) == 12
                domain.set_metadata({f"key{number}": str(number)})
                assert domain.refresh().metadata[f"key{number}"] == str(number)
            except BaseException as exc:
                failures.append(exc)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
        for number, thread in enumerate(threads):
            thread.start()
            if number == 12:
                center.act("expire-sessions")
        for thread in threads:
            thread.join(60)
        assert failures == []
        assert len(center.sessions()) == 1
    assert center.sessions() == []
