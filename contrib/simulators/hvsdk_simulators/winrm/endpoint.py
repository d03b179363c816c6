"""The HTTP side of the service: logins, bodies, counting, and what goes wrong on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable

from hvsdk_simulators.wire.counting import Counters
from hvsdk_simulators.wire.faults import Action, Faults
from hvsdk_simulators.wire.faults import Fault as Trouble
from hvsdk_simulators.wire.request import BodyTooLargeError, Request

from . import faults as refusals
from .client_certificates import ResetError
from .login import Connection, Connections, Unauthorized
from .sealing import SealError, is_sealed, seal, unseal
from .service import Caller, Service
from .soap import ACTIONS, Fault, MalformedError, Message, fault_envelope, read

__all__ = ["ERRORS", "Endpoint"]

_PLAIN = "application/soap+xml;charset=UTF-8"
_SERVER = "Microsoft-HTTPAPI/2.0"
_SECONDS_BETWEEN_BYTES = 0.001
_IDENTIFY = b"http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
_IDENTITY = (
    b'<s:Envelope xml:lang="" xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
    b'<wsmid:IdentifyResponse xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    b"<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion>"
    b"<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
    b"<wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</wsmid:ProductVersion>"
    b"</wsmid:IdentifyResponse></s:Body></s:Envelope>"
)
GARBAGE = b"Something else wrote this: \xc3\xa4\r\nand this without an end"
PROGRESS = (
    b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj S="progress" '
    b'RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN><MS><I64 '
    b'N="SourceId">1</I64><PR N="Record"><AV>Preparing modules for first use.</AV><AI>0</AI><Nil /><PI>-1</PI><PC>-1'
    b"</PC><T>Completed</T><SR>-1</SR><SD> </SD></PR></MS></Obj></Objs>"
)
ERRORS: dict[str, Callable[[], Fault]] = {
    "operation-timeout": refusals.timed_out,
    "quota-shells": lambda: refusals.too_many_shells(30),
    "quota-operations": lambda: refusals.too_many_operations(1500),
    "quota-processes": lambda: refusals.too_many_processes(25),
    "no-command": refusals.no_command,
    "aborted": refusals.aborted,
    "access-denied": lambda: Fault("Sender", "w:AccessDenied", "Access is denied. ", 5),
}
"""What `error=NAME` of a fault answers with."""


class Endpoint:
    """Answers HTTP requests, from the threads of their connections."""

    def __init__(
        self,
        service: Service,
        connections: Connections,
        counters: Counters,
        faults: Faults,
        latency: float,
        prefix: str = "wsman",
    ) -> None:
        self._service = service
        self._connections = connections
        self._counters = counters
        self._faults = faults
        self._latency = latency
        self._path = f"/{prefix}"

    def answer(self, request: Request) -> None:
        """Answer one request."""
        connection, fresh = self._connections.of(request)
        if fresh:
            self._counters.call("/connections")
        self._counters.call(request.path)
        if self._latency:
            time.sleep(self._latency)
        if request.method != "POST" or request.path.rstrip("/") != self._path:
            request.respond(404, "text/html", b"", Server=_SERVER)
            return
        try:
            body = request.body(self._service.shells.quotas.envelope_bytes)
        except BodyTooLargeError:
            request.respond(413, "text/html", b"", close=True, Server=_SERVER)
            return
        if request.headers.get("wsmanidentify", "").lower() == "unauthenticated" and _IDENTIFY in body:
            self._send(request, connection, 200, _IDENTITY, sealed=False)
            return
        try:
            user = self._connections.log_in(connection, request)
        except Unauthorized as error:
            self._refuse(request, error)
            return
        except ResetError:
            request.cut()
            return
        if not body:
            request.respond(200, _PLAIN, b"", Server=_SERVER)  # the end of a handshake
            return
        sealed = is_sealed(request.headers.get("content-type", ""))
        try:
            plain = self._plain(body, connection, sealed)
        except SealError:
            self._refuse(request, Unauthorized("Negotiate"))
            return
        self._serve(request, connection, plain, Caller(user, "127.0.0.1"), sealed)

    def _plain(self, body: bytes, connection: Connection, sealed: bool) -> bytes:
        if sealed:
            if connection.security is None:
                raise SealError
            return unseal(body, connection.security, connection.way)
        if not self._connections.plain:
            raise SealError
        return body

    def _serve(self, request: Request, connection: Connection, body: bytes, caller: Caller, sealed: bool) -> None:
        message = None
        try:
            message = read(body)
            name = ACTIONS.get(message.action, "other")
            self._counters.call(name)
            trouble = self._faults.take(name)
            if trouble is not None and not self._before(request, message, trouble):
                return
            answer, status = self._service.answer(message, caller), 200
        except MalformedError:
            request.respond(400, "text/html", b"", close=True, Server=_SERVER)
            return
        except Fault as fault:
            trouble = None
            answer, status = fault_envelope(fault, message.id if message else None, self._service.machine), 500
        self._finish(request, connection, status, answer, sealed, trouble)

    # ---- what goes wrong on purpose ----------------------------------------------------------------------

    def _before(self, request: Request, message: Message, trouble: Trouble) -> bool:
        """Do what a fault does before a request; return whether there is still something to answer."""
        match trouble.action:
            case Action.DROP_BEFORE:
                request.cut()
                return False
            case Action.HTTP_500:
                request.respond(500, "text/html", b"<html><body>500</body></html>", close=True, Server=_SERVER)
                return False
            case Action.FREEZE:
                request.frozen_until(lambda: self._service.stopping)
                return False
            case Action.SLOW:
                time.sleep(trouble.seconds)
            case Action.UNAUTHORIZED:
                self._refuse(request, Unauthorized(*self._connections.challenges))
                return False
            case Action.ERROR:
                raise ERRORS.get(trouble.details[0], refusals.bad_parameter)()
            case Action.SHELL_GONE:
                self._service.shells.end_all()
            case Action.PROCESS_GONE:
                self._service.shells.kill_processes()
            case Action.GARBAGE:
                self._service.shells.inject("stdout", GARBAGE + b"\r\n")
            case Action.PROGRESS:
                self._service.shells.inject("stderr", PROGRESS)
        return True

    def _finish(
        self,
        request: Request,
        connection: Connection,
        status: int,
        answer: bytes,
        sealed: bool,
        trouble: Trouble | None,
    ) -> None:
        if trouble is not None and trouble.action is Action.DROP_AFTER:
            request.cut()
            return
        kind, body = seal(answer, connection.security, connection.way) if sealed else (_PLAIN, answer)
        if trouble is not None and trouble.action is Action.HALF_ANSWER:
            request.start(status, {"Content-Type": kind, "Content-Length": str(len(body))})
            request.write(body[: len(body) // 2])
            request.cut()
            return
        if trouble is not None and trouble.action is Action.TRICKLE:
            request.start(status, {"Content-Type": kind, "Content-Length": str(len(body))})
            for place in range(len(body)):
                request.write(body[place : place + 1])
                time.sleep(_SECONDS_BETWEEN_BYTES)
            return
        request.respond(status, kind, body, Server=_SERVER)

    def _send(self, request: Request, connection: Connection, status: int, answer: bytes, *, sealed: bool) -> None:
        self._finish(request, connection, status, answer, sealed, None)

    @staticmethod
    def _refuse(request: Request, error: Unauthorized) -> None:
        """Answer 401; each challenge has a header of its own, which for a mapping need different spellings."""
        spellings = ("WWW-Authenticate", "www-authenticate", "Www-Authenticate", "WWW-authenticate")
        challenges = dict(zip(spellings, error.challenges or ("Negotiate",), strict=False))
        request.start(401, {**challenges, "Content-Length": "0", "Server": _SERVER})
