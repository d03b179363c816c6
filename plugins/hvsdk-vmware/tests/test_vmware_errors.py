"""Faults and what goes wrong on the wire, in hvsdk's words."""

from __future__ import annotations

import errno
import http.client
import socket
import traceback

import pytest
from hvsdk.driver import Operation, errors
from hvsdk_simulators import Running
from pyVmomi import VmomiSupport, vim, vmodl
from vmware_support import Raw, finished, opened, soon

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._error_table import HINTS, LASTING, NOT_YET, OF_KIND, TABLE
from hvsdk_vmware._errors import translate, words_of

START = Operation(id="1", verb="start", native_id="vm-1")
OPEN = Operation(id="1", verb="open")
LIST = Operation(id="1", verb="list_nodes")


@pytest.mark.parametrize("name", sorted({*TABLE, *OF_KIND, *LASTING, *NOT_YET, *HINTS}))
def test_the_tables_name_what_pyvmomi_knows(name: str) -> None:
    assert VmomiSupport.GetVmodlType(name) is not None


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (vim.fault.InvalidPowerState(existingState="poweredOn", requestedState="poweredOn"), errors.PowerStateError),
        (vim.fault.QuestionPending(text="moved?"), errors.BusyError),
        (vim.fault.InvalidLogin(), errors.AuthenticationError),
        (vim.fault.NoPermission(privilegeId="VirtualMachine.Interact.PowerOn"), errors.PermissionDeniedError),
        (vim.fault.RestrictedVersion(), errors.UnsupportedError),
        (vim.fault.InsufficientHostMemoryCapacityFault(), errors.InsufficientResourcesError),
        (vim.fault.ToolsUnavailable(), errors.GuestAgentError),
        (vim.fault.DuplicateName(name="web"), errors.AlreadyExistsError),
        (vim.fault.ConcurrentAccess(), errors.BusyError),
        (vim.fault.FileNotFound(file="[ds] x"), errors.NotFoundError),
        (vim.fault.InvalidDatastorePath(datastorePath="x"), errors.InvalidSpecError),
        (vmodl.fault.InvalidArgument(invalidProperty="memory"), errors.InvalidSpecError),
        (vmodl.fault.NotSupported(), errors.UnsupportedError),
        (vmodl.fault.RequestCanceled(), errors.CancelledError),
        (vmodl.fault.SystemError(reason="?"), errors.OperationFailedError),
    ],
)
def test_faults_are_what_the_nearest_known_class_is(fault: vmodl.MethodFault, kind: type[errors.HvsdkError]) -> None:
    found = translate(fault, START)
    assert type(found) is kind
    assert found.native_code == type(fault).__name__


@pytest.mark.parametrize(
    ("mo", "kind"),
    [
        (vim.VirtualMachine("vm-1"), errors.DomainNotFoundError),
        (vim.Datastore("datastore-1"), errors.StoragePoolNotFoundError),
        (vim.HostSystem("host-1"), errors.NodeNotFoundError),
        (vim.Task("task-1"), errors.ConnectionLostError),
        (vim.Folder("group-1"), errors.NotFoundError),
        (None, errors.NotFoundError),
    ],
)
def test_what_is_gone_is_named(mo: object, kind: type[errors.HvsdkError]) -> None:
    fault = vmodl.fault.ManagedObjectNotFound()
    object.__setattr__(fault, "obj", mo)
    assert type(translate(fault, START)) is kind


def test_a_power_state_that_is_told_is_passed_on() -> None:
    found = translate(vim.fault.InvalidPowerState(existingState="suspended", requestedState="poweredOn"), START)
    assert isinstance(found, errors.PowerStateError)
    assert found.state == "suspended"


def test_a_host_in_another_state_is_no_domain_in_another_state() -> None:
    assert type(translate(vim.fault.InvalidState(), LIST)) is errors.OperationFailedError
    assert type(translate(vim.fault.InvalidHostState(), START)) is errors.OperationFailedError


def test_messages_tell_what_the_fault_has() -> None:
    found = translate(vim.fault.NoPermission(privilegeId="VirtualMachine.Interact.PowerOn", msg="denied"), START)
    assert "denied" in str(found)
    assert "VirtualMachine.Interact.PowerOn" in str(found)


@pytest.mark.parametrize(
    "exc",
    [
        ConnectionResetError(errno.ECONNRESET, "reset"),
        TimeoutError("late"),
        socket.gaierror(socket.EAI_NONAME, "no such name"),
        http.client.BadStatusLine("x"),
        AnswerError("no XML"),
    ],
)
def test_the_wire_is_a_lost_connection_or_none_at_all(exc: Exception) -> None:
    assert type(translate(exc, START)) is errors.ConnectionLostError
    assert type(translate(exc, OPEN)) is errors.ConnectError


def test_bugs_pass() -> None:
    assert translate(TypeError("a bug"), START) is None


def test_faults_take_notes(center: Running, raw: Raw) -> None:
    made = raw.make_vm("notes")
    center.fault("PowerOnVM_Task:error=FileLocked:1")
    center.fault("PowerOnVM_Task:task-error=FileLocked:1")
    with opened(center) as driver:
        for _ in range(2):
            with pytest.raises(vim.fault.FileLocked) as caught:
                finished(driver.start(made, deadline=soon()))
            caught.value.add_note("hvsdk: noted")
            assert caught.value.__notes__ == ["hvsdk: noted"]
        for no_id in ("<x>", "vm-999999"):
            with pytest.raises(vmodl.fault.ManagedObjectNotFound) as gone:
                driver.subject(no_id, soon())
            gone.value.add_note("hvsdk: noted")
            assert "\nhvsdk: noted" in "".join(traceback.format_exception(gone.value))
    center.clear_faults()
    raw.remove_vm(made)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (vim.fault.DuplicateName(name="cp-1", msg="*types.DuplicateName"), "duplicate name (name=cp-1)"),
        (
            vim.fault.DuplicateName(name="cp-1", msg="The name 'cp-1' is taken."),
            "The name 'cp-1' is taken. (name=cp-1)",
        ),
        (vim.fault.NoDiskSpace(msg="vim.fault.NoDiskSpace", file="[ds] x"), "no disk space (file=[ds] x)"),
        (vim.fault.SSLVerifyFault(), "ssl verify fault"),
    ],
)
def test_messages_are_words_and_no_names_of_types(fault: vmodl.MethodFault, words: str) -> None:
    assert words_of(fault) == words


def test_what_is_not_permitted_says_where_privileges_are_told() -> None:
    found = translate(vim.fault.NoPermission(privilegeId="VirtualMachine.Config.Rename"), START)
    assert "docs/backends/vmware.md" in str(found)
