"""What XAPI refuses, and what goes wrong on the wire, in hvsdk's words."""

from __future__ import annotations

import errno
import http.client
import pickle
import socket
import ssl

import pytest
import XenAPI
from hvsdk.driver import Operation, errors
from xen_support import load_reference

from hvsdk_xen._error_table import HINTS, TABLE
from hvsdk_xen._errors import translate
from hvsdk_xen._rpc import AnswerError
from hvsdk_xen._wire import UnreachableError

NOT_IN_THE_MODEL = {
    "HOST_USER_REQUIRED",
    "SR_BACKEND_FAILURE_44",
    "USER_MUST_CHANGE_PASSWORD",
    "VM_LACKS_FEATURE_SHUTDOWN",
    "VM_LACKS_FEATURE_STATIC_IP_SETTING",
    "VM_LACKS_FEATURE_SUSPEND",
    "VM_LACKS_FEATURE_VCPU_HOTPLUG",
}
"""Codes of plugins, storage drivers and former versions."""


def told(code: str, *parameters: str, verb: str = "start", native_id: str | None = "a-vm") -> errors.HvsdkError:
    operation = Operation(id="1", verb=verb, native_id=native_id)
    error = translate(XenAPI.Failure([code, *parameters]), operation)
    assert error is not None
    return error


@pytest.fixture(scope="session")
def codes(reference) -> dict[str, list[str]]:
    """Every code that is known, with the names of its parameters."""
    extras = load_reference("xenapi-extras.json.gz")
    found = {error["name"]: error["params"] for error in extras["errors"]}
    found |= {code: [] for code in extras["undocumented_codes"]}
    for cls in reference:
        for message in cls["messages"]:
            found |= {error["name"]: found.get(error["name"], []) for error in message.get("errors", ())}
    return found


def test_every_code_of_the_product_is_an_error_with_a_message(codes):
    assert len(codes) > 600
    for code, parameters in codes.items():
        for verb, native_id in (("start", "a-vm"), ("open", None), ("list_domains", None)):
            error = told(code, *parameters, verb=verb, native_id=native_id)
            assert type(error) is not errors.HvsdkError, code
            assert not isinstance(error, errors.SessionExpiredError), code
            assert code in str(error)
            assert all(parameter in str(error) for parameter in parameters), code
            assert error.native_code == code
            assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_table_names_no_code_that_the_product_does_not_know(codes):
    assert set(TABLE) - set(codes) == NOT_IN_THE_MODEL
    assert set(HINTS) <= set(TABLE) | {"SR_BACKEND_FAILURE_44"}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("VM_BAD_POWER_STATE", errors.PowerStateError),
        ("VM_IS_TEMPLATE", errors.PowerStateError),
        ("OPERATION_BLOCKED", errors.PermissionDeniedError),
        ("VM_MISSING_PV_DRIVERS", errors.GuestAgentError),
        ("SESSION_AUTHENTICATION_FAILED", errors.AuthenticationError),
        ("RBAC_PERMISSION_DENIED", errors.PermissionDeniedError),
        ("CANNOT_CONTACT_HOST", errors.ConnectionLostError),
        ("VM_SHUTDOWN_TIMEOUT", errors.OperationTimeoutError),
        ("MESSAGE_METHOD_UNKNOWN", errors.UnsupportedError),
        ("OTHER_OPERATION_IN_PROGRESS", errors.BusyError),
        ("HA_ENABLE_IN_PROGRESS", errors.BusyError),
        ("HOST_NOT_ENOUGH_FREE_MEMORY", errors.InsufficientResourcesError),
        ("SR_BACKEND_FAILURE_44", errors.InsufficientResourcesError),
        ("MEMORY_CONSTRAINT_VIOLATION_ORDER", errors.InvalidSpecError),
        ("TASK_CANCELLED", errors.CancelledError),
        ("MAP_DUPLICATE_KEY", errors.AlreadyExistsError),
        ("SR_BACKEND_FAILURE_1138", errors.OperationFailedError),
        ("SOMETHING_OF_NEXT_YEAR", errors.OperationFailedError),
        ("", errors.OperationFailedError),
    ],
)
def test_what_a_code_is(code, kind):
    assert type(told(code, "details")) is kind


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        ("VM", errors.DomainNotFoundError),
        ("vm", errors.DomainNotFoundError),
        ("VDI", errors.VolumeNotFoundError),
        ("SR", errors.StoragePoolNotFoundError),
        ("VBD", errors.DiskNotFoundError),
        ("VIF", errors.NicNotFoundError),
        ("network", errors.NetworkNotFoundError),
        ("host", errors.NodeNotFoundError),
        ("PBD", errors.NotFoundError),
        ("task", errors.ConnectionLostError),
    ],
)
@pytest.mark.parametrize("code", ["HANDLE_INVALID", "UUID_INVALID"])
def test_what_is_not_there_is_told_by_its_class(code, cls, kind):
    assert type(told(code, cls, "OpaqueRef:1")) is kind


def test_a_failure_without_a_code_says_so():
    error = translate(XenAPI.Failure([]), Operation(id="1", verb="start"))
    assert type(error) is errors.OperationFailedError
    assert "without a reason" in str(error)


def test_use_by_others_does_not_pass_by_itself():
    assert told("VDI_IN_USE").lasting
    assert not told("OTHER_OPERATION_IN_PROGRESS").lasting


def test_a_guest_that_did_not_answer_this_time_may_answer_the_next():
    assert told("VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT").not_yet
    assert not told("VM_MISSING_PV_DRIVERS").not_yet


def test_a_refused_state_of_a_host_is_none_of_a_domain():
    assert type(told("HOST_DISABLED")) is errors.OperationFailedError
    assert type(told("OPERATION_NOT_ALLOWED", native_id=None)) is errors.OperationFailedError


def test_a_session_that_ends_twice_in_a_row_does_not_have_the_verb_repeated():
    assert type(told("SESSION_INVALID", "OpaqueRef:1")) is errors.ConnectionLostError
    assert type(told("SESSION_INVALID", "OpaqueRef:1", verb="open")) is errors.AuthenticationError


@pytest.mark.parametrize(
    "exc",
    [
        ConnectionResetError(errno.ECONNRESET, "reset"),
        BrokenPipeError(errno.EPIPE, "broken"),
        UnreachableError(errno.ECONNREFUSED, "refused"),
        TimeoutError("timed out"),
        socket.gaierror(socket.EAI_NONAME, "unknown name"),
        OSError(errno.EHOSTUNREACH, "no route"),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        http.client.RemoteDisconnected("closed"),
        http.client.IncompleteRead(b"half"),
        AnswerError("the server's answer is no JSON"),
    ],
)
def test_a_broken_wire_is_a_lost_connection_or_none_at_first(exc):
    assert type(translate(exc, Operation(id="1", verb="start"))) is errors.ConnectionLostError
    opening = translate(exc, Operation(id="1", verb="open"))
    assert type(opening) is errors.ConnectError
    assert str(opening)


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (PermissionError(errno.EACCES, "no", "file.iso"), errors.PermissionDeniedError),
        (OSError(errno.ENOSPC, "full"), errors.InsufficientResourcesError),
        (OSError(errno.EMFILE, "too many"), errors.InsufficientResourcesError),
        (IsADirectoryError(errno.EISDIR, "directory"), errors.OperationFailedError),
    ],
)
def test_what_this_machine_refuses_is_no_lost_connection(exc, kind):
    assert type(translate(exc, Operation(id="1", verb="start"))) is kind


def test_a_bug_looks_like_a_bug():
    assert translate(KeyError("name_label"), Operation(id="1", verb="start")) is None
