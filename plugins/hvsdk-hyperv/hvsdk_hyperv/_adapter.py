"""What `requests` connects with: our check of the certificate, and connections that can be cut."""

from __future__ import annotations

import ssl
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

__all__ = ["Adapter"]


class _EncryptedPool(HTTPSConnectionPool):
    def _validate_conn(self, conn: Any) -> None:
        """Connect, which is when our context checks the certificate: nothing is left to be warned of."""
        if conn.is_closed:
            conn.connect()


class Adapter(HTTPAdapter):
    """One connection at a time to one server.

    Args:
        context: How its certificate is checked, before anything is sent; `None` without TLS.
    """

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._made: list[HTTPConnection] = []
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        if self._context is not None:
            more["ssl_context"] = self._context
        super().init_poolmanager(connections, maxsize, block, **more)
        made = self._made

        class Plain(HTTPConnection):
            def connect(self) -> None:
                made[:] = [self]
                super().connect()

        class Encrypted(HTTPSConnection):
            def connect(self) -> None:
                made[:] = [self]
                super().connect()

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(_EncryptedPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Leave the check to the context, which also has the client's own certificate, where there is one."""
        host, kept = super().build_connection_pool_key_attributes(request, verify, cert)
        for name in ("cert_reqs", "ca_certs", "ca_cert_dir", "cert_file", "key_file"):
            kept.pop(name, None)
        if self._context is not None:
            kept["ssl_context"] = self._context
        return host, kept

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave it to the context."""

    def alive(self) -> bool:
        """Whether the connection that was made last can be used again."""
        return any(each.sock is not None and each.sock.fileno() >= 0 and each.is_connected for each in self._made)

    def cut(self) -> None:
        """Close the socket and nothing around it: in a forked child that leaves the parent's connection alone."""
        for each in self._made:
            if each.sock is not None:
                each.sock.close()
