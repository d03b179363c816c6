"""`make demo`: drive two real guests, and leave nothing running whatever happens."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from hvsdk import errors
from hvsdk_demo._bench import workbench
from hvsdk_demo._story import tell
from hvsdk_demo._talk import say

ROOT = Path(__file__).resolve().parents[3]


def main() -> int:
    """Run the demonstration, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "demo", help="where the screenshot goes")
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    began = time.monotonic()
    try:
        with workbench() as bench:
            tell(bench, output)
    except KeyboardInterrupt:
        say("Interrupted. The guests are gone.")
        return 130
    except errors.HvsdkError as error:
        say(f"{type(error).__name__}: {error}\nThe guests are gone.")
        return 1
    say(f"That took {time.monotonic() - began:.0f} s. Nothing is left running; the screenshot is in {output}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
