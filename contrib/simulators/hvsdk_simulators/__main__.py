"""Start a simulator: `python -m hvsdk_simulators xapi --domains 100 --hosts 3`."""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from . import _vcsim
from .wire.faults import FaultSyntaxError
from .xapi.build.products import LATEST
from .xapi.options import Options
from .xapi.pool import Pool
from .xapi.schema import FIRST, Api, version

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Start what the command line asks for, say so in one line of JSON, and serve until told to end."""
    # A simulator can hold tens of thousands of objects, and threads that answer share one interpreter.
    sys.setswitchinterval(0.002)
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["vcsim"]:
        return _become_vcsim(given[1:])
    parsed = _parser().parse_args(given)
    gc.disable()
    try:
        pool = Pool(_options(parsed), tuple(parsed.fault), control=parsed.control_port)
    except (FaultSyntaxError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    # The collector need not look through what stays as long as the process.
    gc.freeze()
    gc.enable()
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


def _become_vcsim(arguments: list[str]) -> int:
    """Let the program take the place of this process; it returns where there is none, and when it is only to be built."""
    try:
        program = str(_vcsim.binary())
        if arguments == ["--build"]:
            print(program)
            return 0
        os.execv(program, [program, *arguments])
    except _vcsim.BuildError as error:
        print(error, file=sys.stderr)
    return 2


def _watch_input(over: threading.Event) -> None:
    """Wait until whoever started this is gone.

    The descriptor is read itself: an end that waits for nobody finds no lock of `sys.stdin` taken.
    """
    while os.read(0, 4096):
        pass
    over.set()


def _api(text: str) -> Api:
    try:
        api = version(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not an API version: {text!r}; it is written 2.15") from None
    if not FIRST <= api <= LATEST:
        first, latest = (".".join(map(str, one)) for one in (FIRST, LATEST))
        raise argparse.ArgumentTypeError(f"no API version that is known here: {text}; there are {first} to {latest}")
    return api


def _whole(least: int, most: float = math.inf) -> Callable[[str], int]:
    """Read a whole number within limits."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"not a whole number: {text!r}") from None
        if not least <= number <= most:
            limits = f"at least {least}" if most == math.inf else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"out of range: {text}; it is {limits}")
        return number

    return read


def _amount(text: str) -> float:
    """Read a number that is not below zero, such as seconds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"not a number from zero on: {text!r}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hvsdk-simulators", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    about = (
        "Start a pool of XenServer or XCP-ng hosts. One line of JSON tells where it listens; the README tells the rest."
    )
    xapi = kinds.add_parser("xapi", help="a pool of XenServer or XCP-ng hosts", description=about)
    kinds.add_parser("vcsim", add_help=False, help="a vCenter server or an ESXi host; it is built with Go")
    known = Options()

    def add(name: str, kind: Callable[[str], object], metavar: str, text: str, default: object) -> None:
        xapi.add_argument(name, type=kind, metavar=metavar, default=default, help=text)

    api = ".".join(map(str, known.api))
    add("--domains", _whole(0), "N", "VMs beside templates and control domains (%(default)s)", known.domains)
    add("--hosts", _whole(1), "N", "members of the pool (%(default)s)", known.hosts)
    add("--seed", int, "N", "what all that is invented follows from (%(default)s)", known.seed)
    add("--api", _api, "VERSION", f"API version that it speaks ({api})", known.api)
    add("--latency", _amount, "SECONDS", "by which each answer is late (%(default)s)", known.latency)
    add(
        "--duration-scale",
        _amount,
        "X",
        "what the time of operations is multiplied by (%(default)s)",
        known.duration_scale,
    )
    add("--task-seconds", _amount, "SECONDS", "that finished tasks are kept (%(default)s)", known.task_seconds)
    add("--session-seconds", _amount, "SECONDS", "that unused sessions last (%(default)s)", known.session_seconds)
    add("--session-limit", _whole(1), "N", "sessions of one user and originator (%(default)s)", known.session_limit)
    add("--password", str, "TEXT", "of root and of the users with lesser roles (%(default)s)", known.password)
    add("--control-port", _whole(0, 65535), "N", "port of the control door, 0 for any (%(default)s)", 0)
    xapi.add_argument("--no-tls", dest="tls", action="store_false", help="listen without TLS")
    xapi.add_argument("--tls-legacy", action="store_true", help="TLS 1.0 and nothing newer")
    xapi.add_argument("--fault", action="append", default=[], metavar="SPEC", help="METHOD:ACTION[:TIMES], repeatable")
    xapi.add_argument("--detached", action="store_true", help="stay when the standard input closes")
    return parser


def _options(parsed: argparse.Namespace) -> Options:
    names = ("domains", "hosts", "seed", "latency", "api", "tls", "tls_legacy", "duration_scale", "task_seconds")
    more = ("session_seconds", "session_limit", "password")
    return Options(**{name: getattr(parsed, name) for name in (*names, *more)})


if __name__ == "__main__":
    sys.exit(main())
