"""`GET /rrd_updates`, `/vm_rrd` and `/host_rrd`: the statistics of one host and of the VMs on it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import Exchange, handler
from hvsdk_simulators.xapi.hosts.rrd_archive import NoArchiveError, updates
from hvsdk_simulators.xapi.hosts.rrd_sources import Measured, measured_host, measured_vm
from hvsdk_simulators.xapi.hosts.rrd_text import updates_json, updates_xml, whole_json, whole_xml

_FUNCTIONS = ("AVERAGE", "MIN", "MAX")
_BY_ACCEPT_SINCE = (2, 21)
"""Servers from this API version on look at the Accept header too."""


@handler("GET", "/rrd_updates")
def rrd_updates(exchange: Exchange) -> None:
    """Send the rows since a time, newest first, of the VMs on this host and, when asked for, of the host."""
    query = exchange.query
    function = query.get("cf", "AVERAGE").upper()
    try:
        start, interval = int(query["start"]), int(query.get("interval") or 0)
    except (KeyError, ValueError):
        _refuse(exchange, 400)
        return
    with exchange.world.lock:
        measured = list(_measured(exchange))
    functions = [function] if function in _FUNCTIONS else []
    try:
        answer = updates(measured, start, interval, functions, int(time.time()))
    except NoArchiveError:
        _refuse(exchange, 404)
        return
    if _wants_json(exchange):
        _send(exchange, "application/json", updates_json(answer, exchange.world.options.api))
    else:
        _send(exchange, "text/xml", updates_xml(answer))


@handler("GET", "/host_rrd")
def host_rrd(exchange: Exchange) -> None:
    """Send all that is kept of this host."""
    with exchange.world.lock:
        measured = measured_host(exchange.world, exchange.member.host)
    _send_whole(exchange, measured)


@handler("GET", "/vm_rrd")
def vm_rrd(exchange: Exchange) -> None:
    """Send all that is kept of one VM, by its UUID."""
    world = exchange.world
    with world.lock:
        try:
            vm = world.db.find("VM", exchange.query.get("uuid", ""))
        except Failure:
            vm = None
        measured = measured_vm(world, vm) if vm is not None else None
    if measured is None:
        _refuse(exchange, 404)
    else:
        _send_whole(exchange, measured)


def _measured(exchange: Exchange) -> Iterator[Measured]:
    world, host, query = exchange.world, exchange.member.host, exchange.query
    wanted = query.get("vm_uuid") or query.get("uuid")
    if query.get("host", "").lower() == "true":
        yield measured_host(world, host)
    for ref in host["resident_VMs"]:
        vm = world.db.lookup("VM", ref)
        if vm is not None and (not wanted or vm["uuid"] == wanted) and _is_measured(vm):
            yield measured_vm(world, vm)


def _is_measured(vm: Object) -> bool:
    return vm["power_state"] in ("Running", "Paused")


def _wants_json(exchange: Exchange) -> bool:
    if exchange.query.get("json", "").lower() == "true":
        return True
    accept = exchange.headers.get("accept", "")
    return exchange.world.options.api >= _BY_ACCEPT_SINCE and "application/json" in accept


def _send_whole(exchange: Exchange, measured: Measured) -> None:
    now = int(time.time())
    if _wants_json(exchange):
        _send(exchange, "application/json", whole_json(measured, now, exchange.world.options.api))
    else:
        _send(exchange, "text/xml", whole_xml(measured, now))


def _send(exchange: Exchange, kind: str, body: bytes) -> None:
    exchange.start(200, {"Content-Type": kind, "Content-Length": str(len(body))})
    exchange.write(body)


def _refuse(exchange: Exchange, status: int) -> None:
    exchange.start(status, {"Content-Length": "0"})
