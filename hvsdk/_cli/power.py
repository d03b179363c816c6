"""Commands that change domains: what would be touched is shown first, and asked for."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hvsdk._cli.command import Keys, Name, State, Tag, command
from hvsdk._cli.consent import DryRun, Yes, agreed
from hvsdk._cli.exits import Exit, exit_for
from hvsdk._cli.output import Format
from hvsdk._cli.session import Session

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._fleet.result import FleetDomains

__all__ = ["add_power", "carry_out"]

_GOALS = {
    **dict.fromkeys(("start", "unpause", "resume"), "running"),
    **dict.fromkeys(("shutdown", "power_off"), "shutoff"),
    "pause": "paused",
    "suspend": "suspended",
}
"""States in which a verb has nothing to do."""
_PLAIN = {
    "start": "Switch domains on, or bring them back from their saved memory.",
    "reboot": "Ask guests to restart.",
    "reset": "Cut the power of domains and start them again.",
    "pause": "Stop the vCPUs of domains.",
    "unpause": "Let the vCPUs of domains go on.",
    "suspend": "Save the memory of domains to disk.",
    "resume": "Bring domains back from their saved memory.",
}


def add_power(app: typer.Typer) -> None:
    """Add the commands."""
    for verb, about in _PLAIN.items():
        _add_plain(app, verb, about)
    command(app, "shutdown")(_shutdown)
    command(app, "power-off")(_power_off)


def _add_plain(app: typer.Typer, verb: str, about: str) -> None:
    def run(
        session: Session,
        domains: Keys = None,
        name: Name = None,
        state: State = None,
        tag: Tag = None,
        dry_run: DryRun = False,
        yes: Yes = False,
    ) -> Exit:
        chosen = session.chosen(domains or [], name=name, state=state, tag=tag)
        return carry_out(session, chosen, verb, functools.partial(_call, verb=verb), dry_run=dry_run, yes=yes)

    run.__doc__ = about
    command(app, verb)(run)


def _call(domain: Domain, verb: str, **arguments: Any) -> str:
    getattr(domain, verb)(**arguments)
    return str(domain.power_state)


def _shutdown(
    session: Session,
    domains: Keys = None,
    name: Name = None,
    state: State = None,
    tag: Tag = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds until they are to be off.")] = 300.0,
    then: Annotated[str, typer.Option("--then", help="fail or power_off, when the time is up.")] = "fail",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Exit:
    """Ask guests to switch off, and wait until they are."""
    chosen = session.chosen(domains or [], name=name, state=state, tag=tag)
    call = functools.partial(_call, verb="shutdown", timeout=timeout, then=then)
    return carry_out(session, chosen, "shutdown", call, dry_run=dry_run, yes=yes)


def _power_off(
    session: Session,
    domains: Keys = None,
    name: Name = None,
    state: State = None,
    tag: Tag = None,
    discard_memory: Annotated[
        bool, typer.Option("--discard-memory", help="Also give up the saved memory of suspended ones.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> Exit:
    """Cut the power of domains."""
    chosen = session.chosen(domains or [], name=name, state=state, tag=tag)
    call = functools.partial(_call, verb="power_off", discard_memory=discard_memory)
    return carry_out(session, chosen, "power_off", call, dry_run=dry_run, yes=yes)


def carry_out(
    session: Session,
    chosen: FleetDomains,
    verb: str,
    call: Callable[[Domain], Any],
    *,
    dry_run: bool,
    yes: bool,
) -> Exit:
    """Do something to domains, once they have been shown and somebody agreed; without a terminal only with `--yes`."""
    output = session.output
    output.complain(failure.to_dict() for failure in chosen.failures)
    if not chosen:
        return Exit.NOT_FOUND if not chosen.failures else Exit.FAILED
    if dry_run:
        return _rehearse(session, chosen, verb)
    if not yes and not agreed(chosen, f"{verb} {len(chosen)} of them?"):
        return Exit.REFUSED
    result = session.fleet.run(call, domains=chosen, progress=_progress(session, verb))
    rows = [{"host": one.host, "domain": one.domain, "state": one.value} for one in result]
    failures = (*chosen.failures, *result.failures)
    if output.format is Format.TABLE:
        for row in rows:
            output.line(f"{row['domain']} on {row['host']}: {row['state']}")
        output.complain(failure.to_dict() for failure in result.failures)
    else:
        output.show(None, rows, failures)
    if not failures or rows:
        return Exit.PARTIAL if failures else Exit.DONE
    codes = {exit_for(failure.error) for failure in failures}
    return codes.pop() if len(codes) == 1 else Exit.FAILED


def _rehearse(session: Session, chosen: FleetDomains, verb: str) -> Exit:
    rows = []
    for host, domain in zip(chosen.hosts, chosen, strict=True):
        rows.append(
            {"host": host, "domain": domain.name, "state": str(domain.power_state), "why_not": domain.why_not(verb)}
        )
    if session.output.format is Format.TABLE:
        for row in rows:
            can = f"cannot: {row['why_not']}" if row["why_not"] else f"would {verb}"
            if _GOALS.get(verb) == row["state"]:
                can = "is so already"
            session.output.line(f"{row['domain']} on {row['host']} ({row['state']}): {can}")
    else:
        session.output.show(None, rows, chosen.failures)
    able = [row for row in rows if not row["why_not"] or _GOALS.get(verb) == row["state"]]
    if len(able) == len(rows):
        return Exit.PARTIAL if chosen.failures else Exit.DONE
    return Exit.PARTIAL if able else Exit.FAILED


def _progress(session: Session, verb: str) -> Callable[[int, int, Any], None] | None:
    """Return what shows how far it is, on a terminal only."""
    if session.output.format is not Format.TABLE or not sys.stderr.isatty():
        return None

    def show(done: int, total: int, answer: Any) -> None:
        print(f"\r{verb}: {done} of {total} hosts", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show
