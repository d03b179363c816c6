"""pywinrm's `Protocol`, with our TLS, our time limits, and errors that can be told apart."""

from __future__ import annotations

import struct
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any, TypeVar

from hvsdk.connections import IDLE_SECONDS
from hvsdk.driver import Deadline, without_frames
from requests import Response, Session
from requests.exceptions import RequestException
from winrm.protocol import Protocol

from hvsdk_hyperv._adapter import Adapter
from hvsdk_hyperv._causes import causes
from hvsdk_hyperv._login import Login
from hvsdk_hyperv._login_errors import REFUSALS, LoginRefusedError, of_certificate, refusal

__all__ = ["AnswerError", "Wsman"]

T = TypeVar("T")
_NO_ANSWER = (StopIteration, KeyError, IndexError, ValueError, AssertionError, AttributeError, ElementTree.ParseError)
"""What pywinrm raises for answers that are not what it expects."""
_REDIRECTS = 300
_UNAUTHORIZED = 401
SAFE_CREDSSP = 5
"""The version of CredSSP from which on nobody in between can use a login (CVE-2018-0886); TLS keeps them out, too."""
LONGEST_WAIT = 20
"""Seconds that the server may hold back its answer while there is none."""


class AnswerError(Exception):
    """The server said something that is no answer of WinRM's."""


class Wsman:
    """One session of HTTP, logged in, for one thread at a time.

    Args:
        login: Tells how to log in; asked again when the server wants a log-in anew, since passwords may be renewed.
    """

    def __init__(self, login: Callable[[], Login]) -> None:
        self._login = login
        self._protocol: Protocol | None = None
        self._adapter: Adapter | None = None
        self._encrypted = False
        self._transport = ""
        self._used_at = 0.0

    @property
    def protocol(self) -> Protocol:
        """pywinrm's object."""
        if self._protocol is None:
            self._begin()
            assert self._protocol is not None
        return self._protocol

    def ask(self, call: Callable[[Protocol], T], deadline: Deadline) -> T:
        """Make one request, and log in anew where the server asks for it: such a request was not carried out.

        Raises:
            AnswerError: The answer cannot be read.
            LoginRefusedError: The host does not let the user in. That was tried once.
            TimeoutError: There was no time left for it.
            Exception: pywinrm's errors and those of `requests` pass unchanged.
        """
        if self._adapter is not None and not self._is_ready(self._adapter):
            self.end()
        fresh = self._adapter is None
        try:
            try:
                return self._ask(call, deadline)
            except LoginRefusedError:
                if fresh:
                    raise
            return self._ask(call, deadline)
        finally:
            self._used_at = time.monotonic()

    def _is_ready(self, adapter: Adapter) -> bool:
        """Whether the connection can be used again. Where messages are encrypted, that is so for as long as it is open:
        keys are those of one connection."""
        return time.monotonic() - self._used_at < IDLE_SECONDS and (adapter.alive() or not self._encrypted)

    def _ask(self, call: Callable[[Protocol], T], deadline: Deadline) -> T:
        seconds = deadline.remaining()
        if seconds <= 0:
            raise TimeoutError("the time was up")
        try:
            protocol = self.protocol
            seconds = min(seconds, 3600.0)
            protocol.operation_timeout_sec = max(1, min(LONGEST_WAIT, int(seconds) - 1))
            protocol.transport.read_timeout_sec = seconds  # type: ignore[assignment]
            self._log_in(protocol)
            return call(protocol)
        except REFUSALS as exc:
            self.end()
            raise refusal(exc, self._transport) from without_frames(exc)
        except RequestException as exc:
            if any(of_certificate(cause) for cause in causes(exc)):
                self.end()
                told = "the host refused the client's certificate"
                raise LoginRefusedError(told, transport=self._transport) from without_frames(exc)
            raise without_frames(exc)  # noqa: B904
        except _NO_ANSWER as exc:
            raise AnswerError(f"the server's answer is none of WinRM's ({type(exc).__name__})") from without_frames(exc)
        except Exception as exc:
            raise without_frames(exc)  # noqa: B904

    def _begin(self) -> None:
        login = self._login()
        self._transport = login.transport
        self._encrypted = login.encryption == "always"
        self._adapter = Adapter(login.context)
        self._protocol = Protocol(
            endpoint=login.endpoint,
            transport=login.transport,
            username=login.username,
            password=login.password,
            cert_pem=login.certificate_file,
            cert_key_pem=login.key_file,
            ca_trust_path=None,  # type: ignore[arg-type]
            proxy=None,
            message_encryption=login.encryption,
        )
        transport = self._protocol.transport
        # By itself the library would try a wrong password twice, where there is a library for Kerberos: by that and by NTLM.
        transport.credssp_auth_mechanism = "ntlm"
        if self._encrypted:
            transport.credssp_minimum_version = SAFE_CREDSSP

    def _log_in(self, protocol: Protocol) -> None:
        """Make the session: with message encryption that is a handshake; else credentials come with the first request."""
        transport = protocol.transport
        if transport.session is not None:
            return
        adapter = self._adapter
        assert adapter is not None
        setup, transport.setup_encryption = transport.setup_encryption, lambda session: None  # type: ignore[method-assign]
        session = transport.build_session()
        session.trust_env = False  # no proxies, bundles and netrc of the environment
        session.max_redirects = 0  # WinRM sends nobody elsewhere, and what is sent is for this host alone
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        _log_in_once(session.auth)
        if self._encrypted:
            try:
                setup(session)
            except BaseException:
                self.end()
                raise
            if self._transport == "credssp":
                _measure_trailers(transport.encryption, session)
            session.hooks["response"].append(_only_encrypted)

    def end(self) -> None:
        """Close the connection; the next request logs in."""
        protocol, self._protocol = self._protocol, None
        adapter, self._adapter = self._adapter, None
        if protocol is not None:
            protocol.transport.close_session()
        if adapter is not None:
            adapter.cut()  # what a login that failed has left open

    def cut(self) -> None:
        """Close the socket without a word."""
        adapter, self._adapter, self._protocol = self._adapter, None, None
        if adapter is not None:
            adapter.cut()


