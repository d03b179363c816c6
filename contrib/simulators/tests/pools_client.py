"""A client of a pool in a process of its own, by the standard library."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from hvsdk_simulators import Running


class Refused(Exception):
    """What the pool refused: the code and its parameters."""

    def __init__(self, details: list[str]) -> None:
        super().__init__(": ".join((details[0], ", ".join(details[1:]))))
        self.details = details


class Client:
    """Calls methods of the pool's master, as root in a session of its own. Each call has a connection of its own."""

    def __init__(self, pool: Running) -> None:
        self._port = int(pool.members[0]["port"])
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._session = self._post("session.login_with_password", pool.username, pool.password, "1.0", "test")

    def __call__(self, method: str, *params: Any) -> Any:
        """Call a method in the session."""
        return self._post(method, self._session, *params)

    def refusal(self, method: str, *params: Any) -> list[str]:
        """Return the error that a call answers with."""
        try:
            value = self(method, *params)
        except Refused as refused:
            return refused.details
        raise AssertionError(f"{method} was answered: {value!r:.200}")

    def _post(self, method: str, *params: Any) -> Any:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=30, context=self._context)
        try:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise Refused([answer["error"]["message"], *answer["error"]["data"]])
        return answer["result"]
