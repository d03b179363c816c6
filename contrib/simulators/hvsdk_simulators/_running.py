"""A simulator in a process of its own, for tests: started, asked, disturbed and ended from Python."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from . import _vcsim

__all__ = ["ControlError", "Running", "start"]

_ANSWER_SECONDS = 60.0
"""How long the control door may take: an action can look through a whole disk."""
_STOP_SECONDS = 10.0


class ControlError(Exception):
    """The control door refused; the text says why."""


def start(kind: str, **options: Any) -> Running:
    """Start a simulator and return when it listens: `start("xapi", domains=100, hosts=3, api="2.15")`.

    Options are those of the command line: `True` is a flag, a list stands for an option given several times, and
    `tls=False` is `--no-tls`. Use it with `with`, or call `stop`.

    `vcsim` is a program of its own, which is built when it is first started.

    Raises:
        BuildError: It is to be built, and cannot be: a `RuntimeError`, too.
        RuntimeError: It did not start; what it said is on the standard error.
    """
    if kind == "vcsim":
        return Running([str(_vcsim.binary()), *_arguments(options)])
    return Running([sys.executable, "-m", "hvsdk_simulators", kind, *_arguments(options)])


class Running:
    """A simulator that runs.

    Attributes:
        url: What a client connects to, with the addresses of the members.
        username: Of the superuser.
        password: Of the superuser.
        fingerprint: Of the certificate that answers at `url`; none without TLS.
        control: The control door.
        members: For each member `uuid`, `address`, `port` and `fingerprint`.
        root: Directory with the files of a simulated Hyper-V host; none for others.
        certificates: Directory with `client.pem` and `client.key`, which a Hyper-V host lets in as its administrator, and
            `ca.pem` and `ca.key`, which sign more; none for hosts that ask for no certificates.
        pid: Of the process.
    """

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            told = json.loads(line)
        except ValueError:
            self.stop()
            raise RuntimeError(f"the simulator did not start; it ended with {self._process.returncode}") from None
        self.url: str = told["url"]
        self.username: str = told["username"]
        self.password: str = told["password"]
        self.fingerprint: str = told["fingerprint"]
        self.control: str = told["control"]
        self.members: list[dict[str, Any]] = told["members"]
        self.root: str | None = told.get("root")
        self.certificates: str | None = told.get("certificates")
        self.pid: int = told["pid"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<simulator {self.pid}>"

    def stop(self) -> None:
        """End it. Does nothing when it has ended."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def counts(self) -> dict[str, int]:
        """Return the calls by method since the last reset, and requests by path."""
        return self._ask("GET", "/counts")  # type: ignore[no-any-return]

    def reset_counts(self) -> None:
        """Count from zero again, bytes too."""
        self._ask("POST", "/counts/reset")

    def bytes_sent(self) -> dict[str, int]:
        """Return the bytes that went to clients, by handler."""
        return self._ask("GET", "/bytes")  # type: ignore[no-any-return]

    def bytes_received(self) -> dict[str, int]:
        """Return the bytes that came from clients, by handler."""
        return self._ask("GET", "/bytes/received")  # type: ignore[no-any-return]

    def sessions(self) -> list[dict[str, Any]]:
        """Return the live sessions."""
        return self._ask("GET", "/sessions")  # type: ignore[no-any-return]

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks that have not been destroyed."""
        return self._ask("GET", "/tasks")  # type: ignore[no-any-return]

    def fault(self, spec: str) -> None:
        """Let something go wrong: `VM.start:drop-after:1`.

        Raises:
            ControlError: It is no fault.
        """
        self._ask("POST", "/faults", {"spec": spec})

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults with how often they happened."""
        return self._ask("GET", "/faults")  # type: ignore[no-any-return]

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._ask("DELETE", "/faults")

    def act(self, name: str, **arguments: Any) -> Any:
        """Do something to the server beside its API: `act("guest", vm=uuid, tools=False)`.

        Raises:
            ControlError: There is no such action, or it cannot be done.
        """
        return self._ask("POST", f"/actions/{quote(name)}", arguments)

    def _ask(self, method: str, path: str, arguments: dict[str, Any] | None = None) -> Any:
        body = json.dumps(arguments).encode() if arguments is not None else None
        request = urllib.request.Request(f"{self.control}{path}", body, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_ANSWER_SECONDS) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                told = json.loads(error.read())
            raise ControlError(told["error"]) from None


def _arguments(options: dict[str, Any]) -> list[str]:
    found = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True and name != "tls":
            found.append(flag)
        elif name == "tls" and value is False:
            found.append("--no-tls")
        elif isinstance(value, (list, tuple)):
            found += [part for item in value for part in (flag, str(item))]
        elif value is not None and value is not True and value is not False:
            found += [flag, str(value)]
    return found
