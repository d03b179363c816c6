"""Commands that look: `ls`, `show`, `find`, `stats`, `watch`, `hosts`."""

from __future__ import annotations

import json
from glob import escape
from typing import Annotated, Any

import typer

from hvsdk._cli.command import Keys, Name, State, Tag, command
from hvsdk._cli.exits import Exit, exit_for
from hvsdk._cli.output import Format
from hvsdk._cli.session import Session
from hvsdk._fleet.find import meaning
from hvsdk._fleet.result import FleetList

__all__ = ["add_listing"]


def add_listing(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "ls")(_ls)
    command(app, "find")(_find)
    command(app, "show")(_show)
    command(app, "stats")(_stats)
    command(app, "watch")(_watch)
    command(app, "hosts")(_hosts)


def _told(session: Session, found: FleetList[Any], rows: list[dict[str, Any]]) -> Exit:
    session.output.show(found, rows, found.failures)
    return _ended(found)


def _ended(found: FleetList[Any]) -> Exit:
    """Return the code for what some hosts, all of them or none answered."""
    if not found.failures:
        return Exit.DONE
    if found.answered:
        return Exit.PARTIAL
    codes = {exit_for(failure.error) for failure in found.failures}
    return codes.pop() if len(codes) == 1 else Exit.FAILED


def _ls(
    session: Session,
    name: Name = None,
    state: State = None,
    tag: Tag = None,
    full: Annotated[bool, typer.Option("--full", help="Hardware, labels and what guests tell, too.")] = False,
    templates: Annotated[bool, typer.Option("--templates", help="Templates, too.")] = False,
) -> Exit:
    """List domains."""
    found = session.listed(name=name, state=state, tag=tag, full=full, templates=templates)
    return _told(session, found, found.to_dicts())


def _find(session: Session, key: Annotated[str, typer.Argument(help="UUID, MAC, IP, serial, name, pattern.")]) -> Exit:
    """Find domains by whatever is known of them. Exit code 4: none fits."""
    include, fits = meaning(key)
    found = session.listed(include=include, where=fits, templates=True, superseded=True, control=True)
    told = _told(session, found, found.to_dicts())
    return told if found or told is not Exit.DONE else Exit.NOT_FOUND


def _show(session: Session, domains: Keys = None) -> Exit:
    """Show all that is known of domains, as JSON, or with --csv as a row each."""
    found = session.chosen(domains or [])
    shown = []
    for host, domain in zip(found.hosts, found, strict=True):
        shown.append({"host": host, **domain.refresh().info.to_dict()})
    if session.output.format is Format.CSV:
        session.output.show(None, shown, found.failures)
    else:
        session.output.json(shown)
    return Exit.PARTIAL if found.failures else Exit.DONE


def _stats(session: Session) -> Exit:
    """Show the figures of all domains that run."""
    found = session.fleet.stats(hosts=session.hosts, host_tags=session.host_tags)
    return _told(session, found, found.to_dicts())


def _hosts(session: Session) -> Exit:
    """Say what answers at each host of the fleet."""
    names = session.fleet.select(hosts=session.hosts, tags=session.host_tags)
    found = session.fleet.run(_about, hosts=[escape(name) for name in names])
    rows = [{"host": one.host, **one.value} for one in found]
    if session.output.format is Format.TABLE:
        for row in rows:
            session.output.line(f"{row['host']}: {row['product']} {row['version'] or ''} {row['url']}")
        session.output.complain(failure.to_dict() for failure in found.failures)
        return _ended(found)
    return _told(session, found, rows)


def _about(host: Any) -> dict[str, Any]:
    info = host.info()
    return {"url": host.url, "backend": host.backend, "product": info.product, "version": info.version}


def _watch(
    session: Session,
    count: Annotated[int, typer.Option("--count", help="End after so many events; 0: never.")] = 0,
    interval: Annotated[float, typer.Option("--interval", help="Seconds between listings where none push.")] = 2.0,
) -> Exit:
    """Print what happens, one event a line, until it is interrupted."""
    seen = 0
    with session.fleet.watch(hosts=session.hosts, host_tags=session.host_tags, interval=interval) as watch:
        for event in watch:
            name = session.fleet.name_of(event.host)
            if session.output.format is Format.JSON:
                print(json.dumps({**event.to_dict(), "host": name, "url": event.host.url}, default=str), flush=True)
            else:
                session.output.line(f"{event.at:%H:%M:%S} {name}: {event}")
            seen += 1
            if count and seen >= count:
                break
    return Exit.DONE
