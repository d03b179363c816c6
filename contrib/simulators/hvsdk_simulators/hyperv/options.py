"""How a simulated Hyper-V host is to be."""

from __future__ import annotations

import attrs

__all__ = ["Options"]


@attrs.frozen(kw_only=True)
class Options:
    """What the command line says.

    Attributes:
        domains: VMs that are there at the beginning.
        nodes: Hosts of the cluster; one is no cluster.
        seed: What all that is invented follows from.
        version: Windows Server's year: 2012, 2016, 2019, 2022 or 2025; 2012 is 2012 R2.
        latency: Seconds by which each answer is late.
        tls: Whether it listens with TLS.
        engine: `"powershell"` or `"python"`: what carries scripts out.
        duration_scale: What the time of operations is multiplied by; 0 makes them immediate.
        password: Of all its users.
        codepage: The console's code page where the shell asks for none.
        credssp: Whether CredSSP is enabled.
        client_certificates: Whether clients may log in by a certificate, which needs TLS.
        keytab: File with the keys of `HTTP/localhost`, for logins by Kerberos.
        url_prefix: Where WS-Management is.
    """

    domains: int = 3
    nodes: int = 1
    seed: int = 0
    version: int = 2022
    latency: float = 0.0
    tls: bool = True
    tls_legacy: bool = False
    engine: str = "python"
    duration_scale: float = 0.0
    password: str = "hyperv-password"
    codepage: int = 437
    credssp: bool = False
    client_certificates: bool = False
    keytab: str | None = None
    url_prefix: str = "wsman"
