"""The protocol of vCenter's REST service, in both dialects, with what may be the matter with it."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hvsdk.connections import Endpoint, Pool
from hvsdk.driver import PasswordCredentials, errors
from vmware_support import soon

from hvsdk_vmware._rest import Rest, RestAbsentError

SESSION = "/rest/com/vmware/cis/session"


class Service(BaseHTTPRequestHandler):
    """A REST service that answers as it is told; `server.answers` has (status, body) by request."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server: Any = self.server
        server.seen.append((self.command, self.path, json.loads(body) if body else None, dict(self.headers)))
        status, told = server.answer(self.command, self.path)
        text = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Rest, Any]]]:
    servers: list[ThreadingHTTPServer] = []
    pools: list[Pool] = []

    def begin(answer: Callable[[str, str], tuple[int, Any]]) -> tuple[Rest, Any]:
        server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Service)
        server.daemon_threads = True
        server.answer, server.seen = answer, []
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        pools.append(Pool(Endpoint("127.0.0.1", server.server_address[1])))
        return Rest(pools[-1], lambda: PasswordCredentials(username="user@domain", password="s3cret-w0rd")), server

    yield begin
    for pool in pools:
        pool.close()
    for server in servers:
        server.shutdown()
        server.server_close()


def newest(method: str, path: str) -> tuple[int, Any]:
    """What a server says that has `/api` only."""
    match method, path.partition("?")[0]:
        case "POST", "/api/session":
            return 201, "session-1"
        case "GET", "/api/cis/tagging/category":
            return 200, ["c1"]
        case "POST", "/api/cis/tagging/tag" if "action=list-tags-for-category" in path:
            return 200, ["t1", "t2"]
        case "POST", "/api/cis/tagging/category":
            return 201, "c2"
        case "DELETE", "/api/session":
            return 204, b""
        case _:
            return 404, b""


def test_the_newer_dialect_is_spoken_where_the_older_is_gone(serve: Callable[..., tuple[Rest, Any]]) -> None:
    rest, server = serve(newest)
    assert rest.get("category", deadline=soon()) == ["c1"]
    assert rest.tags_of_category("c1", deadline=soon()) == ["t1", "t2"]
    assert rest.create("category", {"name": "x"}, deadline=soon()) == "c2"
    rest.close(soon())
    said = [(method, path, body) for method, path, body, _ in server.seen]
    assert said == [
        ("POST", "/rest/com/vmware/cis/session", None),
        ("POST", "/api/session", None),
        ("GET", "/api/cis/tagging/category", None),
        ("POST", "/api/cis/tagging/tag?action=list-tags-for-category", {"category_id": "c1"}),
        ("POST", "/api/cis/tagging/category", {"name": "x"}),
        ("DELETE", "/api/session", None),
    ]
    assert server.seen[-1][3]["vmware-api-session-id"] == "session-1"


def test_a_server_without_the_service_is_asked_once(serve: Callable[..., tuple[Rest, Any]]) -> None:
    rest, server = serve(lambda method, path: (404, b""))
    for _ in range(3):
        with pytest.raises(RestAbsentError):
            rest.get("category", deadline=soon())
        assert not rest.available(soon())
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_is_refused_is_not_tried_again(serve: Callable[..., tuple[Rest, Any]], status: int) -> None:
    rest, server = serve(lambda method, path: (status, b""))
    for _ in range(3):
        assert not rest.available(soon())
    assert len(server.seen) == 1


class Expiring:
    """A service whose sessions end; it takes back its trust after so many logins."""

    def __init__(self, logins: int) -> None:
        self.logins = logins
        self.expired = False

    def __call__(self, method: str, path: str) -> tuple[int, Any]:
        if path == SESSION:
            self.logins -= 1
            self.expired = False
            return (200, {"value": "s"}) if self.logins >= 0 else (401, b"")
        return (401, {"type": "com.vmware.vapi.std.errors.unauthenticated"}) if self.expired else (200, {"value": []})


def test_an_expired_session_is_renewed_once(serve: Callable[..., tuple[Rest, Any]]) -> None:
    service = Expiring(2)
    rest, server = serve(service)
    rest.get("category", deadline=soon())
    service.expired = True
    assert rest.get("category", deadline=soon()) == []
    assert [path for _, path, _, _ in server.seen].count(SESSION) == 2


def test_a_session_that_is_not_renewed_is_no_reason_to_lock_an_account(serve: Callable[..., tuple[Rest, Any]]) -> None:
    service = Expiring(1)
    rest, server = serve(service)
    rest.get("category", deadline=soon())
    for _ in range(3):
        service.expired = True
        with pytest.raises(errors.AuthenticationError) as caught:
            rest.get("category", deadline=soon())
        shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
        assert "s3cret-w0rd" not in shown
    assert [path for _, path, _, _ in server.seen].count(SESSION) == 2


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, {"type": "com.vmware.vapi.std.errors.already_exists", "value": {"messages": []}}, "AlreadyExistsError"),
        (400, {"error_type": "ALREADY_EXISTS", "messages": []}, "AlreadyExistsError"),
        (400, {"type": "com.vmware.vapi.std.errors.invalid_argument"}, "InvalidSpecError"),
        (403, {"type": "com.vmware.vapi.std.errors.unauthorized"}, "PermissionDeniedError"),
        (403, b"<html>", "PermissionDeniedError"),
        (404, b"", "NotFoundError"),
        (503, {"type": "com.vmware.vapi.std.errors.service_unavailable"}, "OperationFailedError"),
        (500, b"\xff not json", "OperationFailedError"),
        (400, [1, 2], "OperationFailedError"),
        (400, {"type": None, "value": {"messages": [None, {"default_message": 5}]}}, "OperationFailedError"),
    ],
)
def test_errors_of_the_service_are_ours(
    serve: Callable[..., tuple[Rest, Any]], status: int, told: Any, kind: str
) -> None:
    def answer(method: str, path: str) -> tuple[int, Any]:
        return (200, {"value": "s"}) if path == SESSION else (status, told)

    rest, _ = serve(answer)
    with pytest.raises(errors.HvsdkError) as caught:
        rest.create("tag", {"name": "x"}, deadline=soon())
    assert type(caught.value).__name__ == kind
    assert str(status) in str(caught.value)


def test_what_the_service_says_is_passed_on(serve: Callable[..., tuple[Rest, Any]]) -> None:
    said = {"type": "com.vmware.vapi.std.errors.error", "value": {"messages": [{"default_message": "no room"}]}}
    rest, _ = serve(lambda method, path: (200, {"value": "s"}) if path == SESSION else (400, said))
    with pytest.raises(errors.OperationFailedError, match="no room"):
        rest.get("tag", deadline=soon())
