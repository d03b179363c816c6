"""A connection by SMB 3: encrypted, logged in as the user that the host was connected with, and never as a guest."""

from __future__ import annotations

import math
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any, Final, Literal

from hvsdk.driver import Deadline, Target, errors
from smbprotocol import Dialects
from smbprotocol.connection import Connection
from smbprotocol.file_info import FileAttributes
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2ReadResponse,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from hvsdk_hyperv._login import Login, login_of
from hvsdk_hyperv._smb_errors import no_line, of_files, of_logins
from hvsdk_hyperv._smb_paths import OTHER_WAY

__all__ = ["BYTES_OF_A_CREDIT", "SmbConnection"]

BYTES_OF_A_CREDIT: Final = 1 << 16
_Transport = Literal["kerberos", "ntlm"]
_MANY_CREDITS: Final = 256
_CLOSE_SECONDS: Final = 5.0


class SmbConnection:
    """One TCP connection with one login. For one thread at a time, but for `cut`."""

    def __init__(self, target: Target) -> None:
        self.hostname = target.hostname or "localhost"
        self.port = int(target.options.get("smb_port") or 445)
        self._target = target
        self._pid = os.getpid()
        self._trees: dict[str, Any] = {}
        self._connection: Any = Connection(uuid.uuid4(), self.hostname, self.port, require_signing=True)
        self._session: Any = None

    # ---- coming and going --------------------------------------------------------------------------------

    def open(self, deadline: Deadline) -> None:
        """Connect and log in.

        Raises:
            AuthenticationError: The host refused the credentials, or took them for a guest's.
            ConnectError: It cannot be reached, or does not encrypt.
        """
        login = login_of(self._target)
        if login.transport == "certificate":
            raise errors.AuthenticationError("SMB logs nobody in by a certificate", hint=OTHER_WAY)
        transport: _Transport = "kerberos" if login.transport == "kerberos" else "ntlm"
        if transport == "kerberos" and find_spec("gssapi") is None:
            raise errors.UnsupportedError(
                "Kerberos for SMB needs a library that is not installed",
                hint="pip install 'hvsdk-hyperv[smb-kerberos]'",
            )
        try:
            with of_logins(transport, self.hostname, self.port), self._within(deadline):
                self._connection.connect(timeout=math.ceil(deadline.remaining()) + 1)  # `_within` is first
                self._check_encryption()
                self._log_in(login, transport)
        except BaseException:
            self.cut()
            raise

    def _check_encryption(self) -> None:
        """Refuse before anything of the credentials is sent."""
        if self._connection.dialect < Dialects.SMB_3_0_0 or not self._connection.supports_encryption:
            raise errors.ConnectError(
                f"{self.hostname} speaks no SMB 3 with encryption, and disks are not sent in the clear", hint=OTHER_WAY
            )

    def _log_in(self, login: Login, transport: _Transport) -> None:
        session = Session(
            self._connection,
            username=login.username or None,
            password=login.password,
            require_encryption=True,
            auth_protocol=transport,
        )
        try:
            session.connect()
        except Exception as exc:
            if session.session_id is None:  # the library's sign of a guest
                raise errors.AuthenticationError(
                    f"{self.hostname} took the credentials for a guest's, which hvsdk does not accept",
                    hint="is the password right? A server that lets guests in does not say so",
                ) from exc
            raise
        finally:
            session.password = None
        self._session = session

    def end(self) -> None:
        """Close what is open, log out and disconnect, as far as the host listens."""
        try:
            with self._within(Deadline(min(_CLOSE_SECONDS, self._target.timeout))):
                self._connection.disconnect(close=True)
        except Exception:  # whatever the library says: it is given up
            self.cut()

    def cut(self) -> None:
        """Drop the connection at once, from any thread: whoever waits for an answer gets none. Twice is harmless."""
        transport = self._connection.transport
        line: socket.socket | None = transport and transport._sock  # there is no other way that takes no lock
        if line is None:
            return
        if os.getpid() != self._pid:  # after a fork: the connection is the parent's
            line.close()
            return
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)  # the library's thread sees that, closes the socket, and ends

    @contextmanager
    def _within(self, deadline: Deadline) -> Iterator[None]:
        """Cut the connection when the time is up: the library waits for some answers without a limit."""
        late = threading.Event()

        def cut() -> None:
            late.set()
            self.cut()

        timer = threading.Timer(min(deadline.remaining(), threading.TIMEOUT_MAX), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as exc:
            if late.is_set():
                raise no_line("the host did not answer in time", self.hostname, self.port) from exc
            raise
        finally:
            timer.cancel()

    # ---- files -------------------------------------------------------------------------------------------

    def file(self, path: str, place: tuple[str, str], deadline: Deadline) -> Any:
        """Open a file that nobody has open for writing, nor can open as long as this is.

        Args:
            path: What it is called in errors.
            place: Its share, and its name there.

        Raises:
            BusyError: Somebody has.
            NotFoundError: There is none.
            PermissionDeniedError: The user may not read it, or not use the share.
        """
        share, name = place
        with of_files(path, self.hostname, self.port), self._within(deadline):
            file = Open(self._tree(share), name)
            file.create(
                ImpersonationLevel.Impersonation,
                FilePipePrinterAccessMask.FILE_READ_DATA | FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES,
                FileAttributes.FILE_ATTRIBUTE_NORMAL,
                ShareAccess.FILE_SHARE_READ,
                CreateDisposition.FILE_OPEN,
                CreateOptions.FILE_NON_DIRECTORY_FILE,
            )
            return file

    def _tree(self, share: str) -> Any:
        if share not in self._trees:
            tree = TreeConnect(self._session, rf"\\{self.hostname}\{share}")
            tree.connect()
            self._trees[share] = tree
        return self._trees[share]

    def close_file(self, file: Any, deadline: Deadline) -> None:
        """Let others write it again."""
        with of_files(file.file_name, self.hostname, self.port), self._within(deadline):
            file.close()

    @property
    def longest(self) -> int:
        """Bytes that one request may be for."""
        return int(self._connection.max_read_size)

    @property
    def credits(self) -> int:
        """How much more may be asked for now, in credits: the host grants new ones with its answers."""
        window = self._connection.sequence_window
        return int(window["high"] - window["low"])

    def send_read(self, file: Any, offset: int, length: int) -> Any:
        """Ask for bytes of a file, and return the request."""
        message, _ = file.read(offset, length, min_length=length, send=False)
        more = 0 if self.credits >= _MANY_CREDITS else _MANY_CREDITS // 4
        wanted = -(-length // BYTES_OF_A_CREDIT) + more
        return self._connection.send(
            message, self._session.session_id, file.tree_connect.tree_connect_id, credit_request=wanted
        )

    def receive_read(self, request: Any, deadline: Deadline) -> bytes:
        """Return what was asked for."""
        if not request.response_event.wait(min(deadline.remaining(), threading.TIMEOUT_MAX)):
            raise no_line("the host did not answer in time", self.hostname, self.port)
        answer = SMB2ReadResponse()
        answer.unpack(self._connection.receive(request, timeout=max(1.0, deadline.remaining()))["data"].get_value())
        data: bytes = answer["buffer"].get_value()
        return data
