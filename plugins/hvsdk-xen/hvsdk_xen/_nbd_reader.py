"""Disks read from XenServer's own NBD servers: in any order, by several threads at once.

A server is told by `VDI.get_nbd_info` together with its certificate, over a connection that was checked; that certificate
and no other is accepted. The name of an export contains the session: it is a secret, and ends with the session.
"""

from __future__ import annotations

import itertools
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs
from hvsdk.connections import dial
from hvsdk.driver import Deadline, DiskReader, Extent, errors, fingerprint_of, tls_context
from hvsdk.nbd import NbdClient, ServerGoneError

from hvsdk_xen._stream_readers import check_size
from hvsdk_xen._values import as_int
from hvsdk_xen._verbs import VerbSession
from hvsdk_xen._vhd import SECTOR

__all__ = ["NbdReader", "nbd_servers"]

T = TypeVar("T")

CONNECTIONS = 4
"""To one disk at once: one export of XenServer's is served by one thread."""
_TRIES = 3
_HOSTNAME = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,9}", re.ASCII | re.IGNORECASE)
"""A certificate's subject that can be asked for by name; it is known by its fingerprint whatever its name."""


def nbd_servers(session: VerbSession, vdi: str, deadline: Deadline | None = None) -> list[Mapping[str, Any]]:
    """Return where a disk is served by NBD, by its reference; nothing where no network has the purpose `nbd`."""
    found = session.call("VDI.get_nbd_info", vdi, deadline=deadline or session.soon())
    return [server for server in found if isinstance(server, Mapping)] if isinstance(found, Sequence) else []


class NbdReader(DiskReader):
    """A disk behind one or more NBD servers.

    Args:
        session: The connection.
        vdi: Reference of the disk.
        servers: What `nbd_servers` returned, not empty.
        size: Bytes of the disk.
        deadline: For the first connection; later ones have the time of a round trip each.
        holes: Tells the extents where the server does not know them.

    Raises:
        OSError: No server can be reached.
        HvsdkError: A server speaks another protocol, or has another certificate or disk than was told.
    """

    def __init__(
        self,
        session: VerbSession,
        vdi: str,
        servers: Sequence[Mapping[str, Any]],
        size: int,
        holes: Callable[[], Iterable[Extent]],
        deadline: Deadline,
    ) -> None:
        self.size = size
        self._session = session
        self._vdi = vdi
        self._holes = holes
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        self._idle: list[NbdClient] = []
        self._closed = False
        self._turns = itertools.count()
        self._servers = servers
        self._idle.append(self._connect(servers, deadline))

    def extents(self) -> Iterable[Extent]:
        found = self._with_client(lambda client: list(client.extents()) if client.knows_holes else None)
        return self._holes() if found is None else found

    def read(self, offset: int, length: int) -> bytes:
        begin = offset - offset % SECTOR
        end = min(self.size, -(-(offset + length) // SECTOR) * SECTOR)  # these servers read whole sectors alone
        data = self._with_client(lambda client: client.read(begin, end - begin))
        return data if (begin, end) == (offset, offset + length) else data[offset - begin : offset - begin + length]

    def _with_client(self, work: Callable[[NbdClient], T]) -> T:
        """Do something on a connection; anew, with servers that were asked for anew, when that hangs up."""
        for left in reversed(range(_TRIES)):
            try:
                with self._client() as client:
                    return work(client)
            except ServerGoneError as exc:
                if not left:
                    raise errors.ConnectionLostError("the server of the disk hung up again and again") from exc
                self._servers = nbd_servers(self._session, self._vdi) or self._servers
        raise AssertionError("unreachable")

    @contextmanager
    def _client(self) -> Iterator[NbdClient]:
        """Lend a connection; one whose use failed is closed."""
        with self._slots:
            with self._lock:
                if self._closed:
                    raise errors.ConnectionLostError("the disk is closed")
                client = self._idle.pop() if self._idle else None
            client = client or self._connect_again()
            try:
                yield client
            except BaseException:
                client.close()
                raise
            with self._lock:
                if not self._closed:
                    self._idle.append(client)
                    return
            client.close()

    def _connect_again(self) -> NbdClient:
        """Connect once more. The names of exports end with the session: where they are refused they are asked for anew."""
        try:
            return self._connect(self._servers, self._session.soon())
        except (OSError, errors.HvsdkError):
            found = nbd_servers(self._session, self._vdi)
            if list(found) == list(self._servers):
                raise
            self._servers = found or self._servers
        return self._connect(self._servers, self._session.soon())

    def _connect(self, servers: Sequence[Mapping[str, Any]], deadline: Deadline) -> NbdClient:
        """Connect to the next server that answers."""
        failure: Exception | None = None
        for _ in servers:
            server = servers[next(self._turns) % len(servers)]
            try:
                return self._connect_to(server, deadline)
            except (OSError, errors.HvsdkError) as exc:
                failure = failure or exc
        raise failure or errors.ConnectionLostError("the disk is not served by NBD any more")

    def _connect_to(self, server: Mapping[str, Any], deadline: Deadline) -> NbdClient:
        certificate = _der(str(server.get("cert", "")))
        context = tls_context(attrs.evolve(self._session.target.tls, pins=(fingerprint_of(certificate),)))
        endpoint = self._session.reach(str(server.get("address", "")), as_int(server.get("port")))
        plain = dial(endpoint, deadline)
        plain.settimeout(self._session.target.timeout)
        name = str(server.get("subject", ""))
        client = NbdClient(
            plain,
            str(server.get("exportname", "")),
            start_tls=lambda connection: context.wrap_socket(
                connection, server_hostname=name if _HOSTNAME.fullmatch(name) else None
            ),
        )
        try:
            check_size(client.size, self.size, "NBD export")
        except BaseException:
            client.close()
            raise
        return client

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    drop = close


def _der(pem: str) -> bytes:
    try:
        return ssl.PEM_cert_to_DER_cert(pem)
    except ValueError as exc:
        raise errors.CertificateError("the pool did not tell the certificate of the server that has the disk") from exc
