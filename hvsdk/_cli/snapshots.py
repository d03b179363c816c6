"""`hvsdk snapshot ls|create|revert|delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hvsdk._cli.command import Keys, Name, State, Tag, command
from hvsdk._cli.consent import DryRun, Yes
from hvsdk._cli.exits import Exit
from hvsdk._cli.output import Format
from hvsdk._cli.power import carry_out
from hvsdk._cli.session import Session

if TYPE_CHECKING:
    from hvsdk._domain import Domain

__all__ = ["add_snapshots"]

Snapshot = Annotated[str, typer.Option("--snapshot", help="Name or id of the snapshot.")]


def add_snapshots(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Snapshots of domains.")
    command(group, "ls")(_ls)
    command(group, "create")(_create)
    command(group, "revert")(_revert)
    command(group, "delete")(_delete)
    app.add_typer(group, name="snapshot")


def _ls(session: Session, domains: Keys = None, name: Name = None, state: State = None, tag: Tag = None) -> Exit:
    """List the snapshots of domains."""
    chosen = session.chosen(domains or [], name=name, state=state, tag=tag)
    result = session.fleet.run(_snapshots, domains=chosen)
    rows = [{"host": one.host, "domain": one.domain, **row} for one in result for row in one.value]
    failures = (*chosen.failures, *result.failures)
    if session.output.format is Format.TABLE:
        if not rows:
            session.output.line("<no snapshots>")
        for row in rows:
            marks = " ".join(filter(None, ["current" * row["is_current"], "memory" * bool(row["has_memory"])]))
            session.output.line(
                f"{row['domain']} on {row['host']}: {row['name']} ({row['created_at']}) {marks}".rstrip()
            )
        session.output.complain(failure.to_dict() for failure in failures)
    else:
        session.output.show(None, rows, failures)
    return Exit.PARTIAL if failures else Exit.DONE


def _snapshots(domain: Domain) -> list[dict[str, Any]]:
    return [snapshot.info.to_dict() for snapshot in domain.snapshots()]


def _create(
    session: Session,
    snapshot: Snapshot,
    domains: Keys = None,
    memory: Annotated[bool, typer.Option("--memory", help="With the memory of what runs.")] = False,
    quiesce: Annotated[bool, typer.Option("--quiesce", help="Of a guest that came to rest.")] = False,
    name: Name = None,
    state: State = None,
    tag: Tag = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Exit:
    """Make a snapshot of each domain."""
    chosen = session.chosen(domains or [], name=name, state=state, tag=tag)

    def make(domain: Domain) -> str:
        return domain.create_snapshot(snapshot, memory=memory, quiesce=quiesce).name

    return carry_out(session, chosen, "create_snapshot", make, dry_run=dry_run, yes=yes)


def _revert(
    session: Session, snapshot: Snapshot, domains: Keys = None, dry_run: DryRun = False, yes: Yes = False
) -> Exit:
    """Go back to a snapshot: what came after it is lost."""
    chosen = session.chosen(domains or [])

    def revert(domain: Domain) -> str:
        domain.snapshot(snapshot).revert()
        return str(domain.refresh().power_state)

    return carry_out(session, chosen, "revert_snapshot", revert, dry_run=dry_run, yes=yes)


def _delete(
    session: Session,
    snapshot: Snapshot,
    domains: Keys = None,
    children: Annotated[bool, typer.Option("--children", help="With those that were made on it.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Exit:
    """Remove a snapshot; the present state stays."""
    chosen = session.chosen(domains or [])

    def delete(domain: Domain) -> str:
        domain.snapshot(snapshot).delete(children=children)
        return "deleted"

    return carry_out(session, chosen, "delete_snapshot", delete, dry_run=dry_run, yes=yes)
