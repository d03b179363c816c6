"""The ways to log in, each with a stand-in that lets one in so, and with credentials that are right and wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import hvsdk
import hvsdk_simulators
import pytest
from hvsdk.driver import KerberosCredentials, KeyCredentials
from hvsdk_simulators import Running
from hvsdk_simulators.realm import Realm
from hvsdk_simulators.wire.authority import Authority, Issued

__all__ = [
    "KERBEROS",
    "PASSPHRASE",
    "PASSWORD",
    "USER",
    "WAYS",
    "WRONG",
    "Way",
    "kerberos_realm",
    "key_files",
    "started",
]

PASSWORD, WRONG, PASSPHRASE = "hyperv-passw0rd-0815", "not the passw0rd 4711", "passphrase of the key 99"
"""They are in no repr, log and traceback."""
USER = "Administrator"
KERBEROS = ("kerberos", "kerberos-http")
_OPTIONS: dict[str, dict[str, Any]] = {
    "basic": {},
    "ntlm": {},
    "ntlm-http": {"tls": False},
    "credssp": {"credssp": True},
    "credssp-http": {"credssp": True, "tls": False},
    "certificate": {"client_certificates": True},
    "kerberos": {},
    "kerberos-http": {"tls": False},
}
WAYS = tuple(_OPTIONS)


def kerberos_realm() -> Realm:
    """Start a realm in which the administrator has no ticket yet; without a KDC the test is skipped."""
    lacks = Realm.missing()
    if lacks:
        pytest.skip(f"Kerberos lacks {', '.join(lacks)}")
    return Realm({USER: PASSWORD, "stranger": PASSWORD})


def key_files(folder: Path, issued: Issued, passphrase: str | None = None) -> KeyCredentials:
    """Write a certificate and its key, and return what names them."""
    certificate, key = folder / "shown.pem", folder / "shown.key"
    certificate.write_text(issued.certificate)
    key.write_text(issued.key)
    return KeyCredentials(key_file=str(key), certificate_file=str(certificate), passphrase=passphrase)


@attrs.frozen
class Way:
    """One way to log in, on a stand-in of its own."""

    name: str
    server: Running
    realm: Realm | None = None
    folder: Path = attrs.field(default=Path())

    @property
    def transport(self) -> str:
        """The option of the URL."""
        return self.name.partition("-")[0]

    @property
    def secure(self) -> bool:
        """Whether there is TLS."""
        return not self.name.endswith("-http")

    def connect(self, **more: Any) -> hvsdk.Host:
        """Log in with what is right, unless something else is given."""
        wishes: dict[str, Any] = {
            "transport": self.transport,
            "verify": self.server.fingerprint or True,
            "timeout": 30.0,
        }
        if "password" not in more:
            wishes["password"] = self.right()
        return hvsdk.connect(self.server.url, **wishes | more)

    def right(self) -> Any:
        """Return credentials that the host lets in."""
        if self.transport == "kerberos":
            assert self.realm is not None
            self.realm.log_in(USER, PASSWORD)
            return KerberosCredentials()
        if self.transport == "certificate":
            folder = Path(str(self.server.certificates))
            return KeyCredentials(key_file=str(folder / "client.key"), certificate_file=str(folder / "client.pem"))
        return self.server.password

    def wrong(self) -> Any:
        """Return credentials that it does not let in, which can be read nevertheless."""
        if self.transport == "kerberos":
            assert self.realm is not None
            self.realm.log_out()
            return KerberosCredentials()
        if self.transport == "certificate":
            unknown = Authority("Others").issue("administrator@localhost", passphrase=PASSPHRASE)
            return key_files(self.folder, unknown, PASSPHRASE)
        return WRONG


@contextlib.contextmanager
def started(name: str, folder: Path, **more: Any) -> Iterator[Way]:
    """Start a stand-in for a way to log in."""
    with contextlib.ExitStack() as stack:
        options = {"domains": 3, "engine": "python", "password": PASSWORD} | _OPTIONS[name] | more
        realm = None
        if name in KERBEROS:
            realm = stack.enter_context(kerberos_realm())
            surroundings = stack.enter_context(pytest.MonkeyPatch.context())
            for variable, value in realm.environment.items():
                surroundings.setenv(variable, value)
            options["keytab"] = realm.keytab
        yield Way(name, stack.enter_context(hvsdk_simulators.start("hyperv", **options)), realm, folder)
