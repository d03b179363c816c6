"""libvirt's URI for a target."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from urllib.parse import quote

from hvsdk.driver import Target, errors

from hvsdk_kvm import OPTIONS

__all__ = ["check_parameters", "is_remote", "libvirt_uri", "split_scheme"]

_SSH = ("ssh", "libssh", "libssh2")

_LIBVIRTS = frozenset(
    (
        *("name", "command", "socket", "netcat", "mode", "proxy", "auth", "sshauth", "root"),
        *(
            "keyfile",
            "known_hosts",
            "known_hosts_verify",
            "no_verify",
            "no_tty",
            "no_sanity",
            "pkipath",
            "tls_priority",
        ),
    )
)
"""Parameters that libvirt knows; it ignores all others."""


def check_parameters(target: Target) -> None:
    """Refuse a parameter of the URL that looks like a mistyped option: libvirt would ignore it.

    Raises:
        InvalidSpecError: There is one.
    """
    for name in target.query:
        if name in _LIBVIRTS:
            continue
        meant = difflib.get_close_matches(name.lower().replace("-", "_"), OPTIONS, n=1, cutoff=0.8)
        if meant:
            raise errors.InvalidSpecError(
                f"there is no option {name!r}, and libvirt knows none of that name", hint=f"did you mean {meant[0]}?"
            )


def split_scheme(target: Target) -> tuple[str, str]:
    """Return libvirt's driver and transport: `kvm://host` is `qemu` over `ssh`, `qemu://host` is `qemu` over `tls`."""
    driver, _, transport = target.scheme.partition("+")
    if not transport and target.hostname is not None:
        transport = "ssh" if driver == "kvm" else "tls"
    return ("qemu" if driver == "kvm" else driver), transport


def is_remote(target: Target) -> bool:
    """Whether a daemon is at the other end, rather than libvirt's driver in this process."""
    driver, transport = split_scheme(target)
    return bool(transport) or not (driver == "test" or target.path == "/embed")


def libvirt_uri(target: Target, more: Mapping[str, str] | None = None) -> str:
    """Return the URI to open; it holds no secret.

    Args:
        more: Further parameters of the query, which count less than those of the target.

    Raises:
        InvalidSpecError: An option does not go with the transport.
    """
    driver, transport = split_scheme(target)
    query = {**(more or {}), **_options(target, transport), **target.query}
    user = quote(target.username, safe="") + "@" if target.username else ""
    host = target.hostname or ""
    if ":" in host:
        host = f"[{host.replace('%', '%25')}]"
    port = f":{target.port}" if target.port else ""
    path = target.path
    if path in ("", "/"):
        path = "/default" if driver == "test" else "/system"
    items = "&".join(f"{quote(key, safe='')}={quote(value, safe='/:,')}" for key, value in query.items())
    scheme = f"{driver}+{transport}" if transport else driver
    return f"{scheme}://{user}{host}{port}{quote(path, safe='/')}{'?' if items else ''}{items}"


def _options(target: Target, transport: str) -> dict[str, str]:
    options = target.options
    query: dict[str, str] = {}
    if transport in _SSH:
        query["no_tty"] = "1"
    for name in ("keyfile", "known_hosts", "no_verify"):
        value = options.get(name)
        if not value:
            continue
        if transport not in _SSH:
            raise errors.InvalidSpecError(f"{name}= is for connections over ssh, not for {target.scheme}://")
        query[name] = "1" if value is True else os.path.expanduser(str(value))
    if transport == "ssh" and "known_hosts" in query:
        raise errors.InvalidSpecError(
            f"{target.scheme}:// runs the ssh program, which libvirt cannot give a known_hosts file",
            hint="name it in ~/.ssh/config, or connect to qemu+libssh://",
        )
    if options.get("pkipath"):
        if transport != "tls":
            raise errors.InvalidSpecError(f"pkipath= is for connections over TLS, not for {target.scheme}://")
        query["pkipath"] = os.path.expanduser(str(options["pkipath"]))
    if transport == "tls":
        if not target.tls.verify:
            query["no_verify"] = "1"
        if target.tls.legacy:
            query["tls_priority"] = "NORMAL:+VERS-TLS1.1:+VERS-TLS1.0"
    return query
