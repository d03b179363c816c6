"""Certificates for a TLS server and its client, signed by an authority of their own, made with openssl."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ._run import run

VALID_DAYS = 2


@dataclass(frozen=True)
class Certificates:
    """The files of one authority, one server and one client.

    `client_directory` is what libvirt's URI parameter `pkipath` takes.
    """

    authority: Path
    server_certificate: Path
    server_key: Path
    client_directory: Path


def make_certificates(
    directory: str | Path,
    server_names: Sequence[str] = ("localhost", "127.0.0.1"),
    client_name: str = "tester",
) -> Certificates:
    """Write fresh keys and certificates below a directory, valid for two days.

    Args:
        server_names: Host names and addresses that the server's certificate is good for.
    """
    directory = Path(directory).absolute()
    client = directory / "client"
    client.mkdir(parents=True)
    authority, authority_key = directory / "cacert.pem", directory / "cakey.pem"
    _make_key(authority_key)
    _self_signed(authority, authority_key)
    names = ",".join(_alternative(name) for name in server_names)
    server, server_key = directory / "servercert.pem", directory / "serverkey.pem"
    _make_key(server_key)
    _signed(server, server_key, "server", f"subjectAltName={names}\nextendedKeyUsage=serverAuth", directory)
    client_key = client / "clientkey.pem"
    _make_key(client_key)
    _signed(client / "clientcert.pem", client_key, client_name, "extendedKeyUsage=clientAuth", directory)
    (client / "cacert.pem").write_bytes(authority.read_bytes())
    return Certificates(authority, server, server_key, client)


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _make_key(path: Path) -> None:
    run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path])
    path.chmod(0o600)


def _self_signed(certificate: Path, key: Path) -> None:
    extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"]
    options = [word for extension in extensions for word in ("-addext", extension)]
    options += ["-days", str(VALID_DAYS), "-subj", "/CN=hvsdk testbed authority"]
    run(["openssl", "req", "-x509", "-key", key, "-out", certificate, *options])


def _signed(certificate: Path, key: Path, name: str, extensions: str, directory: Path) -> None:
    request, text = directory / "request.pem", directory / "extensions.cnf"
    usage = "keyUsage=critical,digitalSignature,keyEncipherment"
    text.write_text(f"basicConstraints=critical,CA:FALSE\n{usage}\n{extensions}\n")
    run(["openssl", "req", "-new", "-key", key, "-out", request, "-subj", f"/CN={name}"])
    authority: list[str | Path] = [
        "-CA",
        directory / "cacert.pem",
        "-CAkey",
        directory / "cakey.pem",
        "-CAcreateserial",
    ]
    files: list[str | Path] = ["-in", request, "-out", certificate, "-extfile", text]
    run(["openssl", "x509", "-req", "-days", str(VALID_DAYS), *files, *authority])
    request.unlink()
    text.unlink()
