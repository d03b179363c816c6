"""Opening a connection: credentials, TLS files, keepalive, and the one root of the embedded driver."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import libvirt
from hvsdk.driver import KeyCredentials, PasswordCredentials, Target, errors

from hvsdk_kvm._event_loop import ensure_event_loop, silence_errors
from hvsdk_kvm._uri import is_remote, libvirt_uri, split_scheme

__all__ = ["keepalive", "open_connection"]

_NAMES = (libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_USERNAME)
_SECRETS = (libvirt.VIR_CRED_PASSPHRASE, libvirt.VIR_CRED_NOECHOPROMPT)
_KINDS = [*_NAMES, *_SECRETS, libvirt.VIR_CRED_REALM, libvirt.VIR_CRED_ECHOPROMPT, libvirt.VIR_CRED_CNONCE]

_embed_lock = threading.Lock()
_embed_roots: list[Path] = []


def open_connection(target: Target) -> tuple[libvirt.virConnect, str, bool]:
    """Connect, and return the connection, libvirt's URI of it, and whether events are delivered.

    Raises:
        AuthenticationError: The daemon wants a name or password that nobody gave.
        ConnectError: Another root of the embedded driver is open in this process.
    """
    if not target.options.get("print_errors"):
        silence_errors()
    events = ensure_event_loop()
    root = embed_root(target)
    if root is not None:
        _claim(root)
    answer = _Answers(target)
    with _query(target) as more:
        uri = libvirt_uri(target, more)
        try:
            connection = libvirt.openAuth(uri, [_KINDS, answer, None], 0)
        except libvirt.libvirtError as exc:
            if answer.failure is not None:
                raise answer.failure from exc
            raise
    if events and is_remote(target):
        connection.setKeepAlive(*keepalive(target.timeout))
    return connection, uri, events


def embed_root(target: Target) -> Path | None:
    """Return the root directory of an embedded driver, `None` for every other connection."""
    if split_scheme(target)[1] or target.path != "/embed":
        return None
    root = target.query.get("root", "")
    if not root.startswith("/"):
        raise errors.InvalidSpecError(
            "the embedded driver needs a directory of its own", hint="qemu:///embed?root=/absolute/path"
        )
    return Path(os.path.normpath(root))


def keepalive(timeout: float) -> tuple[int, int]:
    """Return interval and count with which a frozen daemon is noticed after about `timeout` seconds, at least two."""
    count = 3 if timeout >= 4 else 1
    return max(1, int(timeout / (count + 1))), count


def _claim(root: Path) -> None:
    with _embed_lock:
        if _embed_roots and _embed_roots[0] != root:
            raise errors.ConnectError(
                f"the embedded driver of this process already runs in {_embed_roots[0]}, not in {root}",
                hint="a process can have one root only: use another process",
            )
        if not _embed_roots:
            _embed_roots.append(root)


@contextmanager
def _query(target: Target) -> Iterator[dict[str, str]]:
    """Lend parameters that only hold while connecting: a CA file becomes a directory as libvirt wants it."""
    _, transport = split_scheme(target)
    if transport == "ssh":
        found = target.credentials("key")
        yield {"keyfile": found.key_file} if isinstance(found, KeyCredentials) else {}
    elif transport == "tls" and target.tls.ca_file and not target.options.get("pkipath"):
        with tempfile.TemporaryDirectory(prefix="hvsdk-pki-") as directory:
            files = {"cacert.pem": target.tls.ca_file}
            found = target.credentials()
            if isinstance(found, KeyCredentials) and found.certificate_file:
                files |= {"clientcert.pem": found.certificate_file, "clientkey.pem": found.key_file}
            for name, path in files.items():
                os.symlink(os.path.abspath(path), os.path.join(directory, name))
            yield {"pkipath": directory}
    else:
        yield {}


class _Answers:
    """Answers what the daemon asks for; it never prompts.

    What goes wrong is kept in `failure`: libvirt would print and swallow it.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.failure: errors.HvsdkError | None = None

    def __call__(self, asked: list[list[Any]], opaque: Any) -> int:
        try:
            return self._answer(asked)
        except errors.HvsdkError as exc:
            self.failure = exc
            return -1

    def _answer(self, asked: list[list[Any]]) -> int:
        found = self._target.credentials()
        name = getattr(found, "username", None) or self._target.username
        secret = found.password if isinstance(found, PasswordCredentials) else None
        if isinstance(found, KeyCredentials):
            secret = found.passphrase
        missing = []
        for item in asked:
            kind, default = item[0], item[3]
            value = name if kind in _NAMES else secret if kind in _SECRETS else default
            if value is None:
                missing.append("a user name" if kind in _NAMES else "a password" if kind in _SECRETS else "an answer")
            item[4] = value
        if missing:
            raise errors.AuthenticationError(
                f"the daemon wants {' and '.join(dict.fromkeys(missing))}, and none was given",
                hint="connect(…, username=…, password=…)",
            )
        return 0
