"""`connect`, the way in. Its imports are inside: most programs that name it at the top call it much later, or never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from hvsdk._host import Host
    from hvsdk.credentials import AskType, Credentials, SecretRef

__all__ = ["connect"]


def connect(
    url: str,
    *,
    username: str | None = None,
    password: str | SecretRef | Credentials | AskType | None = None,
    verify: bool | str | os.PathLike[str] | Iterable[str] = True,
    tls: Literal["legacy"] | None = None,
    timeout: float = 30.0,
    deadline: float | None = None,
    readonly: bool = False,
    allow: Iterable[str] = frozenset(),
    backend: str | None = None,
    **options: Any,
) -> Host:
    """Connect to a hypervisor, log in and return the host.

    Arguments win over what the URL says. Without a password one is looked for, when the product asks for it, in the
    URL, the `hvsdk_credentials` hooks, the environment (`HVSDK_<BACKEND>_PASSWORD`, `…_USERNAME`) and, where the
    package `keyring` is installed, the keyring (service `hvsdk`, user `root@xcp-1`).

    Args:
        url: Such as `qemu:///system`, `xenapi://root@xcp-1`, `vmware://admin@vc.example`, `hyperv://admin@hv-3` or
            `fake://demo`. A password in it is used and shown nowhere, but your shell's history may keep it.
        username: `root`, `user@domain` or `DOMAIN\\user`.
        password: The password, `hvsdk.ASK` to be asked at the terminal, a `SecretRef`, or other `Credentials`: a token, a
            key file, Kerberos. Only without a literal secret can the host be pickled.
        verify: The server's certificate is checked. A CA file to check it with, one or several `"sha256:<fingerprint>"`
            of the certificates to accept (with or without colons, also as `openssl x509 -fingerprint -sha256` prints
            it), or `False` not to check, which warns.
        tls: `"legacy"` for servers that speak TLS 1.0 only.
        timeout: Seconds that one round trip may take.
        deadline: Seconds that any operation may take as a whole, this one included.
        readonly: Refuse every verb that changes something.
        allow: What a read-only host shall hand out all the same: `"console"`, `"open_disk"`, `"native"`.
        backend: Name of the backend, where two installed ones take the URL's scheme.
        options: `port`, and what the backend has: `python -m hvsdk --options` lists them. These alone may also stand in
            the URL (`?name=value`; a bool is `true`, `yes` or `1`, or `false`, `no` or `0`); the arguments above do not.

    Raises:
        ValueError: The URL or an argument makes no sense.
        TypeError: The backend has no such option.
        UnknownBackendError: No backend takes the scheme; the message names the extra to install.
        BackendLoadError: The backend or its client library cannot be loaded.
        UnsupportedError: The scheme cannot do what `verify` or `tls` asks for, or is not for use over a network.
        AuthenticationError: The server refused the credentials, or none were found.
        CertificateError: The server's certificate was not accepted; the error has its fingerprint.
        ConnectError: Nobody answers there, or not as this product does. The two errors above are of this class too.

    Example:
        >>> import hvsdk
        >>> with hvsdk.connect("fake://demo?domains=3&seed=7") as host:
        ...     len(host.domains())
        3
    """
    from hvsdk._endpoint import open_endpoint, take

    taken = take(url, password)
    del url, password  # so that no traceback with local variables shows them
    if isinstance(taken, Exception):
        raise taken.with_traceback(None)  # the frames left out had parts of the URL in variables
    location, given = taken
    return open_endpoint(
        location,
        given,
        username=username,
        verify=verify,
        tls=tls,
        timeout=timeout,
        deadline=deadline,
        readonly=readonly,
        allow=allow,
        backend=backend,
        options=options,
    )
