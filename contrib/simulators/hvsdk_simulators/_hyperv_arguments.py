"""The command line of the simulated Hyper-V host."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from typing import Any

import attrs

from ._numbers import amount, whole
from .hyperv.options import Options

__all__ = ["add_hyperv"]

VERSIONS = (2012, 2016, 2019, 2022, 2025)


def add_hyperv(kinds: Any) -> None:
    """Add the kind `hyperv`."""
    about = "Start a Hyper-V host behind WinRM. One line of JSON tells where it listens; the README tells the rest."
    hyperv = kinds.add_parser("hyperv", help="a Hyper-V host behind WinRM", description=about)
    known = Options()

    def add(name: str, text: str, default: object, **more: Any) -> None:
        hyperv.add_argument(name, default=default, help=f"{text} (%(default)s)", **more)

    add("--domains", "VMs", known.domains, type=whole(0), metavar="N")
    add("--nodes", "hosts of its cluster; one is no cluster", known.nodes, type=whole(1), metavar="N")
    add("--seed", "what all that is invented follows from", known.seed, type=int, metavar="N")
    add("--version", "Windows Server; 2012 is 2012 R2", known.version, type=int, choices=VERSIONS)
    add("--engine", "what carries scripts out", known.engine, choices=("python", "powershell"))
    add("--latency", "seconds by which each answer is late", known.latency, type=amount, metavar="SECONDS")
    add(
        "--duration-scale",
        "what the time of operations is multiplied by",
        known.duration_scale,
        type=amount,
        metavar="X",
    )
    add("--password", "of its users", known.password, metavar="TEXT")
    add("--control-port", "port of the control door, 0 for any", 0, type=whole(0, 65535), metavar="N")
    hyperv.add_argument("--no-tls", dest="tls", action="store_false", help="listen without TLS")
    hyperv.add_argument("--tls-legacy", action="store_true", help="TLS 1.0 and nothing newer")
    hyperv.add_argument("--credssp", action="store_true", help="CredSSP is enabled")
    hyperv.add_argument("--client-certificates", action="store_true", help="clients may log in by a certificate")
    hyperv.add_argument("--keytab", metavar="FILE", help="keys of HTTP/localhost, for logins by Kerberos")
    add("--url-prefix", "where WS-Management is", known.url_prefix, metavar="PATH")
    hyperv.add_argument("--fault", action="append", default=[], metavar="SPEC", help="ACTION:FAULT[:TIMES], repeatable")
    hyperv.add_argument("--detached", action="store_true", help="stay when the standard input closes")
    hyperv.set_defaults(make=_host)


def _host(parsed: argparse.Namespace) -> Any:
    from .hyperv.engines.powershell import EngineError, executable
    from .hyperv.server import Server

    if parsed.engine == "powershell":
        try:
            executable()
        except EngineError as error:
            raise OSError(str(error)) from None
    if parsed.client_certificates and not parsed.tls:
        raise OSError("--client-certificates needs TLS")
    if parsed.keytab is not None:
        _check_kerberos(parsed.keytab)
    names = (attribute.name for attribute in attrs.fields(Options))
    options = Options(**{name: getattr(parsed, name) for name in names if hasattr(parsed, name)})
    return Server(options, tuple(parsed.fault), control=parsed.control_port)


def _check_kerberos(keytab: str) -> None:
    """Fail where logins by Kerberos could not work."""
    if not os.path.isfile(keytab):
        raise OSError(f"there is no keytab at {keytab}")
    if any(find_spec(name) is None for name in ("gssapi", "krb5")):
        raise OSError("--keytab needs pip install 'hvsdk-simulators[kerberos]', and Debian's libkrb5-dev for that")
