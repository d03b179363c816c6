"""Credentials by type, and references to secrets. None of them shows its secret in a repr."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import attrs

__all__ = [
    "ASK",
    "AskType",
    "Credentials",
    "KerberosCredentials",
    "KeyCredentials",
    "PasswordCredentials",
    "SecretRef",
    "TokenCredentials",
]


@attrs.frozen(kw_only=True)
class PasswordCredentials:
    """A user name and a password."""

    kind: ClassVar[Literal["password"]] = "password"
    username: str | None = None
    """The target's user name when `None`."""
    password: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class TokenCredentials:
    """A bearer token or an existing session's id."""

    kind: ClassVar[Literal["token"]] = "token"
    token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class KeyCredentials:
    """A private key or client certificate in files."""

    kind: ClassVar[Literal["key"]] = "key"
    username: str | None = None
    key_file: str
    certificate_file: str | None = None
    passphrase: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class KerberosCredentials:
    """Kerberos, with the ticket cache of the process."""

    kind: ClassVar[Literal["kerberos"]] = "kerberos"
    principal: str | None = None
    """The cache's own principal when `None`."""


Credentials = PasswordCredentials | TokenCredentials | KeyCredentials | KerberosCredentials


@attrs.frozen
class SecretRef:
    """Where a secret is: `"env:NAME"`, `"file:/path"`, `"keyring:service/user"`, `"command:pass show xen"`.

    Hosts made with one can be pickled.

    It is read at each login, so that a renewed secret counts. A file holds nothing else (one line end is cut off), and is
    refused when others can read it. A command is run without a shell, in half a minute at most, and prints nothing else to
    its standard output.
    """

    reference: str

    def __attrs_post_init__(self) -> None:
        kind, colon, rest = self.reference.partition(":")
        complete = all(rest.partition("/")) if kind == "keyring" else bool(rest)
        if kind not in ("env", "file", "keyring", "command") or not colon or not complete:
            raise ValueError("a secret is named as 'env:NAME', 'file:/path', 'keyring:service/user' or 'command:…'")


class AskType:
    """The type of `ASK`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "hvsdk.ASK"

    def __reduce__(self) -> str:
        return "ASK"


ASK: Final = AskType()
"""`connect(url, password=hvsdk.ASK)` asks at the terminal."""
