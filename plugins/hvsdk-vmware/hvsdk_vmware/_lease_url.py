"""Where the disks of a lease are: which server, which certificate it has to show, and which disk is meant."""

from __future__ import annotations

import hashlib
import hmac
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

import attrs
from hvsdk.connections import Endpoint, UnreachableError
from hvsdk.driver import Deadline, TLSOptions, errors, fingerprint_of, tls_context

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._session import VmwareSession
from hvsdk_vmware._transfer import Transfer

__all__ = ["LeasedFile", "Slot", "begin_transfer", "family_of", "file_of", "slot_of"]

_ALIAS = "*"
"""What stands for the server that was asked: a host by itself does not know by what name it is reached."""
_KEY = re.compile(r"(?:^|/)(?P<kind>[A-Za-z]+)(?P<bus>\d{1,3}):(?P<unit>\d{1,3})$", re.ASCII)
_SAFE = re.compile(r"/[!-~]*", re.ASCII)
_DIGITS = re.compile(r"(?:[0-9a-fA-F]{2}){20}(?:(?:[0-9a-fA-F]{2}){12})?", re.ASCII)
_FAMILIES = {"ide": "ide", "ahci": "sata", "sata": "sata", "nvme": "nvme"}


@attrs.frozen
class Slot:
    """The place of a disk on its controller."""

    family: str
    """`scsi`, `ide`, `sata` or `nvme`."""
    bus: int
    unit: int


@attrs.frozen(kw_only=True)
class LeasedFile:
    """What one address of a lease is."""

    endpoint: Endpoint
    path: str = attrs.field(repr=False)
    """Path and query; whoever knows it may read, so that it is a secret."""
    thumbprint: str | None = None
    """Digits of the SHA-1 or SHA-256 of the certificate that the server has to show, where the lease tells it."""
    ours: bool
    """Whether it is on the server that the session is with, which alone gets to see the session."""


def slot_of(key: str) -> Slot | None:
    """Return the place that a key such as `/vm-42/ParaVirtualSCSIController0:1` names, if it names one."""
    found = _KEY.search(key)
    if found is None:
        return None
    return Slot(family_of(found["kind"]), int(found["bus"]), int(found["unit"]))


def family_of(kind: str) -> str:
    """Return the family of a controller's type."""
    return next((family for part, family in _FAMILIES.items() if part in kind.lower()), "scsi")


def file_of(session: VmwareSession, device: Any) -> LeasedFile:
    """Return where one of a lease's `deviceUrl` is.

    The certificate is the one that the lease tells, since a vCenter's members have their own; where it tells none, the
    rules of the connection hold.

    Raises:
        AnswerError: It is no address that can be trusted.
    """
    try:
        parts = urlsplit(device.url)
        port = parts.port
    except ValueError as exc:
        raise AnswerError("the lease has an address that is none") from exc
    own = session.stub.pool.endpoint
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    encrypted = parts.scheme == "https"
    if not parts.hostname or not _SAFE.fullmatch(path) or (not encrypted and own.context is not None):
        raise AnswerError("the lease has an address that cannot be trusted")
    host, port = _place(parts, port, own)
    ours = (host, port) == (own.host, own.port)
    if not encrypted:
        return LeasedFile(endpoint=Endpoint(host, port), path=path, ours=ours)
    tls = session.target.tls
    told = _thumbprint(device) if tls.verify or tls.pins else None
    rules = TLSOptions(verify=False, legacy=tls.legacy) if told else tls
    check = _holds_to(told, f"{host}:{port}") if told else None
    return LeasedFile(endpoint=Endpoint(host, port, tls_context(rules), check), path=path, thumbprint=told, ours=ours)


def begin_transfer(
    session: VmwareSession,
    file: LeasedFile,
    method: str,
    headers: Mapping[str, str],
    *,
    length: int | None = None,
    deadline: Deadline | None = None,
) -> Transfer:
    """Begin to move what is in a file of a lease, see `Transfer`.

    Raises:
        OperationFailedError: There is no way to the host that has it.
    """
    cookie = {"Cookie": session.stub.cookie} if file.ours else {}
    seconds = session.target.timeout
    try:
        return Transfer(
            file.endpoint, method, file.path, {**headers, **cookie}, seconds, length=length, deadline=deadline
        )
    except UnreachableError as exc:
        raise errors.OperationFailedError(
            f"the host {file.endpoint}, which the bytes of the disk have to go to or come from, cannot be reached: {exc}",
            hint="vCenter names its hosts as it knows them: their names must resolve here, and port 443 be open",
        ) from exc


def _place(parts: SplitResult, port: int | None, own: Endpoint) -> tuple[str, int]:
    if parts.hostname == _ALIAS:
        return own.host, port or own.port
    return parts.hostname or "", port or (443 if parts.scheme == "https" else 80)


def _thumbprint(device: Any) -> str | None:
    """Return the digits of the certificate's digest: of the certificate itself where the lease has it."""
    whole = getattr(device, "sslCertificate", None)
    if whole:
        try:
            return hashlib.sha256(ssl.PEM_cert_to_DER_cert(whole.strip())).hexdigest()
        except ValueError as exc:
            raise AnswerError("the lease has a certificate that cannot be read") from exc
    digits = re.sub(r"[:\s]", "", device.sslThumbprint or "")
    if digits and not _DIGITS.fullmatch(digits):
        raise AnswerError("the lease has a thumbprint that is none")
    return digits.lower() or None


def _holds_to(thumbprint: str, where: str) -> Callable[[bytes], None]:
    """Return what refuses every certificate but the one with this thumbprint."""
    digest = hashlib.sha1 if len(thumbprint) == hashlib.sha1().digest_size * 2 else hashlib.sha256

    def check(certificate: bytes) -> None:
        if not hmac.compare_digest(digest(certificate).hexdigest(), thumbprint):
            raise errors.CertificateError(
                f"the certificate of {where} is not the one that the server announced, but {fingerprint_of(certificate)}",
                fingerprint=fingerprint_of(certificate),
                hint="has the host got a new one? vCenter learns it when the host is connected again",
            )

    return check
