"""Opening a connection: credentials, TLS files, keepalive, and the one root of the embedded driver."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import libvirt
from hvsdk.driver import KeyCredentials, PasswordCredentials, Target, errors

from hvsdk_kvm._embed_advice import embed_advice
from hvsdk_kvm._event_loop import ensure_event_loop, silence_errors
from hvsdk_kvm._events import EventHub
from hvsdk_kvm._uri import check_parameters, is_remote, libvirt_uri, split_scheme
from hvsdk_kvm._xml_cache import XmlCache

__all__ = ["Opened", "embed_root", "keepalive", "open_connection"]

_NAMES = (libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_USERNAME)
_SECRETS = (libvirt.VIR_CRED_PASSPHRASE, libvirt.VIR_CRED_NOECHOPROMPT)
_KINDS = [*_NAMES, *_SECRETS, libvirt.VIR_CRED_REALM, libvirt.VIR_CRED_ECHOPROMPT, libvirt.VIR_CRED_CNONCE]

_log = logging.getLogger(__name__)
_embed_lock = threading.Lock()
_embedded: dict[Path, tuple[int, Opened]] = {}
"""The embedded driver's connection, with the process that opened it. It is opened once and kept: libvirt enters the
driver into a short table each time, and refuses when that is full."""


@attrs.frozen
class Opened:
    """A connection that was made, and what belongs to it."""

    connection: libvirt.virConnect
    uri: str
    events: EventHub | None
    """`None` where libvirt's event loop does not run."""
    xml_cache: XmlCache = attrs.field(factory=XmlCache)
    shared: bool = False
    """Whether other drivers of this process have it too; it is then not to be closed."""


def open_connection(target: Target) -> Opened:
    """Connect.

    Raises:
        AuthenticationError: The daemon wants a name or password that nobody gave.
        ConnectError: Another root of the embedded driver is open in this process.
        InvalidSpecError: A parameter of the URL looks like a mistyped option.
    """
    check_parameters(target)
    if not target.options.get("print_errors"):
        silence_errors()
    pumped = ensure_event_loop()
    root = embed_root(target)
    if root is not None:
        return _open_embedded(root, target)
    answer = _Answers(target)
    with _query(target) as more:
        uri = libvirt_uri(target, more)
        try:
            connection = libvirt.openAuth(uri, [_KINDS, answer, None], 0)
        except libvirt.libvirtError as exc:
            if answer.failure is not None:
                raise answer.failure from exc
            raise
    if pumped and is_remote(target):
        connection.setKeepAlive(*keepalive(target.timeout))
    return Opened(connection, uri, EventHub(connection) if pumped else None)


def _open_embedded(root: Path, target: Target) -> Opened:
    with _embed_lock:
        for other, (pid, opened) in _embedded.items():
            if pid != os.getpid():
                raise errors.ConnectError(
                    f"the embedded driver in {other} belongs to the process that this one was forked from",
                    hint="use it in one process only",
                )
            if other != root:
                raise errors.ConnectError(
                    f"the embedded driver of this process already runs in {other}, not in {root}",
                    hint="a process can have one root only: use another process",
                )
            return opened
        uri = libvirt_uri(target)
        if advice := embed_advice(root):
            _log.warning("the embedded driver in %s: %s", root, advice)
        connection = libvirt.open(uri)
        opened = Opened(connection, uri, EventHub(connection), shared=True)
        _embedded[root] = (os.getpid(), opened)
        return opened


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
