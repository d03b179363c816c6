"""Samba in tests: a server with the files of the simulated host, and what else is asked of it."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hvsdk_simulators import Running
from hvsdk_simulators.samba import Samba
from hyperv_support import target_of
from smbprotocol.connection import Connection
from smbprotocol.exceptions import SharingViolation
from smbprotocol.open import CreateDisposition, FilePipePrinterAccessMask, ImpersonationLevel, Open, ShareAccess
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from hvsdk_hyperv._smb_files import SmbFiles

__all__ = ["PATH", "Samba", "another_client", "files_of", "is_writable", "put", "samba", "workers"]

PATH = "C:\\disks\\here.vhdx"


def samba(host: Running, **settings: str) -> Samba:
    """Start a server, for a `with` statement; where there is no Samba, the test is skipped, but not in CI."""
    lacks = Samba.missing()
    if lacks:
        reason = f"there is no {' and no '.join(lacks)}: Debian's samba has them"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return Samba(host, **settings)


def files_of(server: Running, running: Samba, **more: Any) -> SmbFiles:
    options = {"disk_io": "smb", "smb_port": running.port} | more.pop("options", {})
    return SmbFiles(target_of(server, options=options, **more))


def put(running: Samba, size: int = 2 << 20, path: str = PATH) -> bytes:
    """Put a file among the host's, and return what is in it."""
    content = bytes(number * 7 % 251 for number in range(4096)) * (size // 4096)
    running.place(path).write_bytes(content)
    return content


@contextmanager
def another_client(server: Running, running: Samba, path: str = PATH) -> Iterator[Callable[[], Any]]:
    """Log in once more; what is given opens the file for writing."""
    connection = Connection(uuid.uuid4(), "127.0.0.1", running.port)
    connection.connect(timeout=20)
    try:
        session = Session(connection, server.username, server.password, auth_protocol="ntlm")
        session.connect()
        tree = TreeConnect(session, r"\\127.0.0.1\C$")
        tree.connect()

        def write() -> Any:
            file = Open(tree, path.removeprefix("C:\\"))
            everybody = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE
            access = FilePipePrinterAccessMask.FILE_WRITE_DATA
            file.create(ImpersonationLevel.Impersonation, access, 0, everybody, CreateDisposition.FILE_OPEN, 0)
            return file

        yield write
    finally:
        connection.disconnect(close=True, timeout=10)


def is_writable(write: Callable[[], Any]) -> bool:
    try:
        write().close()
    except SharingViolation:
        return False
    return True


def workers() -> int:
    """Return how many threads the library has."""
    return sum(one.name.startswith("msg_worker") for one in threading.enumerate())
