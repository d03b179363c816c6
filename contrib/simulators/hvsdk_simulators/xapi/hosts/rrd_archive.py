"""Round-robin archives: how fine and how long is kept, and the rows of an answer to /rrd_updates."""

from __future__ import annotations

from attrs import frozen

from hvsdk_simulators.xapi.hosts.rrd_sources import Measured

STEP = 5
"""Seconds between two measurements."""


@frozen
class Archive:
    """One archive of every RRD: a row each `step` seconds, `rows` of them."""

    step: int
    rows: int


ARCHIVES = (Archive(5, 120), Archive(60, 120), Archive(3600, 168), Archive(86400, 366))


@frozen
class Updates:
    """What /rrd_updates answers: newest row first."""

    start: int
    step: int
    end: int
    legend: list[str]
    rows: list[tuple[int, list[float]]]


class NoArchiveError(LookupError):
    """Nobody is measured, or not consolidated in the way that was asked for."""


def updates(measured: list[Measured], start: int, interval: int, functions: list[str], now: int) -> Updates:
    """Collect the rows after `start`, from the finest archive that reaches back so far and is no finer than asked.

    Args:
        measured: Whose sources, in the order of the legend.
        start: Unix time; below zero it counts back from the latest measurement.
        interval: Seconds that a row shall cover at least.
        functions: Consolidations to give, "AVERAGE" being the one that is always kept.
        now: Unix time of the answer.

    Raises:
        NoArchiveError: Nothing fits.
    """
    if not measured or not functions:
        raise NoArchiveError
    if start < 0:
        start += now
    archive = _best_archive(start, interval, now)
    end = now // archive.step * archive.step
    first = (start // archive.step + 1) * archive.step
    columns = [(owner, source) for owner in measured for _ in functions for source in owner.sources]
    legend = [
        f"{function}:{owner.kind}:{owner.uuid}:{source.name}"
        for owner in measured
        for function in functions
        for source in owner.sources
    ]
    moments = [end - number * archive.step for number in range(archive.rows)]
    rows = [
        (moment, [owner.value(source, moment) for owner, source in columns]) for moment in moments if moment >= start
    ]
    return Updates(first, archive.step, end, legend, rows)


def _best_archive(start: int, interval: int, now: int) -> Archive:
    coarse = [archive for archive in ARCHIVES if archive.step >= interval] or [ARCHIVES[-1]]
    return next((archive for archive in coarse if now - archive.step * archive.rows <= start), coarse[-1])
