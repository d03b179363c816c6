"""What XAPI refuses, and what goes wrong on the wire, in hvsdk's words."""

from __future__ import annotations

import errno
import http.client
import pickle
import socket
import ssl

import pytest
import XenAPI
from hvsdk.connections import UnreachableError
from hvsdk.driver import Operation, PowerState, errors
from xen_support import load_reference

from hvsdk_xen._error_table import HINTS, TABLE
from hvsdk_xen._errors import translate
from hvsdk_xen._rpc import AnswerError

SPOKEN = {
    *("OPERATION_BLOCKED", "VM_BAD_POWER_STATE", "VM_MISSING_PV_DRIVERS", "VM_LACKS_FEATURE", "NO_HOSTS_AVAILABLE"),
    *("HOST_NOT_ENOUGH_FREE_MEMORY", "HANDLE_INVALID", "UUID_INVALID"),
}
"""Codes whose parameters are told in words, or are references."""
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
            assert code in SPOKEN or all(name.strip() in str(error) for name in parameters), code
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
        ("CANNOT_CONTACT_HOST", errors.OperationFailedError),
        ("TLS_CONNECTION_FAILED", errors.OperationFailedError),
        ("HOST_IN_EMERGENCY_MODE", errors.ConnectionLostError),
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


REF = "OpaqueRef:b36c2f4a-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("verb", "details", "words"),
    [
        ("start", ("OPERATION_BLOCKED", REF, "HVSDK_FENCED: moved"), "start is refused: domain 'web' is fenced: moved"),
        ("start", ("OPERATION_BLOCKED", REF, "audit"), "start is blocked on domain 'web': audit"),
        ("suspend", ("VM_MISSING_PV_DRIVERS", REF), "suspend needs the tools in the guest of domain 'web'"),
        (
            "clone",
            ("VM_BAD_POWER_STATE", REF, "halted", "running"),
            "'web' is running, and clone wants it to be shutoff",
        ),
        ("unpause", ("VM_BAD_POWER_STATE", REF, "paused", "Halted"), "'web' is shutoff"),
        ("start", ("NO_HOSTS_AVAILABLE",), "no host of the pool can take domain 'web' now"),
        (
            "start",
            ("HOST_NOT_ENOUGH_FREE_MEMORY", str(4 << 30), str(1 << 30)),
            "4,096 MiB of memory, and the host has 1,0",
        ),
        ("start", ("HOST_NOT_ENOUGH_FREE_MEMORY", "odd"), "odd of memory"),
        ("pause", ("HOST_OFFLINE", REF), "does not answer the pool: it was not carried out"),
        ("start", ("UUID_INVALID", "VM", "211a"), "there is no VM 211a at this pool"),
        ("start", ("VM_REQUIRES_SR", REF, "a pool"), "VM_REQUIRES_SR: a pool (domain 'web')"),
        ("start", ("SR_HAS_NO_PBDS",), "SR_HAS_NO_PBDS (domain 'web')"),
    ],
)
def test_what_is_refused_is_told_in_words_with_the_domains_name(verb, details, words):
    error = translate(XenAPI.Failure(list(details)), Operation(id="1", verb=verb, native_id="a-vm", domain="web"))
    assert words in error.message
    assert details[0] in error.message
    assert "OpaqueRef" not in str(error)


def test_a_refused_state_is_told_as_one_of_ours():
    assert told("VM_BAD_POWER_STATE", REF, "halted", "running", verb="clone").state is PowerState.RUNNING
    assert told("VM_BAD_POWER_STATE", REF, "running", "halted").state is PowerState.SHUTOFF
    assert told("VM_BAD_POWER_STATE", REF).state is None


@pytest.mark.parametrize(
    ("verb", "step"),
    [("reboot", "reset()"), ("shutdown", "then='power_off'"), ("migrate", "off, it moves"), ("suspend", "")],
)
def test_what_wants_tools_says_what_does_without_them(verb, step):
    for code in ("VM_LACKS_FEATURE", "VM_MISSING_PV_DRIVERS"):
        assert step in told(code, REF, verb=verb).hint
        assert "install" in told(code, REF, verb=verb).hint


def test_a_clone_of_a_running_domain_says_what_to_do():
    assert "shut it down" in told("VM_BAD_POWER_STATE", REF, "halted", "running", verb="clone").hint


def test_what_a_role_lacks_names_the_role_that_has_it():
    assert "role vm-power-admin" in told("RBAC_PERMISSION_DENIED", "async.vm.snapshot", "No permission").hint
    assert "vm.something_new" in told("RBAC_PERMISSION_DENIED", "vm.something_new", "No permission").message


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


def test_a_host_that_is_not_heard_is_about_the_domain_on_it_only():
    assert type(told("HOST_OFFLINE", verb="suspend")) is errors.PowerStateError
    assert type(told("HOST_OFFLINE", verb="migrate")) is errors.OperationFailedError
    assert type(told("HOST_OFFLINE", native_id=None)) is errors.OperationFailedError
    assert type(told("HOST_OFFLINE", verb="open", native_id=None)) is errors.ConnectError


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
    assert type(translate(exc, Operation(id="1", verb="open"))) is errors.ConnectError


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
