"""How much of a package's public interface has known types, by `pyright --verifytypes`; fails below a limit."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Print the share and what is missing, and return 1 when it is too low."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package")
    parser.add_argument("--at-least", type=float, default=99.0, metavar="PERCENT")
    arguments = parser.parse_args()
    # Pyright's own Node.js comes with the extra `nodejs`; the machine's may be too old.
    environment = os.environ | {"PYRIGHT_PYTHON_GLOBAL_NODE": "0", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [sys.executable, "-m", "pyright", "--verifytypes", arguments.package, "--ignoreexternal", "--outputjson"]
    with tempfile.TemporaryDirectory() as elsewhere:  # from here it would be local code, not a package with py.typed
        answer = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    try:
        found = json.loads(answer.stdout)["typeCompleteness"]
    except (ValueError, KeyError):
        print(f"pyright gave no report: {answer.stdout}{answer.stderr}", file=sys.stderr)
        return 1
    share = 100 * found["completenessScore"]
    for symbol in found["symbols"] if share < arguments.at_least else ():
        for diagnostic in symbol["diagnostics"]:
            if "could be inferred differently" in diagnostic["message"] or "Ambiguous" in diagnostic["message"]:
                print(f"  {symbol['name']}: {diagnostic['message'].splitlines()[0]}")
    print(f"{arguments.package}: {share:.1f} % of the exported symbols have a known type")
    return 0 if share >= arguments.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
