"""What is taken for the host's answer, and from whom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import hvsdk
import pytest
from hvsdk import errors
from requests import Response

from hvsdk_hyperv._wsman import AnswerError, _only_encrypted


@contextmanager
def web_server(location: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """A server that sends everybody elsewhere, or knows nothing; what it was asked for."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(307 if location else 404)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_nobody_sends_requests_elsewhere() -> None:
    with web_server() as (other, led), web_server(f"http://{other}/wsman") as (first, seen):
        with pytest.raises(errors.ConnectError):
            hvsdk.connect(f"hyperv+http://user@{first}", password="s3cret-4711", transport="basic", timeout=5.0)
        assert seen
        assert led == []


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("kind", ["application/soap+xml;charset=UTF-8", None])
def test_what_comes_in_the_clear_is_no_answer_where_messages_are_encrypted(status: int, kind: str | None) -> None:
    response = Response()
    response.status_code, response._content = status, b"<s:Envelope/>"
    if kind:
        response.headers["Content-Type"] = kind
    if status == 500 and kind is None:
        _only_encrypted(response)
        return
    with pytest.raises(AnswerError, match="not encrypted"):
        _only_encrypted(response)
    response.headers["Content-Type"] = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted"'
    _only_encrypted(response)
