"""What it costs to start: whole processes, compared with one that imports the two dependencies."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from hvsdk_bench._measure import Row, compare

DEPENDENCIES = "import attrs, pluggy"
IMPORT = "from hvsdk import connect, PowerState, errors"
LISTING = f"{IMPORT}\nconnect('fake://demo').domains()"


def rows(runs: int) -> Iterator[Row]:
    """Measure the import alone, and with a first listing."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = cache  # both sides find their byte code there after the first run

        def process(code: str) -> None:
            subprocess.run([sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.DEVNULL)

        yield compare(
            f"{IMPORT} / {DEPENDENCIES}",
            lambda: process(IMPORT),
            lambda: process(DEPENDENCIES),
            target=1.3,
            runs=runs,
        )
        yield compare(
            f"the same and a first connect('fake://demo').domains() / {DEPENDENCIES}",
            lambda: process(LISTING),
            lambda: process(DEPENDENCIES),
            target=2.0,
            runs=runs,
        )
