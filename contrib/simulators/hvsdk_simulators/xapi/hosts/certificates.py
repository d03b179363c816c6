"""Certificates of hosts as records. What a host shows to clients is read from what it really shows."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.world import World


@derived("Certificate", "fingerprint")
def fingerprint(world: World, certificate: Object) -> str:
    """SHA-256 of the certificate: two digits for each byte, with colons between."""
    shown = _shown(world, certificate)
    return shown.fingerprint(hashes.SHA256()).hex(":").upper() if shown else str(certificate["fingerprint"])


@derived("Certificate", "not_before")
def not_before(world: World, certificate: Object) -> datetime:
    """Since when it is valid."""
    shown = _shown(world, certificate)
    known: datetime = shown.not_valid_before_utc if shown else certificate["not_before"]
    return known


@derived("Certificate", "not_after")
def not_after(world: World, certificate: Object) -> datetime:
    """Until when it is valid."""
    shown = _shown(world, certificate)
    known: datetime = shown.not_valid_after_utc if shown else certificate["not_after"]
    return known


def _shown(world: World, certificate: Object) -> x509.Certificate | None:
    if certificate["type"] != "host":
        return None
    pem = next((one.certificate for one in world.members if one.host.ref == certificate["host"]), "")
    return x509.load_pem_x509_certificate(pem.encode()) if pem else None
