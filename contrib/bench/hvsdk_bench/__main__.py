"""`make bench`: ratios measured in one run, both sides by turns. A benchmark reports; it does not fail."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

from hvsdk_bench import _calls, _fleet, _hyperv, _imports, _listing, _memory, _recorded, _vmware, _xen
from hvsdk_bench._measure import Row

PARTS = ("imports", "listing", "memory", "calls", "xen", "vmware", "hyperv", "fleet", "inventory")
VMWARE = (200, 2_000, 10_000)


def measure(arguments: argparse.Namespace) -> Iterator[Row]:
    """Yield the rows of the parts that are asked for."""
    parts = {
        "imports": lambda: _imports.rows(arguments.runs * 2),
        "listing": lambda: _listing.rows(
            arguments.runs, over_socket=arguments.over_socket, in_process=arguments.in_process
        ),
        "memory": lambda: _memory.rows(arguments.over_socket),
        "calls": lambda: _calls.rows(arguments.runs),
        "xen": lambda: _xen.rows(arguments.runs, few=arguments.over_socket, many=arguments.in_process),
        "vmware": lambda: _vmware.rows(arguments.runs, arguments.vmware or VMWARE),
        "hyperv": lambda: _hyperv.rows(arguments.runs, arguments.hyperv),
        "fleet": lambda: _fleet.rows(arguments.runs, *arguments.fleet),
        "inventory": lambda: _recorded.rows(arguments.inventory),
    }
    for part in arguments.only or PARTS:
        yield from parts[part]()


def shown(row: Row) -> str:
    """Return a row for people."""
    seconds = [
        f"{value * 1000:10.2f} ms" if value is not None else f"{'-':>13}" for value in (row.ours_s, row.theirs_s)
    ]
    sign = "<=" if row.better == "lower" else ">="
    verdict = "ok    " if row.met else "MISSED"
    return f"{verdict} {row.ratio:8.2f} {sign} {row.target:6.2f} {''.join(seconds)}  {row.name}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--runs", type=int, default=10, help="how often each side runs (%(default)s)")
    parser.add_argument("--over-socket", type=int, default=1_000, metavar="DOMAINS")
    parser.add_argument("--in-process", type=int, default=10_000, metavar="DOMAINS")
    parser.add_argument(
        "--vmware",
        type=int,
        action="append",
        metavar="DOMAINS",
        help=f"sizes of vCenters {VMWARE}; may be given several times",
    )
    parser.add_argument(
        "--hyperv", type=int, default=1_000, metavar="DOMAINS", help="size of the Hyper-V host (%(default)s)"
    )
    parser.add_argument(
        "--fleet",
        type=int,
        nargs=2,
        default=(200, 500),
        metavar=("HOSTS", "DOMAINS"),
        help="size of the fleet, and of each of its hosts %(default)s",
    )
    parser.add_argument(
        "--inventory", type=int, default=1_000_000, metavar="DOMAINS", help="size of the inventory (%(default)s)"
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be given several times")
    arguments = parser.parse_args()
    if not arguments.json:
        print(f"{'':6} {'ratio':>8}    {'target':>6} {'ours':>10}    {'theirs':>10}")
    for row in measure(arguments):
        print(json.dumps(row.to_dict()) if arguments.json else shown(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
