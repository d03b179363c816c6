"""Giving a host another certificate, which it shows to whoever connects from then on."""

from __future__ import annotations

import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hvsdk_simulators.wire.tls import make_identity, show
from hvsdk_simulators.xapi.actions import action
from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.hosts.life import after_the_answer, cut
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import Member, World

_ROLE = "pool-admin"


@message("host.reset_server_certificate(host ref host) -> void", role=_ROLE, since="2.16")
def reset_server_certificate(call: Call, host: Object) -> None:
    """Let a host make a certificate of its own."""
    renew(call.world, call.world.member_of(host))


@message("host.refresh_server_certificate(host ref host) -> void", role=_ROLE, since="2.16")
def refresh_server_certificate(call: Call, host: Object) -> None:
    """The same, as newer releases call it."""
    renew(call.world, call.world.member_of(host))


@message(
    "host.install_server_certificate(host ref host, string certificate, string private_key, "
    "string certificate_chain = ) -> void",
    role=_ROLE,
    since="2.15",
)
def install_server_certificate(
    call: Call, host: Object, certificate: str, private_key: str, certificate_chain: str
) -> None:
    """Let a host show a certificate that somebody else made."""
    try:
        load_pem_private_key(private_key.encode(), None)
    except (TypeError, ValueError):
        raise Failure("SERVER_CERTIFICATE_KEY_INVALID") from None
    try:
        x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        raise Failure("SERVER_CERTIFICATE_INVALID") from None
    try:
        _use(call.world, call.world.member_of(host), certificate, private_key, certificate_chain)
    except ssl.SSLError:
        raise Failure("SERVER_CERTIFICATE_KEY_MISMATCH") from None


@action("renew-certificate")
def renew_certificate(world: World, host: str) -> dict[str, str]:
    """Let a host make a new certificate, by its UUID, and return the fingerprint of it."""
    member = world.member_of(world.db.find("host", host))
    renew(world, member)
    return {"fingerprint": member.fingerprint}


def renew(world: World, member: Member) -> None:
    """Make a certificate like the one before, with another key."""
    identity = make_identity(member.host["hostname"], [member.address, "127.0.0.1"])
    _use(world, member, identity.certificate, identity.key)


def _use(world: World, member: Member, certificate: str, key: str, chain: str = "") -> None:
    """Show a certificate. What is connected is cut soon after, as the product restarts what speaks TLS."""
    if member.context is None:
        raise Failure("NOT_SUPPORTED", "the pool speaks no TLS")
    show(member.context, f"{certificate}\n{chain}", key)
    digest = x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256())
    member.certificate = certificate
    member.fingerprint = f"sha256:{digest.hex()}"
    for ref in member.host["certificates"]:
        world.db.bump(world.db.get("Certificate", ref))
    after_the_answer(world, lambda: cut(member))
