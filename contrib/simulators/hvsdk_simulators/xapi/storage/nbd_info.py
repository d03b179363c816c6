"""Where disks are served by NBD, and what listens there."""

import ssl
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import Member, World

from .connections import assert_attached, hosts_of
from .nbd import NbdServer


@message("VDI.get_nbd_info(VDI ref self) -> vdi_nbd_server_info record set", role="vm-admin", since="2.8")
def get_nbd_info(call: Call, vdi: Object) -> list[dict[str, Any]]:
    """Say where a disk can be read; nowhere while no network has the purpose."""
    world = call.world
    if vdi["type"] == "cbt_metadata":
        raise Failure("VDI_INCOMPATIBLE_TYPE", vdi.ref, vdi["type"])
    sr = world.db.get("SR", vdi["SR"])
    assert_attached(world, sr)
    session = call.session.ref if call.session is not None else ""
    name = f"/{vdi['uuid']}?session_id={session}"
    found: list[dict[str, Any]] = []
    for host in hosts_of(world, sr):
        member = world.member_of(host)
        server: NbdServer | None = world.storage.nbd_servers.get(host.ref)
        if server is None:
            continue
        told = {"exportname": name, "port": server.port, "cert": member.certificate, "subject": _subject(member)}
        found.extend(told | {"address": address} for address in _addresses(world, host))
    return found


def serve_nbd(world: World, member: Member, context: ssl.SSLContext, sent: Callable[[int], None]) -> NbdServer:
    """Let a member serve disks by NBD until the server is stopped; `sent` is told of the bytes that go out."""
    server = NbdServer(world, member, context, sent)
    with world.lock:
        world.storage.nbd_servers[member.host.ref] = server
    return server


def _addresses(world: World, host: Object) -> list[str]:
    """The host's addresses in networks that are for NBD."""
    found = []
    for network in world.db.all("network"):
        if "nbd" not in network["purpose"] and "insecure_nbd" not in network["purpose"]:
            continue
        for pif in (world.db.get("PIF", ref) for ref in network["PIFs"]):
            if pif["host"] == host.ref and pif["currently_attached"]:
                found += [address for address in (pif["IP"], *pif["IPv6"]) if address]
    return [address.partition("/")[0] for address in found]


def _subject(member: Member) -> str:
    """A name in the member's certificate."""
    if not member.certificate:
        return ""
    certificate = x509.load_pem_x509_certificate(member.certificate.encode())
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        dns = []
    common = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return next(iter([*dns, *common]), "")
