"""A Kerberos realm on 127.0.0.1, for tests: a real KDC with its files in a directory that goes with it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

__all__ = ["Realm"]

_PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit")
_FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin"
_MODULES = ("k5test", "gssapi", "krb5")


class Realm:
    """A realm with the services `HTTP/localhost` and `cifs/localhost`, until the end of the `with` statement.

    Args:
        users: Passwords by name.
        name: Of the realm.

    Attributes:
        keytab: File with the keys of the services.
        environment: What finds the realm, and its tickets, in the environment of a process.
    """

    def __init__(self, users: Mapping[str, str], name: str = "HVSDK.TEST") -> None:
        k5test: Any = import_module("k5test")  # which has no types
        port = _free_port()
        here = f"127.0.0.1:{port}"
        # Samba that is in no domain lets in no ticket with a PAC, and WinRM's stand-in looks at none.
        wishes = {
            "disable_pac": "true",
            "kdc_ports": None,
            "kdc_tcp_ports": None,
            "kdc_listen": here,
            "kdc_tcp_listen": here,
        }
        self._realm: Any = k5test.K5Realm(
            realm=name,
            portbase=port,
            create_user=False,
            create_host=False,
            get_creds=False,
            krb5_conf={
                "libdefaults": {"dns_canonicalize_hostname": "false", "rdns": "false"},
                "realms": {"$realm": {"kdc": here}},
            },
            kdc_conf={"realms": {"$realm": wishes}},
        )
        self.keytab: str = self._realm.keytab
        self.environment: dict[str, str] = dict(self._realm.env)
        for user, password in users.items():
            self._realm.addprinc(user, password)
        for service in ("HTTP/localhost", "cifs/localhost"):
            self._realm.addprinc(service)
            self._realm.extract_keytab(service, self.keytab)

    @staticmethod
    def missing() -> list[str]:
        """Return the programs and modules that a realm needs and this machine lacks.

        Debian has the programs in krb5-kdc, krb5-admin-server and krb5-user.
        """
        lacks = [name for name in _PROGRAMS if not (shutil.which(name) or shutil.which(name, path=_FOLDERS))]
        return lacks + [name for name in _MODULES if find_spec(name) is None]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def log_in(self, user: str, password: str) -> None:
        """Get a ticket for a user, in place of those that are there."""
        self._realm.kinit(user, password)

    def log_out(self) -> None:
        """Forget all tickets."""
        Path(self._realm.ccache).unlink(missing_ok=True)

    def stop(self) -> None:
        """End the KDC, and remove its files. Twice is harmless."""
        realm, self._realm = self._realm, None
        if realm is not None:
            realm.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
