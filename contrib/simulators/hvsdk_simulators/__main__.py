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
from typing import Any

from . import _vcsim
from ._hyperv_arguments import add_hyperv
from ._xapi_arguments import add_xapi
from .wire.faults import FaultSyntaxError

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
        server: Any = parsed.make(parsed)
    except (FaultSyntaxError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    # The collector need not look through what stays as long as the process.
    gc.freeze()
    gc.enable()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    server.start()
    print(json.dumps(server.describe()), flush=True)
    if not parsed.detached:
        threading.Thread(target=_watch_input, args=(over,), name="stdin", daemon=True).start()
    over.wait()
    server.stop()
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hvsdk-simulators", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    kinds.add_parser("vcsim", add_help=False, help="a vCenter server or an ESXi host; it is built with Go")
    add_xapi(kinds)
    add_hyperv(kinds)
    return parser


if __name__ == "__main__":
    sys.exit(main())
