"""Tickets for consoles."""

from __future__ import annotations

from typing import Any

import hvsdk
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import connect, domain_calls

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._console import console_of

SHA1, SHA256 = ":".join(["AB"] * 20), ":".join(["CD"] * 32)


def running(host: hvsdk.Host) -> hvsdk.Domain:
    return next(domain for domain in host.domains() if domain.power_state == "running")


def ticket(**more: Any) -> vim.VirtualMachine.Ticket:
    wishes = {"ticket": "cafe01", "cfgFile": "x.vmx", "host": "esx1", "port": 443, "sslThumbprint": SHA1} | more
    return vim.VirtualMachine.Ticket(**wishes)


def test_a_console_is_a_web_socket_with_a_ticket(center: Running, host: hvsdk.Host) -> None:
    domain = running(host)
    console = domain.console()
    assert console.kind == "webmks"
    assert console.url == f"wss://{console.host}:{console.port}/ticket/"
    assert console.token
    assert console.fingerprint == center.fingerprint
    calls = domain_calls(center, domain.console)
    assert calls == {"AcquireTicket": 1}


def test_before_8_the_fingerprint_is_sha1(esxi: Running) -> None:
    with connect(esxi) as host:
        console = running(host).console()
        assert console.kind == "webmks"
        assert console.fingerprint is not None
        assert console.fingerprint.startswith("sha1:")


def test_each_ticket_is_another_one_and_is_shown_nowhere(host: hvsdk.Host) -> None:
    domain = running(host)
    first, second = domain.console(), domain.console()
    assert first.token != second.token
    for shown in (repr(first), str(first.to_dict()), str(first.url)):
        assert str(first.token) not in shown


def test_a_domain_that_is_off_or_suspended_has_none(domain: hvsdk.Domain) -> None:
    with pytest.raises(errors.PowerStateError, match="start it first"):
        domain.console()
    domain.start()
    domain.suspend()
    with pytest.raises(errors.PowerStateError):
        domain.console()


def test_a_server_without_web_sockets_gives_a_ticket_for_its_own_protocol(center: Running, host: hvsdk.Host) -> None:
    center.fault("AcquireTicket:error=NotSupported,no:1")
    console = running(host).console()
    assert (console.kind, console.url) == ("mks", None)
    assert console.host
    assert console.port
    assert console.token


def test_what_is_refused_is_said(center: Running, host: hvsdk.Host) -> None:
    center.fault("AcquireTicket:error=NoPermission,no:1")
    with pytest.raises(errors.PermissionDeniedError):
        running(host).console()


def test_a_ticket_without_a_host_is_for_the_one_that_was_asked() -> None:
    found = console_of("webmks", ticket(host=None, port=None), "2001:db8::1")
    assert (found.host, found.port, found.url) == ("2001:db8::1", 443, "wss://[2001:db8::1]:443/ticket/")
    assert console_of("mks", ticket(port=None), None).port == 902


def test_the_url_that_is_told_is_taken_without_its_ticket() -> None:
    assert console_of("webmks", ticket(url="wss://proxy:9443/ticket/cafe01"), None).url == "wss://proxy:9443/ticket/"


@pytest.mark.parametrize(
    "url", ["http://proxy/ticket/cafe01", "wss://cafe01/ticket/cafe01", "wss://proxy/ticket/", "wss://[x/cafe01", "x"]
)
def test_a_url_that_does_not_end_with_the_ticket_is_not_followed(url: str) -> None:
    assert console_of("webmks", ticket(url=url), None).url == "wss://esx1:443/ticket/"


@pytest.mark.parametrize("told", [{"host": "esx1/@evil"}, {"host": "a b"}, {"ticket": ""}, {"host": None}])
def test_a_ticket_that_leads_nowhere_is_no_console(told: dict[str, Any]) -> None:
    with pytest.raises(AnswerError):
        console_of("webmks", ticket(**told), None)


def test_the_best_fingerprint_is_told() -> None:
    prints = [
        vim.vm.CertThumbprint(thumbprint=SHA1, hashAlgorithm="sha1"),
        vim.vm.CertThumbprint(thumbprint=SHA256, hashAlgorithm="sha256"),
    ]
    assert console_of("webmks", ticket(certThumbprintList=prints), None).fingerprint == "sha256:" + "cd" * 32
    assert console_of("webmks", ticket(certThumbprintList=prints[:1]), None).fingerprint == "sha1:" + "ab" * 20
    for nothing in (None, "", "AB:CD", "<x>"):
        assert console_of("webmks", ticket(sslThumbprint=nothing), None).fingerprint is None
