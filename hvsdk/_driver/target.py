"""What a driver is told to connect to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from hvsdk.models._mapping import EMPTY, frozen

if TYPE_CHECKING:
    from hvsdk.credentials import Credentials

__all__ = ["TLSOptions", "Target"]


@attrs.frozen(kw_only=True)
class TLSOptions:
    """How the server's certificate is to be checked."""

    verify: bool = True
    ca_file: str | None = None
    """CA bundle to trust instead of the system's."""
    pins: tuple[str, ...] = ()
    """`"sha256:<64 hex digits>"`, lower case: any one of these certificates is accepted, and nothing else."""
    legacy: bool = False
    """Also speak TLS 1.0 and 1.1 with the ciphers of that time."""


def _no_credentials() -> None:
    return None


@attrs.frozen(kw_only=True)
class Target:
    """One endpoint, as `connect` understood it. Its repr shows no secret."""

    url: str
    """Without userinfo's password and without the backend's own options."""
    scheme: str
    """With the transport, as in `qemu+ssh`."""
    hostname: str | None = None
    """IPv6 without brackets."""
    port: int | None = None
    path: str = ""
    query: Mapping[str, str] = attrs.field(default=EMPTY, converter=frozen)
    """Parameters of the URL that are not options of the backend, for the client library."""
    username: str | None = None
    """`root`, `user@domain` or `DOMAIN\\user`, decoded."""
    options: Mapping[str, Any] = attrs.field(default=EMPTY, converter=frozen)
    """The backend's own options, converted, defaults filled in."""
    tls: TLSOptions = attrs.field(factory=TLSOptions)
    timeout: float = 30.0
    """Seconds that one round trip may take."""
    readonly: bool = False
    """For products that know read-only connections; the core refuses changes by itself."""
    backend: str = ""
    _credentials: Callable[[], Credentials | None] = attrs.field(
        default=_no_credentials, repr=False, alias="credentials"
    )
    _used: set[str] = attrs.field(factory=set, init=False, repr=False, eq=False)

    def credentials(self, *kinds: Literal["password", "token", "key", "kerberos"]) -> Credentials | None:
        """Find the credentials: argument, `hvsdk_credentials` hooks, environment, keyring; `None` when there are none.

        Call it in `open`, when the product asks for them, and keep no copy: they may be renewed.

        Raises:
            AuthenticationError: They are of another kind than the `kinds` that the driver can use.
        """
        found = self._credentials()
        for name in ("password", "token", "passphrase"):
            secret = getattr(found, name, None)
            if secret and secret != self.username:
                self._used.add(secret)
        if found is not None and kinds and found.kind not in kinds:
            from hvsdk.errors import AuthenticationError

            raise AuthenticationError(
                f"{self.backend or self.scheme} cannot log in with {found.kind} credentials",
                hint=f"it takes: {', '.join(kinds)}",
            )
        return found

    def used_secrets(self) -> frozenset[str]:
        """Return what was handed out, for the core to take it out of errors."""
        return frozenset(self._used)

    def shown(self) -> str:
        """Return the URL as it may be shown."""
        return self.url
