"""The command line of the simulated pool of Xen hosts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ._numbers import amount, whole
from .xapi.build.products import LATEST
from .xapi.options import Options
from .xapi.pool import Pool
from .xapi.schema import FIRST, Api, version

__all__ = ["add_xapi"]


def add_xapi(kinds: Any) -> None:
    """Add the kind `xapi`."""
    about = (
        "Start a pool of XenServer or XCP-ng hosts. One line of JSON tells where it listens; the README tells the rest."
    )
    xapi = kinds.add_parser("xapi", help="a pool of XenServer or XCP-ng hosts", description=about)
    known = Options()

    def add(name: str, kind: Callable[[str], object], metavar: str, text: str, default: object) -> None:
        xapi.add_argument(name, type=kind, metavar=metavar, default=default, help=text)

    api = ".".join(map(str, known.api))
    add("--domains", whole(0), "N", "VMs beside templates and control domains (%(default)s)", known.domains)
    add("--hosts", whole(1), "N", "members of the pool (%(default)s)", known.hosts)
    add("--seed", int, "N", "what all that is invented follows from (%(default)s)", known.seed)
    add("--api", _api, "VERSION", f"API version that it speaks ({api})", known.api)
    add("--latency", amount, "SECONDS", "by which each answer is late (%(default)s)", known.latency)
    add(
        "--duration-scale",
        amount,
        "X",
        "what the time of operations is multiplied by (%(default)s)",
        known.duration_scale,
    )
    add("--task-seconds", amount, "SECONDS", "that finished tasks are kept (%(default)s)", known.task_seconds)
    add("--session-seconds", amount, "SECONDS", "that unused sessions last (%(default)s)", known.session_seconds)
    add("--session-limit", whole(1), "N", "sessions of one user and originator (%(default)s)", known.session_limit)
    add("--password", str, "TEXT", "of root and of the users with lesser roles (%(default)s)", known.password)
    add("--control-port", whole(0, 65535), "N", "port of the control door, 0 for any (%(default)s)", 0)
    xapi.add_argument("--no-tls", dest="tls", action="store_false", help="listen without TLS")
    xapi.add_argument("--tls-legacy", action="store_true", help="TLS 1.0 and nothing newer")
    xapi.add_argument("--fault", action="append", default=[], metavar="SPEC", help="METHOD:ACTION[:TIMES], repeatable")
    xapi.add_argument("--detached", action="store_true", help="stay when the standard input closes")
    xapi.set_defaults(make=_pool)


def _pool(parsed: argparse.Namespace) -> Pool:
    return Pool(_options(parsed), tuple(parsed.fault), control=parsed.control_port)


def _options(parsed: argparse.Namespace) -> Options:
    names = ("domains", "hosts", "seed", "latency", "api", "tls", "tls_legacy", "duration_scale", "task_seconds")
    more = ("session_seconds", "session_limit", "password")
    return Options(**{name: getattr(parsed, name) for name in (*names, *more)})


def _api(text: str) -> Api:
    try:
        api = version(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not an API version: {text!r}; it is written 2.15") from None
    if not FIRST <= api <= LATEST:
        first, latest = (".".join(map(str, one)) for one in (FIRST, LATEST))
        raise argparse.ArgumentTypeError(f"no API version that is known here: {text}; there are {first} to {latest}")
    return api