def _log_in_once(auth: Any) -> None:
    """Keep the library from logging in again by itself: with a password that has changed meanwhile, or is wrong.

    The keys of encrypted messages go with one login as well. `Wsman.ask` logs in anew, on another connection.
    """
    kerberos = hasattr(auth, "auth_done")
    name = "handle_response" if kerberos else "response_hook"
    hook = getattr(auth, name, None)
    if hook is None:
        return  # basic and certificates go with each request
    done = False

    def once(response: Response, **more: Any) -> Response:
        nonlocal done
        if done:
            return response
        done = not kerberos and response.status_code == _UNAUTHORIZED
        answer: Response = hook(response, **more)
        done = auth.auth_done if kerberos else done
        return answer

    setattr(auth, name, once)


def _measure_trailers(encryption: Any, session: Session) -> None:
    """Let the library of CredSSP say how long a message's trailer is: pywinrm's own table does not know TLS 1.3."""

    def build(message: bytes, host: str) -> bytes:
        header, data, _ = session.auth.contexts[host].wrap_winrm(message)  # type: ignore[union-attr]
        return struct.pack("<i", len(header)) + bytes(header + data)

    encryption._build_message = build


def _only_encrypted(response: Response, **more: object) -> None:
    """Refuse what comes in the clear where messages are encrypted: pywinrm would take it for the host's own word.

    Errors of HTTP alone, such as 503, carry no message of WinRM's, and are pywinrm's.
    """
    kind = response.headers.get("Content-Type", "").lower()
    message = response.status_code < _REDIRECTS or "xml" in kind
    if response.content and message and "session-encrypted" not in kind:
        raise AnswerError("the host's answer is not encrypted, as all are that come from WinRM without TLS")
