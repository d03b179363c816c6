"""What Windows says, in hvsdk's words, whatever its language."""

from __future__ import annotations

from typing import Any

import hvsdk
import pytest
import requests
from hvsdk.driver import Operation, PowerState, errors
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError

from hvsdk_hyperv._errors import translate
from hvsdk_hyperv._login_errors import refusal
from hvsdk_hyperv._refused import RefusedError
from hvsdk_hyperv._shell import ShellEndedError
from hvsdk_hyperv._wsman import AnswerError

CALL = Operation(id="1", verb="start", native_id="x")
OPEN = Operation(id="1", verb="open")
LIST = Operation(id="1", verb="list_volumes")


def refused(**answer: Any) -> RefusedError:
    return RefusedError({"message": "Das Objekt wurde nicht gefunden."} | answer)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"id": "InvalidState,Microsoft.HyperV.PowerShell.Commands.SetVM"}, errors.PowerStateError),
        ({"id": "ObjectNotFound,x", "category": "ObjectNotFound"}, errors.DomainNotFoundError),
        ({"id": "AccessDenied,x", "category": "PermissionDenied"}, errors.PermissionDeniedError),
        ({"id": "OutOfMemory,x", "category": "FromStdErr"}, errors.InsufficientResourcesError),
        ({"id": "OperationFailed,NewVhd", "hresults": ["0x80131500", "0x80070050"]}, errors.AlreadyExistsError),
        ({"id": "OperationFailed,NewVhd", "hresults": ["0x80070070"]}, errors.InsufficientResourcesError),
        ({"id": "ObjectInUse,Microsoft.Vhd.PowerShell.Cmdlets.GetVHD", "category": "ResourceBusy"}, errors.BusyError),
        ({"id": "CommandNotFoundException", "category": "ObjectNotFound"}, errors.UnsupportedError),
        ({"id": "OperationFailed,x", "category": "NotSpecified"}, errors.OperationFailedError),
        ({"id": "Unspecified,x", "category": "ResourceExists"}, errors.AlreadyExistsError),
        ({"kind": "GuestAgent", "details": {"not_yet": True}}, errors.GuestAgentError),
        ({"kind": "Cancelled"}, errors.CancelledError),
        ({"kind": "DiskNotFound"}, errors.DiskNotFoundError),
        ({"kind": "NoSuchKind"}, errors.OperationFailedError),
    ],
)
def test_an_error_of_the_host_is_ours_by_number_id_or_category(
    answer: dict[str, Any], kind: type[errors.HvsdkError]
) -> None:
    error = translate(refused(**answer), CALL)
    assert type(error) is kind
    assert str(error).startswith("Das Objekt")


def test_what_a_script_tells_beside_its_message_is_kept() -> None:
    error = translate(refused(kind="PowerState", details={"state": "Off", "unknown": 1}), CALL)
    assert isinstance(error, errors.PowerStateError)
    assert error.state is PowerState.SHUTOFF
    agent = translate(refused(kind="GuestAgent", details={"not_yet": True, "hint": "wait"}), CALL)
    assert isinstance(agent, errors.GuestAgentError)
    assert (agent.not_yet, agent.hint) == (True, "wait")


def test_a_file_that_is_open_elsewhere_is_lasting() -> None:
    error = translate(refused(hresults=["0x80070020"]), LIST)
    assert isinstance(error, errors.BusyError)
    assert (error.lasting, error.native_code) == (True, "0x80070020")


