"""Start a simulator: `python -m hvsdk_simulators xapi --domains 100 --hosts 3`."""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence

from .wire.faults import FaultSyntaxError
from .xapi.options import Options
from .xapi.pool import Pool
from .xapi.schema import Api, version

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Start what the command line asks for, say so in one line of JSON, and serve until told to end."""
    # A simulator can hold tens of thousands of objects, and threads that answer share one interpreter.
    sys.setswitchinterval(0.002)
    parsed = _parser().parse_args(arguments)
    gc.disable()
    try:
        pool = Pool(_options(parsed), tuple(parsed.fault), control=parsed.control_port)
    except FaultSyntaxError as error:
        print(error, file=sys.stderr)
        return 2
    # The collector need not look through what stays as long as the process.
    gc.freeze()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    pool.start()
    print(json.dumps(pool.describe()), flush=True)
    if not parsed.detached:
        threading.Thread(target=_watch_input, args=(over,), name="stdin", daemon=True).start()
    over.wait()
    pool.stop()
    return 0


def _watch_input(over: threading.Event) -> None:
    """Wait until whoever started this is gone.

    The descriptor is read itself: an end that waits for nobody finds no lock of `sys.stdin` taken.
    """
    while os.read(0, 4096):
        pass
    over.set()


def _api(text: str) -> Api:
    try:
        return version(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not an API version: {text!r}; it is written 2.15") from None


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hvsdk-simulators", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    xapi = kinds.add_parser("xapi", help="a pool of XenServer or XCP-ng hosts")
    known = Options()
    xapi.add_argument("--domains", type=_count, default=known.domains, help="VMs beside templates (%(default)s)")
    xapi.add_argument("--hosts", type=_count, default=known.hosts, help="members of the pool (%(default)s)")
    xapi.add_argument("--seed", type=int, default=known.seed, help="what all that is invented follows from")
    xapi.add_argument("--latency", type=float, default=known.latency, help="seconds by which answers are late")
    xapi.add_argument("--api", type=_api, default=known.api, help="API version, such as 2.15")
    xapi.add_argument("--no-tls", dest="tls", action="store_false", help="listen without TLS")
    xapi.add_argument("--tls-legacy", action="store_true", help="TLS 1.0 and nothing newer")
    xapi.add_argument("--duration-scale", type=float, default=known.duration_scale, help="how long operations take")
    xapi.add_argument("--task-seconds", type=float, default=known.task_seconds, help="how long tasks are kept")
    xapi.add_argument("--session-seconds", type=float, default=known.session_seconds, help="how long sessions idle")
    xapi.add_argument("--session-limit", type=_count, default=known.session_limit, help="sessions of one user")
    xapi.add_argument("--password", default=known.password, help="of root and of the users with lesser roles")
    xapi.add_argument("--fault", action="append", default=[], metavar="METHOD:ACTION[:TIMES]", help="see the README")
    xapi.add_argument("--control-port", type=_count, default=0, help="port of the control door, 0 for any")
    xapi.add_argument("--detached", action="store_true", help="stay when the standard input closes")
    return parser


def _options(parsed: argparse.Namespace) -> Options:
    names = ("domains", "hosts", "seed", "latency", "api", "tls", "tls_legacy", "duration_scale", "task_seconds")
    more = ("session_seconds", "session_limit", "password")
    return Options(**{name: getattr(parsed, name) for name in (*names, *more)})


if __name__ == "__main__":
    sys.exit(main())
