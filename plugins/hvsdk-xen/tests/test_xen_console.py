"""Consoles and screenshots."""

from __future__ import annotations

import socket
import ssl
import struct
import zlib
from collections.abc import Callable
from urllib.parse import urlsplit

import hvsdk
import pytest
from hvsdk.driver import errors, fingerprint_of
from hvsdk_simulators import Running
from xen_support import Raw, connect

from hvsdk_xen._console import _target


@pytest.fixture
def running(reach: Callable[[str], hvsdk.Domain]) -> hvsdk.Domain:
    return reach("running")


def dial(console: hvsdk.models.Console) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection((console.host, console.port or 443), timeout=10)
    return context.wrap_socket(plain)


def test_a_viewer_gets_through_with_what_the_console_says(running: hvsdk.Domain) -> None:
    console = running.console()
    assert console.kind == "rfb-connect"
    url = urlsplit(console.url or "")
    assert (url.scheme, url.hostname, url.port, url.path) == ("https", console.host, console.port, "/console")
    with dial(console) as sock:
        assert fingerprint_of(sock.getpeercert(binary_form=True) or b"") == console.fingerprint
        request = f"CONNECT {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\nCookie: session_id={console.token}\r\n\r\n"
        sock.sendall(request.encode())
        said = b""
        while b"RFB 003." not in said:
            piece = sock.recv(4096)
            assert piece, said
            said += piece
    assert said.startswith(b"HTTP/1.1 200")


def test_the_key_in_a_console_is_in_no_repr(running: hvsdk.Domain) -> None:
    console = running.console()
    assert console.token
    assert console.token not in repr(console)
    assert console.token not in str(console.to_dict())
    assert console.token not in (console.url or "")


@pytest.mark.parametrize("state", ["shutoff", "suspended"])
def test_a_domain_that_is_off_has_no_console(reach: Callable[[str], hvsdk.Domain], state: str) -> None:
    domain = reach(state)
    with pytest.raises(errors.PowerStateError):
        domain.console()
    with pytest.raises(errors.PowerStateError):
        domain.screenshot()


def test_a_console_is_at_the_host_that_runs_the_domain(make_pool: Callable[..., Running]) -> None:
    pool = make_pool(domains=12, hosts=3)
    ports = set()
    with connect(pool) as host:
        for domain in host.domains(state="running"):
            ports.add(domain.console().port)
    assert ports == {member["port"] for member in pool.members}


@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_screenshot_is_a_png_of_the_screen(reach: Callable[[str], hvsdk.Domain], state: str) -> None:
    png = reach(state).screenshot()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    size = struct.unpack(">I", png[33:37])[0]
    dots = zlib.decompress(png[41 : 41 + size])
    assert len(dots) == height * (1 + 3 * width)
    assert {0, 255} <= set(dots), "the screen is not blank"


def test_a_screenshot_goes_on_when_the_session_has_expired(running: hvsdk.Domain, pool: Running) -> None:
    pool.act("expire-sessions")
    assert running.screenshot().startswith(b"\x89PNG")


def test_a_console_that_does_not_answer_is_given_up(running: hvsdk.Domain, pool: Running) -> None:
    pool.fault("/console:http-500:9")
    with pytest.raises(errors.OperationFailedError, match="500"):
        running.screenshot()


@pytest.mark.parametrize("fault", ["freeze", "drop-before", "drop-after"])
def test_a_console_that_breaks_off_is_given_up_in_time(running: hvsdk.Domain, pool: Running, fault: str) -> None:
    with connect(pool, timeout=2.0) as impatient:
        domain = impatient.domain(running.native_id)
        pool.fault(f"/console:{fault}:9")
        with pytest.raises((errors.ConnectionLostError, errors.OperationFailedError, errors.OperationTimeoutError)):
            domain.screenshot()


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://198.18.0.1/console?uuid=u-1", "/console?uuid=u-1"),
        ("https://198.18.0.1/console?ref=OpaqueRef:r", "/console?ref=OpaqueRef%3Ar"),
        ("https://evil.example/console?uuid=u&x=1\r\nHost: y", "/console?uuid=u"),
        ("https://198.18.0.1/export?uuid=u", None),
        ("https://198.18.0.1/console", None),
        ("https://[::1/console?uuid=u", None),
        ("", None),
    ],
)
def test_only_a_console_is_asked_for(location: str, target: str | None) -> None:
    assert _target({"location": location}) == target


def test_a_location_somewhere_else_is_not_followed(running: hvsdk.Domain, raw: Raw) -> None:
    vm = raw("VM.get_record", raw("VM.get_by_uuid", running.native_id))
    address = raw("host.get_address", vm["resident_on"])
    for console in vm["consoles"]:
        assert urlsplit(raw("console.get_location", console)).hostname == address
    assert running.console().host == "127.0.0.1", "the address is mapped"
