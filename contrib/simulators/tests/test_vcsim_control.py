"""The control door of the simulator of vSphere: counts, sessions, faults and actions."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from hvsdk_simulators import ControlError, Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, done, eventually, fetch, running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(domains=12, hosts=2) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    server.clear_faults()
    with connected(server) as made:
        yield made
    server.clear_faults()


@pytest.fixture
def vm(client: Client) -> Any:
    return client.vms("poweredOff")[0]


def annotate(vm: Any, text: str) -> Any:
    return vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation=text))


def test_calls_are_counted_by_method_and_bytes_by_path(server: Running, client: Client) -> None:
    server.reset_counts()
    assert client.content.sessionManager.currentSession
    assert client.content.sessionManager.currentSession
    assert server.counts() == {"Fetch": 2}
    assert server.bytes_sent().keys() == {"/sdk"} == server.bytes_received().keys()


def test_an_expired_session_must_log_in_again(server: Running, client: Client, vm: Any) -> None:
    count = len(server.sessions())
    assert server.act("expire-sessions") == count >= 1
    assert server.sessions() == []
    with pytest.raises(vim.fault.NotAuthenticated):
        annotate(vm, "x")


def test_an_error_of_the_product_is_told_and_nothing_is_done(server: Running, vm: Any) -> None:
    before = vm.config.annotation
    server.fault("ReconfigVM_Task:error=NoPermission,none of your business:1")
    with pytest.raises(vim.fault.NoPermission) as refused:
        annotate(vm, "changed")
    assert refused.value.msg == "none of your business"
    assert vm.config.annotation == before
    assert server.faults()[0] == {
        "spec": "ReconfigVM_Task:error=NoPermission,none of your business:1",
        "left": 0,
        "taken": 1,
    }


@pytest.mark.parametrize(
    "code", ["DuplicateName", "InvalidPowerState", "NotAuthenticated", "NoDiskSpace", "FileLocked"]
)
def test_a_task_can_fail_with_each_error_of_the_product(server: Running, vm: Any, code: str) -> None:
    server.fault(f"ReconfigVM_Task:task-error={code},it is so:1")
    with pytest.raises(getattr(vim.fault, code)) as failed:
        done(annotate(vm, "x"))
    assert failed.value.msg == "it is so"


def test_a_slow_task_runs_until_it_ends_and_can_be_canceled(server: Running, vm: Any) -> None:
    server.fault("ReconfigVM_Task:task-slow=0.3:1")
    task = annotate(vm, "late")
    assert task.info.state == "running"
    assert done(task) is None
    assert vm.config.annotation == "late"
    server.fault("ReconfigVM_Task:task-slow=60:1")
    task = annotate(vm, "never")
    task.CancelTask()
    with pytest.raises(vmodl.fault.RequestCanceled):
        done(task)


@pytest.mark.parametrize(("action", "happens"), [("drop-before", False), ("drop-after", True), ("half-answer", True)])
def test_a_cut_connection_says_nothing_of_what_was_done(
    server: Running, client: Client, vm: Any, action: str, happens: bool
) -> None:
    text = f"{action} was here"
    server.fault(f"ReconfigVM_Task:{action}:1")
    with pytest.raises((OSError, http.client.HTTPException)):
        annotate(vm, text)
    client.stub.DropConnections()
    if happens:
        eventually(lambda: vm.config.annotation == text)
    else:
        assert vm.config.annotation != text


def test_a_task_that_has_vanished_is_not_found_but_its_work_is_done(server: Running, vm: Any) -> None:
    server.fault("ReconfigVM_Task:task-vanish:1")
    task = annotate(vm, "vanished")
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        assert task.info
    eventually(lambda: vm.config.annotation == "vanished")


def test_a_session_can_end_before_a_call(server: Running, vm: Any) -> None:
    server.fault("ReconfigVM_Task:session-expired:1")
    with pytest.raises(vim.fault.NotAuthenticated):
        annotate(vm, "x")


@pytest.mark.parametrize(
    "wrong",
    ["", "x", "x:burn", "x:drop-before:0", "x:slow", "x:slow=-1", "x:error=Nonsense", "x:error=InvalidPropertyFault"],
)
def test_what_is_no_fault_is_refused(server: Running, wrong: str) -> None:
    with pytest.raises(ControlError):
        server.fault(wrong)


def test_an_unknown_action_is_answered_with_those_that_there_are(server: Running) -> None:
    with pytest.raises(ControlError, match="expire-sessions"):
        server.act("burn")
    with pytest.raises(ControlError, match="no virtual machine"):
        server.act("guest", vm="nobody")
    with pytest.raises(ControlError, match="unknown field"):
        server.act("guest", colour="blue")


@pytest.mark.parametrize("state", ["inaccessible", "orphaned"])
def test_a_lost_virtual_machine_tells_next_to_nothing(server: Running, client: Client, state: str) -> None:
    lost = client.vms("poweredOff")[-1]
    name = lost.name
    server.act("inaccessible", vm=lost.config.instanceUuid, state=state)
    assert lost.runtime.connectionState == state
    assert (lost.name, lost.config, lost.guest) == (name, None, None)
    with pytest.raises(vim.fault.InvalidState):
        lost.PowerOffVM_Task()
    lost.UnregisterVM()
    assert lost not in client.all(vim.VirtualMachine)


def test_latency_makes_each_answer_late() -> None:
    with running(domains=0, latency=0.05) as server, connected(server) as client:
        assert client.content.about.apiVersion
        assert server.counts()["Login"] == 1


def test_an_error_of_http_is_no_answer_of_the_api(server: Running, client: Client) -> None:
    server.fault("/screen:http-500:1")
    with pytest.raises(HTTPError, match="500") as broken:
        fetch(server, f"https://127.0.0.1:{server.members[0]['port']}/screen?id=vm-1")
    broken.value.close()


def test_an_answer_that_trickles_arrives(server: Running, client: Client) -> None:
    server.fault("/rest/*:trickle:1")
    secret = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    url = f"https://127.0.0.1:{server.members[0]['port']}/rest/com/vmware/cis/session"
    assert b"value" in fetch(server, url, data=b"", Authorization=f"Basic {secret}")
    assert server.faults()[0]["taken"] == 1


def test_a_restart_ends_sessions_tasks_and_connections_but_no_virtual_machine(
    server: Running, client: Client, vm: Any
) -> None:
    task = annotate(vm, "before the restart")
    done(task)
    names = [one.name for one in client.vms()]
    server.act("restart")
    assert (server.sessions(), server.tasks()) == ([], [])
    client.stub.DropConnections()
    with pytest.raises(vim.fault.NotAuthenticated):
        annotate(vm, "x")
    with connected(server) as again:
        assert [one.name for one in again.vms()] == names
