"""What a pool is told when it starts."""

from __future__ import annotations

from attrs import frozen

from .schema import Api


@frozen(kw_only=True)
class Options:
    """Size, age and manners of a pool.

    Attributes:
        domains: VMs beside templates and control domains.
        hosts: Members of the pool.
        seed: What all that is invented follows from.
        latency: Seconds by which each answer is late.
        api: The API version that it speaks.
        tls: Whether members listen with TLS.
        tls_legacy: They speak TLS 1.0 and nothing newer.
        duration_scale: What the time that operations take is multiplied by.
        task_seconds: Seconds that finished tasks are kept.
        session_seconds: Seconds after which an unused session ends.
        session_limit: Sessions of one user and originator; the oldest ends when there is one more.
        password: Of `root` and of the users with lesser roles.
    """

    domains: int = 10
    hosts: int = 1
    seed: int = 0
    latency: float = 0.0
    api: Api = (2, 21)
    tls: bool = True
    tls_legacy: bool = False
    duration_scale: float = 1.0
    task_seconds: float = 3900.0
    session_seconds: float = 86400.0
    session_limit: int = 500
    password: str = "simulated"
