"""The command line as a whole."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from hvsdk._cli.doctor import add_doctor
from hvsdk._cli.exits import Exit
from hvsdk._cli.inventory import add_inventory
from hvsdk._cli.listing import add_listing
from hvsdk._cli.power import add_power
from hvsdk._cli.snapshots import add_snapshots
from hvsdk._cli.top import add_top
from hvsdk._reader_gone import reader_gone

__all__ = ["make_app", "run"]

_EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 the command line makes no sense, 3 in part: some hosts or domains did not, "
    "4 nothing fits, 5 not allowed or not agreed. There are also: hvsdk backends, which lists what is installed, and "
    "hvsdk conformance URL, which runs the contract's tests against a host."
)


def make_app() -> typer.Typer:
    """Return the application."""
    app = typer.Typer(
        name="hvsdk",
        no_args_is_help=True,
        help="Drive the virtual machines of KVM, Xen, VMware and Hyper-V hosts.",
        epilog=_EPILOG,
        pretty_exceptions_enable=False,
    )
    add_listing(app)
    add_power(app)
    add_snapshots(app)
    add_inventory(app)
    add_top(app)
    add_doctor(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    try:
        result = make_app()(args=list(arguments), prog_name="hvsdk", standalone_mode=False)
    except typer.Exit as end:
        return int(end.exit_code)
    except typer.Abort:
        print("interrupted", file=sys.stderr)
        return Exit.FAILED
    except SystemExit:  # click's answer to a reader that has gone
        return reader_gone()
    except Exception as error:
        shown = getattr(error, "show", None)  # click's own: a slip on the command line
        if shown is None:
            raise
        shown()
        return Exit.USAGE
    return int(result or 0)
