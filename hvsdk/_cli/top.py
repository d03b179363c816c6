"""`hvsdk top`: a live table of what the domains use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hvsdk._cli.command import command
from hvsdk._cli.exits import Exit
from hvsdk._cli.output import Format
from hvsdk._cli.session import Session
from hvsdk._display import neutralise
from hvsdk._units import format_size

if TYPE_CHECKING:
    from hvsdk._fleet.result import FleetList
    from hvsdk.models import DomainStats

__all__ = ["add_top", "rows_of"]

ROWS = 40


def add_top(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "top")(_top)


def _top(
    session: Session,
    interval: Annotated[float, typer.Option("--interval", help="Seconds between two looks.")] = 3.0,
    count: Annotated[int, typer.Option("--count", help="End after so many looks; 0: never.")] = 0,
) -> Exit:
    """Show what the domains use, the busiest first, until it is interrupted."""
    from rich.live import Live

    before = _look(session)
    looks = 0
    if session.output.format is not Format.TABLE:
        time.sleep(interval)
        after = _look(session)
        session.output.show(None, rows_of(before, after), after.failures)
        return Exit.PARTIAL if after.failures else Exit.DONE
    with Live(auto_refresh=False, screen=False) as live:
        while not count or looks < count:
            time.sleep(interval)
            after = _look(session)
            live.update(_table(rows_of(before, after), len(after.failures)), refresh=True)
            before, looks = after, looks + 1
    return Exit.DONE


def _look(session: Session) -> FleetList[DomainStats]:
    return session.fleet.stats(hosts=session.hosts, host_tags=session.host_tags)


def rows_of(before: FleetList[DomainStats], after: FleetList[DomainStats]) -> list[dict[str, Any]]:
    """Return a row for each domain that was there in both looks, the busiest first; rates are per second."""
    earlier = {(host, one.native_id): one for host, one in zip(before.hosts, before, strict=True)}
    rows = []
    for host, one in zip(after.hosts, after, strict=True):
        known = earlier.get((host, one.native_id))
        rate = one if known is None or known.at >= one.at else one.rate_since(known)
        rows.append(
            {
                "host": host,
                "name": one.name,
                "cpu_ratio": rate.cpu_ratio,
                "memory_bytes": one.memory_bytes,
                "disk_bytes_per_second": _sum(rate.disk_read_bytes_per_second, rate.disk_write_bytes_per_second),
                "net_bytes_per_second": _sum(rate.net_rx_bytes_per_second, rate.net_tx_bytes_per_second),
            }
        )
    return sorted(rows, key=lambda row: -(row["cpu_ratio"] or 0.0))


def _sum(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _table(rows: list[dict[str, Any]], silent: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    caption = f"{silent} hosts did not answer" if silent else None
    table = Table("host", "name", "cpu", "memory", "disk/s", "net/s", caption=caption)
    for row in rows[:ROWS]:
        cpu = "-" if row["cpu_ratio"] is None else f"{row['cpu_ratio']:.0%}"
        sizes = [row["memory_bytes"], row["disk_bytes_per_second"], row["net_bytes_per_second"]]
        cells = ["-" if size is None else format_size(int(size)) for size in sizes]
        table.add_row(*(Text(neutralise(str(cell))) for cell in (row["host"], row["name"], cpu, *cells)))
    return table