def fault(number: int | None = None, subcode: str | None = None) -> WSManFaultError:
    return WSManFaultError(500, "m", "<x/>", "so it is", "s:Receiver", subcode, number)


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (fault(5), errors.PermissionDeniedError),
        (fault(2150859173), errors.BusyError),
        (fault(2150859174), errors.BusyError),
        (fault(2150859179), errors.BusyError),
        (fault(2150858843), errors.ConnectionLostError),
        (fault(995), errors.ConnectionLostError),
        (fault(None, "w:AccessDenied"), errors.PermissionDeniedError),
        (fault(4711), errors.OperationFailedError),
        (refusal(InvalidCredentialsError("no"), "ntlm"), errors.AuthenticationError),
        (refusal(PermissionError("no challenge token"), "ntlm"), errors.AuthenticationError),
        (WinRMTransportError("http", 500, "x"), errors.ConnectionLostError),
        (WinRMOperationTimeoutError(), errors.ConnectionLostError),
        (ShellEndedError("gone"), errors.ConnectionLostError),
        (AnswerError("what?"), errors.ConnectionLostError),
        (requests.ConnectionError("x"), errors.ConnectionLostError),
        (requests.ReadTimeout("x"), errors.ConnectionLostError),
        (TimeoutError("x"), errors.ConnectionLostError),
    ],
)
def test_what_goes_wrong_on_the_wire_is_ours(exc: Exception, kind: type[errors.HvsdkError]) -> None:
    assert type(translate(exc, CALL)) is kind
    if kind is errors.ConnectionLostError:
        assert type(translate(exc, OPEN)) is errors.ConnectError


def test_quotas_say_what_to_raise() -> None:
    error = translate(fault(2150859173), OPEN)
    assert error is not None
    assert "MaxShellsPerUser" in str(error)


def test_a_bug_of_ours_stays_one() -> None:
    assert translate(KeyError("x"), CALL) is None


@pytest.mark.parametrize(
    ("url", "told"),
    [("hyperv://a@127.0.0.1:1", "Connection refused"), ("hyperv://a@nosuch.invalid", "name of the host is not known")],
)
def test_a_host_that_cannot_be_reached_is_told_with_the_reason(url: str, told: str) -> None:
    with pytest.raises(errors.ConnectError, match=told):
        hvsdk.connect(url, password="x", timeout=20)


@pytest.mark.parametrize(
    ("verb", "answer", "hint"),
    [
        ("clone", {"kind": "PowerState", "details": {"state": "Running"}}, "full clone"),
        ("create_snapshot", {"kind": "PowerState", "details": {"state": "Off"}}, "leave quiesce"),
        ("attach_disk", {"kind": "VolumeNotFound"}, "lists them"),
        ("create_domain", {"id": "InvalidParameter,Set-VMProcessor", "category": "InvalidArgument"}, "processors"),
    ],
)
def test_what_says_nothing_of_what_to_do_is_given_a_hint(verb: str, answer: dict[str, Any], hint: str) -> None:
    error = translate(refused(**answer), Operation(id="1", verb=verb, backend="hyperv", host="h"))
    assert hint in (error.hint or "")  # type: ignore[union-attr]


def test_a_hint_about_limits_is_not_given_where_something_else_was_refused() -> None:
    error = translate(refused(kind="InvalidSpec"), Operation(id="1", verb="create_domain", backend="hyperv", host="h"))
    assert error is not None
    assert error.hint is None


def test_a_disk_that_another_domain_has_does_not_keep_a_domain_from_going() -> None:
    deletion = Operation(id="1", verb="delete", backend="hyperv", host="h", arguments={"disks": "delete"})
    error = translate(refused(kind="Busy", details={"lasting": True, "hint": "detach it there first"}), deletion)
    assert error is not None
    assert error.hint == 'detach it there first; disks="keep" removes the domain alone'


def test_a_path_without_winrm_is_told_from_a_server_that_is_not_there() -> None:
    error = translate(WinRMTransportError("http", 404, ""), OPEN)
    assert error is not None
    assert "no WinRM at that path" in str(error)
    error = translate(WinRMTransportError("http", 500, "<html>"), OPEN)
    assert type(error) is errors.ConnectError
    assert "5986" in str(error)


def test_a_limit_of_winrm_says_how_it_is_raised() -> None:
    error = translate(WSManFaultError(500, "m", "<x/>", "too many", "s:Receiver", "", 2150859173), CALL)
    assert error is not None
    assert "winrm set winrm/config/winrs '@{MaxShellsPerUser=\"100\"}'" in str(error.hint)
