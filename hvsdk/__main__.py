"""`python -m hvsdk`: the backends that are installed, what they can do, and what could not be loaded."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import attrs

from hvsdk._backend_status import BackendStatus
from hvsdk._display import neutralise
from hvsdk._reader_gone import reader_gone
from hvsdk._registry import backends, find_backend, load_driver
from hvsdk.errors import BackendError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 1 when a backend cannot be used."""
    try:
        code = _main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        return reader_gone()
    return code


def _main(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["conformance"]:
        from hvsdk.testing import conformance_command

        return int(conformance_command(arguments[1:]))
    if arguments[:1] == ["backends"]:
        arguments = arguments[1:]
    elif (arguments and not arguments[0].startswith("-")) or arguments[:1] in (
        ["--help"],
        ["-h"],
        ["--install-completion"],
    ):
        return _command_line(arguments)
    chosen = _parser().parse_args(arguments)
    rows = [_row(status, capabilities=chosen.capabilities, options=chosen.options) for status in backends()]
    if chosen.json:
        print(json.dumps(rows, indent=2))
    else:
        print("\n".join(line for row in rows for line in _lines(row)) or "no backends")
    return 1 if any(row["error"] for row in rows) else 0


def _command_line(arguments: Sequence[str]) -> int:
    """Run a command that needs the extra `cli`."""
    try:
        from hvsdk._cli import run

        return run(arguments)
    except ModuleNotFoundError as exc:
        if exc.name not in ("typer", "rich"):
            raise
        print(f"the command line needs {exc.name}: pip install 'hvsdk[cli]'", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hvsdk",
        description="List the installed backends. Exit code 1: one of them cannot be used.",
        epilog="python -m hvsdk conformance URL checks a backend against the contract: see conformance --help.",
    )
    parser.add_argument(
        "--capabilities",
        action="store_true",
        help="also load each driver, with its client library, and list what it can do",
    )
    parser.add_argument("--options", action="store_true", help="also list the options of connect that each backend has")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _row(status: BackendStatus, *, capabilities: bool, options: bool) -> dict[str, Any]:
    row: dict[str, Any] = attrs.asdict(status) | {"schemes": list(status.schemes)}
    if status.error is not None or not (capabilities or options):
        return row
    try:
        backend = find_backend(status.schemes[0], status.name)
        if options:
            row["options"] = {name: option.help for name, option in sorted(backend.options.items())}
        if capabilities:
            row["capabilities"] = sorted(load_driver(backend).offers())
    except BackendError as exc:
        row["error"] = str(exc)
    return row


def _lines(row: dict[str, Any]) -> list[str]:
    version = f" {row['version']}" if row["version"] else ""
    source = f" ({row['distribution']}{version})" if row["distribution"] else ""
    lines = [f"{row['name']}{source}"]
    if row["summary"]:
        lines.append(f"    {row['summary']}")
    if row["schemes"]:
        lines.append("    URLs: " + ", ".join(f"{scheme}://" for scheme in row["schemes"]))
    lines += [f"    option {name}: {text}" for name, text in row.get("options", {}).items()]
    if row.get("capabilities"):
        lines.append("    can: " + ", ".join(row["capabilities"]))
    if row["error"]:
        lines.append(f"    CANNOT BE USED: {row['error']}")
    return [neutralise(line) for line in lines]


if __name__ == "__main__":
    sys.exit(main())
