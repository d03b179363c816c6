"""A server that answers with anything but what was asked for: every read ends in a record or in one of our errors."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import hvsdk
import pytest
from hvsdk.driver import errors

NULL = "OpaqueRef:NULL"
UUID = "0f6a1c2e-7d3b-4e5f-8a90-b1c2d3e4f506"
HOST = {"uuid": "h", "name_label": "xcp", "address": "127.0.0.1", "API_version_major": 2, "API_version_minor": 15}
EVENT = {"class": "vm", "ref": "OpaqueRef:v", "operation": "mod"}
HONEST: dict[str, Any] = {
    "session.login_with_password": "OpaqueRef:s",
    "session.logout": "",
    "session.get_record": {"is_local_superuser": True, "rbac_permissions": []},
    "pool.get_all_records": {"OpaqueRef:p": {"uuid": "p", "master": "OpaqueRef:h", "default_SR": NULL}},
    "host.get_all_records": {"OpaqueRef:h": HOST | {"enabled": True, "metrics": NULL}},
    "system.listMethods": [],
    "network.get_all_records": {},
}
ANSWERS: dict[str, Any] = {
    "nothing": None,
    "a text": "OpaqueRef:x",
    "a number": 7,
    "a list": [1, None, [], {}],
    "an empty map": {},
    "a map of texts": {"OpaqueRef:x": "y"},
    "a map of lists": {"OpaqueRef:x": []},
    "records without a UUID": {"OpaqueRef:x": {}},
    "records of odd types": {"OpaqueRef:x": {"uuid": UUID, "name_label": [], "power_state": {}, "resident_on": 1}},
    "one record": {"uuid": UUID, "power_state": "Running", "resident_on": "OpaqueRef:h", "consoles": ["OpaqueRef:c"]},
    "events of odd types": {"events": [1], "token": 5},
    "an event without a snapshot": {"events": [EVENT], "token": "", "valid_ref_counts": {"vm": "many"}},
    "an event with an odd snapshot": {"events": [EVENT | {"snapshot": {"uuid": 3}}], "valid_ref_counts": []},
    "an event of nothing": {"events": [EVENT | {"ref": [], "class": {}, "snapshot": []}], "token": {}},
}
READS: dict[str, Callable[[hvsdk.Host], Any]] = {
    "domains": lambda host: host.domains(templates=True, control=True),
    "everything": lambda host: host.domains(full=True),
    "a domain by its UUID": lambda host: host.domain(UUID),
    "a domain by its name": lambda host: host.domain("web"),
    "nodes": lambda host: host.nodes(),
    "networks": lambda host: host.networks(),
    "storage pools": lambda host: [pool.volumes() for pool in host.storage_pools()],
    "figures": lambda host: host.stats(),
    "what it is": lambda host: host.info(),
    "a console": lambda host: host.domain(UUID).console(),
    "a screenshot": lambda host: host.domain(UUID).screenshot(),
    "changes": lambda host: _first_change(host),
}


def _first_change(host: hvsdk.Host) -> None:
    with host.watch() as watch:
        watch.get(timeout=0.3)


class Liar(BaseHTTPRequestHandler):
    """Lets everybody in, and answers everything else with one and the same thing."""

    protocol_version = "HTTP/1.1"
    answer: Any = None
    hears: bool = False
    """Whether it is honest about the hosts, so that listings go on to the domains."""

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        result = HONEST.get(call["method"], type(self).answer)
        if call["method"] == "event.from" and call["params"][1] == ["host", "host_metrics"] and type(self).hears:
            result = {"events": [], "token": ""}
        self.reply("application/json", json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}))

    def do_GET(self) -> None:
        self.reply("application/json", json.dumps(type(self).answer))

    do_CONNECT = do_GET

    def reply(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def liar() -> Iterator[Callable[[Any, bool], str]]:
    """Starts a server that gives one answer, and returns its URL."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Any, hears: bool) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneLiar", (Liar,), {"answer": answer, "hears": hears}))
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"xenapi+http://root@127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_read_ends_in_a_record_or_in_words(liar: Callable[[Any, bool], str], answer: str, hears: bool) -> None:
    with hvsdk.connect(liar(ANSWERS[answer], hears), password="x", timeout=5.0) as host:
        for name, read in READS.items():
            with contextlib.suppress(errors.HvsdkError):
                try:
                    read(host)
                except (TypeError, LookupError, AttributeError, ValueError) as exc:
                    exc.add_note(f"while reading {name}")
                    raise
