"""Looking at VMs: `CONNECT /console` for a viewer, `GET /vncsnapshot` for one picture."""

from __future__ import annotations

import socket

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import Exchange, handler
from hvsdk_simulators.xapi.hosts import jpeg, screen
from hvsdk_simulators.xapi.hosts.rfb import Viewer
from hvsdk_simulators.xapi.storage.transfers import find, parameters
from hvsdk_simulators.xapi.world import World

_LOOKED_AT = ("Running", "Paused")


@handler("CONNECT", "/console", role="vm-operator")
def connect(exchange: Exchange) -> None:
    """Turn the connection into the one of a console, by the reference or UUID of it or of its VM."""
    world = exchange.world
    with world.lock:
        console = _console(exchange)
        vm = world.db.get("VM", console["VM"])
        _assert_here(exchange, vm)
        protocol, name = console["protocol"], vm["name_label"]
    exchange.start(200, {"Connection": "keep-alive", "Cache-Control": "no-cache, no-store"})
    connection = exchange.upgrade()
    if protocol == "rfb":
        Viewer(connection, name, (screen.WIDTH, screen.HEIGHT), lambda: _picture(world, vm)).serve()
    else:
        _serve_text(connection, f"\r\n{name} login: ".encode())


@handler("GET", "/vncsnapshot", role="vm-operator")
def snapshot(exchange: Exchange) -> None:
    """Send what a VM's screen shows, as a JPEG."""
    world = exchange.world
    with world.lock:
        vm = find(exchange, "VM", _name(exchange))
        _assert_here(exchange, vm)
    picture = jpeg.encode(_picture(world, vm), screen.WIDTH, screen.HEIGHT)
    exchange.start(200, {"Content-Type": "image/jpeg", "Content-Length": str(len(picture))})
    exchange.write(picture)


def _name(exchange: Exchange) -> str:
    asked = parameters(exchange)
    return asked.get("uuid") or asked.get("ref") or ""


def _console(exchange: Exchange) -> Object:
    """The console that is named, or the graphical one of the VM that is."""
    world = exchange.world
    try:
        return find(exchange, "console", _name(exchange))
    except Failure:
        vm = find(exchange, "VM", _name(exchange))
    consoles = [world.db.get("console", ref) for ref in vm["consoles"]]
    found = next((one for one in consoles if one["protocol"] == "rfb"), None)
    if found is None:
        raise Failure("VM_BAD_POWER_STATE", vm.ref, "running", vm["power_state"].lower())
    return found


def _assert_here(exchange: Exchange, vm: Object) -> None:
    """Raise when a VM is not to be looked at on the host that was asked."""
    if vm["power_state"] not in _LOOKED_AT:
        raise Failure("VM_BAD_POWER_STATE", vm.ref, "running", vm["power_state"].lower())
    if vm["resident_on"] != exchange.member.host.ref:
        raise Failure("VM_NOT_RESIDENT_HERE", vm.ref, exchange.member.host.ref)


def _picture(world: World, vm: Object) -> bytes:
    with world.lock:
        state = vm["power_state"] if world.db.lookup("VM", vm.ref) is not None else "gone"
        lines = (vm["name_label"], vm["uuid"][:18], vm["uuid"][18:], f"DOMAIN {vm['domid']} {state}", "LOGIN:")
    return screen.draw(lines)


def _serve_text(connection: socket.socket, prompt: bytes) -> None:
    """A terminal that shows what is typed, and prompts anew at the end of a line."""
    try:
        connection.sendall(prompt)
        while typed := connection.recv(4096):
            connection.sendall(typed + prompt if typed.endswith((b"\r", b"\n")) else typed)
    except OSError:
        return
