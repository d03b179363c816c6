"""Install what hvsdk's demo and tests need: Debian packages where they are missing, and `.venv`.

Run it through `make setup`; with `--full` there is also what only `make test-full` uses. A second run finds everything
there and takes a fraction of a second.
"""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

import environment
import go
import packages


def main() -> int:
    """Set up, and return the exit code."""
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make demo` beside `make test`
        full = "--full" in sys.argv[1:]
        if not packages.ensure(full=full) or not environment.ensure(full=full):
            return 1
        go.build_simulator(environment.VENV / "bin" / "python")
    return 0


if __name__ == "__main__":
    sys.exit(main())
