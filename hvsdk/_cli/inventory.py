"""`hvsdk inventory record|ls|show|diff|history|export|prune`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hvsdk._cli.command import command
from hvsdk._cli.consent import DryRun, Yes, agreed
from hvsdk._cli.exits import Exit
from hvsdk._cli.output import Format
from hvsdk._cli.session import Session
from hvsdk.errors import InvalidSpecError

if TYPE_CHECKING:
    from hvsdk._inventory.records import HostOutcome

__all__ = ["add_inventory", "moment"]

File = Annotated[str, typer.Argument(help="The inventory's file.")]
At = Annotated[str | None, typer.Option("--at", help="A time, or a snapshot's number; the newest without.")]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for another process that writes.")]


def add_inventory(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="What the hosts had, and when: snapshots in a file.")
    command(group, "record")(_record)
    command(group, "ls")(_ls)
    command(group, "show")(_show)
    command(group, "diff")(_diff)
    command(group, "history")(_history)
    command(group, "export")(_export)
    command(group, "prune")(_prune)
    app.add_typer(group, name="inventory")


def moment(text: str | None) -> datetime | int | None:
    """Return what a time or the number of a snapshot on the command line stands for; without a zone it is local time.

    Raises:
        InvalidSpecError: It is neither.
    """
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise InvalidSpecError(
            f"{text!r} is no time and no number of a snapshot",
            hint="write a time as 2026-01-31 or 2026-01-31T12:00+01:00",
        ) from None


def _told(session: Session, table: object, rows: Sequence[Mapping[str, Any]], failures: Iterable[HostOutcome]) -> Exit:
    """Print a list, and who did not answer for it; that makes it a part of what there is."""
    failed = [failure.to_dict() for failure in failures]
    if session.output.format is Format.JSON:
        session.output.json({"items": list(rows), "failures": failed})
    else:
        session.output.show(table, rows)
        session.output.complain(failed)
    return Exit.PARTIAL if failed else Exit.DONE


def _meant(session: Session, *names: str | None) -> bool:
    """Whether `--host` chooses one of these hosts; without it all are meant."""
    patterns = session.hosts
    return patterns is None or any(fnmatchcase(name, one) for name in names if name for one in patterns)


def _record(
    session: Session,
    file: File,
    full: Annotated[bool, typer.Option("--full", help="What guests tell, too.")] = False,
    wait: Wait = 60.0,
) -> Exit:
    """Ask the hosts, and write down one more snapshot."""
    done = session.fleet.record(file, hosts=session.hosts, host_tags=session.host_tags, full=full, lock_timeout=wait)
    told = _told(session, done, [done.to_dict()], done.failures)
    return told if done.answered else Exit.FAILED


def _ls(session: Session, file: File) -> Exit:
    """List the snapshots."""
    from hvsdk._inventory.inventory import Inventory

    found = Inventory.open(file).snapshots()
    return _told(session, found, [one.to_dict() for one in found], ())


def _show(session: Session, file: File, at: At = None) -> Exit:
    """List the domains as a snapshot has them: as last known where a host did not answer."""
    from hvsdk._inventory.inventory import Inventory

    found = Inventory.open(file).at(moment(at), hosts=session.hosts)
    failures = () if found.snapshot is None else found.snapshot.failures
    return _told(session, found, found.to_dicts(), [one for one in failures if _meant(session, one.host)])


def _diff(
    session: Session,
    file: File,
    before: Annotated[str, typer.Argument(help="A time, or a snapshot's number.")],
    after: Annotated[str | None, typer.Argument(help="Likewise; the newest without.", show_default=False)] = None,
) -> Exit:
    """List what differs between two snapshots. Exit code 3: some hosts did not answer for the later one."""
    from hvsdk._inventory.inventory import Inventory

    found = Inventory.open(file).diff(moment(before), moment(after))
    failures = () if found.after is None else found.after.failures
    return _told(session, found, found.to_dicts(), failures)


def _history(
    session: Session, file: File, domain: Annotated[str, typer.Argument(help="A UUID, a name or an id.")]
) -> Exit:
    """List what became of a domain, on each host where it was."""
    from hvsdk._inventory.inventory import Inventory

    found = Inventory.open(file).history(domain)
    found = type(found)(one for one in found if _meant(session, one.host, one.from_host))
    return _told(session, found, found.to_dicts(), ())


def _export(
    session: Session,
    file: File,
    target: Annotated[str, typer.Argument(help="The file to write; - is the standard output.")],
    format: Annotated[
        str | None, typer.Option("--format", help="json, csv or parquet; by the file's ending without.")
    ] = None,
    at: At = None,
) -> Exit:
    """Write the domains as a snapshot has them to a file."""
    from hvsdk._inventory.inventory import Inventory

    there = sys.stdout.buffer if target == "-" else target
    snapshot = Inventory.open(file).export(there, format=format, when=moment(at))
    session.output.complain(failure.to_dict() for failure in snapshot.failures)
    return Exit.DONE if snapshot.complete else Exit.PARTIAL


def _prune(
    session: Session,
    file: File,
    before: Annotated[str, typer.Option("--before", help="Forget the snapshots that are older than this time.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    wait: Wait = 60.0,
) -> Exit:
    """Forget old snapshots; the newest one stays."""
    from hvsdk._inventory.inventory import Inventory

    time = moment(before)
    if not isinstance(time, datetime):
        raise InvalidSpecError(f"--before takes a time, not {before!r}")
    inventory = Inventory.open(file)
    old = inventory.prunable(time)
    if dry_run:
        session.output.show(old, old.to_dicts())
        return Exit.DONE
    if old and not yes and not agreed(old, f"forget {len(old)} of them?"):
        return Exit.REFUSED
    count = inventory.prune(time, lock_timeout=wait)
    if session.output.format is Format.TABLE:
        session.output.line(f"forgot {count} snapshots")
    else:
        session.output.show(None, [{"forgotten": count}])
    return Exit.DONE
