"""Requests that nobody should send: none of them brings the service down or makes it do anything."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from winrm_host import PASSWORD, USER, WinrmHost

HEAD = (
    '<a:Action xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">{action}</a:Action>'
    '<a:MessageID xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">uuid:1</a:MessageID>'
    '<w:ResourceURI xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">'
    "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd</w:ResourceURI>"
)
ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header>{head}</s:Header>'
    "<s:Body>{body}</s:Body></s:Envelope>"
)
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CREATE = HEAD.format(action="http://schemas.xmlsoap.org/ws/2004/09/transfer/Create")
BODY = f'<r:Shell xmlns:r="{SHELL}"/>'
GOOD = ENVELOPE.format(head=CREATE, body=BODY)
SMALL = '<w:MaxEnvelopeSize xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">100</w:MaxEnvelopeSize>'
TIMEOUT = '<w:OperationTimeout xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">soon</w:OperationTimeout>'


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WinrmHost]:
    with WinrmHost(tmp_path_factory.mktemp("winrm")) as running:
        yield running


@pytest.fixture(autouse=True)
def it_still_works(host: WinrmHost) -> Iterator[None]:
    yield
    assert host.shells.show() == []
    assert host.session().run_cmd("echo", ["on"]).std_out == b"on\n"


def post(host: WinrmHost, body: bytes | str, **more: Any) -> requests.Response:
    """Send a body."""
    data = body if isinstance(body, bytes) else body.encode()
    wishes: dict[str, Any] = {"auth": (USER, PASSWORD), "verify": host.certificate, "timeout": 20} | more
    return requests.post(host.url, data, **wishes)


def test_the_request_that_the_others_are_made_of_is_taken(host: WinrmHost) -> None:
    assert post(host, GOOD).status_code == 200
    host.shells.end_all()


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + GOOD.replace("uuid:1", "&b;"),
        '<!DOCTYPE s SYSTEM "file:///etc/passwd">' + GOOD,
        '<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + GOOD.replace("uuid:1", "&x;"),
        "<!-- --><!DOCTYPE s>" + GOOD,
        GOOD.encode("utf-16"),
        GOOD[:-5],
        GOOD.replace("soap-envelope", "another"),
        "<a/>",
        "no XML",
        b"\xff\xfe\x00\x01",
        "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'/>",
    ],
)
def test_what_is_no_envelope_is_a_bad_request(host: WinrmHost, body: bytes | str) -> None:
    assert post(host, body).status_code == 400


@pytest.mark.parametrize(
    ("head", "body", "subcode"),
    [
        ("", BODY, "a:InvalidMessageInformationHeader"),
        (HEAD.format(action="urn:nothing"), BODY, "a:ActionNotSupported"),
        (CREATE.replace("shell/cmd", "shell/other"), BODY, "a:DestinationUnreachable"),
        (CREATE, "", "w:SchemaValidationError"),
        (CREATE, "<Shell/>", "w:SchemaValidationError"),
        (CREATE, BODY.replace("/>", "><r:Argument/></r:Shell>"), "w:SchemaValidationError"),
        (CREATE + SMALL, BODY, "w:EncodingLimit"),
        (CREATE + TIMEOUT, BODY, "w:SchemaValidationError"),
        (HEAD.format(action=f"{SHELL}/Command"), BODY, "w:InvalidSelectors"),
    ],
)
def test_what_lacks_something_is_a_fault(host: WinrmHost, head: str, body: str, subcode: str) -> None:
    answer = post(host, ENVELOPE.format(head=head, body=body))
    found = [one.text for one in ElementTree.fromstring(answer.content).findall(".//{*}Subcode/{*}Value")]
    assert (answer.status_code, found) == (500, [subcode])


@pytest.mark.parametrize("attribute", ['s:mustUnderstand="true"', 's:mustUnderstand="1"', 'mustUnderstand="true"'])
def test_a_header_that_must_be_understood_and_is_not_is_named(host: WinrmHost, attribute: str) -> None:
    answer = post(host, ENVELOPE.format(head=CREATE + f'<q:New xmlns:q="urn:q" {attribute}/>', body=BODY))
    fault = ElementTree.fromstring(answer.content)
    assert answer.status_code == 500
    assert fault.findtext(".//{*}Code/{*}Value") == "s:MustUnderstand"
    named = fault.find(".//{*}NotUnderstood")
    assert named is not None
    assert named.get("qname", "").endswith(":New")


def test_a_header_that_need_not_be_understood_is_passed_over(host: WinrmHost) -> None:
    assert post(host, ENVELOPE.format(head=CREATE + '<q:New xmlns:q="urn:q"/>', body=BODY)).status_code == 200
    host.shells.end_all()


def test_a_request_that_is_too_large_is_not_read(host: WinrmHost) -> None:
    assert post(host, b" " * 600_000).status_code == 413


def test_elements_that_lie_deep_are_no_trouble(host: WinrmHost) -> None:
    assert post(host, ENVELOPE.format(head=CREATE, body="<a>" * 20_000 + "</a>" * 20_000)).status_code == 500


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Basic " + base64.b64encode(b"Administrator").decode(),
        "Negotiate",
        "Negotiate !!!",
        "Negotiate " + base64.b64encode(b"NTLMSSP\0\3garbage").decode(),
        "Negotiate " + base64.b64encode(b"\x60\x82\xff\xff").decode(),
        "Bearer x",
    ],
)
def test_a_login_that_is_none_is_refused(host: WinrmHost, given: str) -> None:
    headers = {"Authorization": given} if given else {}
    answer = post(host, GOOD, auth=None, headers=headers)
    assert answer.status_code == 401
    assert answer.content == b""
    assert "Negotiate" in answer.headers["WWW-Authenticate"]


def test_who_it_is_can_be_asked_without_a_login(host: WinrmHost) -> None:
    identify = ENVELOPE.format(
        head="", body='<i:Identify xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/>'
    )
    answer = post(host, identify, auth=None, headers={"WSMANIDENTIFY": "unauthenticated"})
    assert answer.status_code == 200
    assert ElementTree.fromstring(answer.content).findtext(".//{*}ProductVendor") == "Microsoft Corporation"
    assert post(host, GOOD, auth=None, headers={"WSMANIDENTIFY": "unauthenticated"}).status_code == 401


def test_another_path_is_not_there(host: WinrmHost) -> None:
    assert requests.get(host.url.replace("/wsman", "/other"), verify=host.certificate, timeout=20).status_code == 404


def test_bytes_that_are_no_http_end_the_connection(host: WinrmHost) -> None:
    with socket.create_connection(("127.0.0.1", host.server.port), timeout=20) as connection:
        connection.sendall(b"\0\1\2 nothing\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1000) == b""


def test_encrypted_bodies_that_are_none_are_refused(host: WinrmHost) -> None:
    kind = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
    assert post(host, b"nothing", headers={"Content-Type": kind}).status_code == 401
