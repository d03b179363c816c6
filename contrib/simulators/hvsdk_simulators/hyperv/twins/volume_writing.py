"""Writing volumes: the twin of a client's `volume_writing.ps1`."""

from __future__ import annotations

import base64
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from .common import time_text
from .files import confirm_all_seen, confirm_unused, find_file, is_file, name_of, parent_folder, remove_if_there
from .registry import Host, RefusalError, operation

_PART = re.compile(r"\.[0-9a-f]{8}\.part", re.IGNORECASE)


def _open(host: Host, path: str) -> IO[bytes]:
    file = host.one("Get-Item", LiteralPath=[path], Force=True)
    return Path(host.one("Resolve-StubFile", Path=file["FullName"])).open("r+b")


def _seen(host: Host, path: str) -> dict[str, Any]:
    file = host.one("Get-Item", LiteralPath=[path], Force=True)
    return {"path": file["FullName"], "size": file["Length"], "written": time_text(file["LastWriteTimeUtc"])}


def _confirm_writable(host: Host, path: str) -> None:
    confirm_all_seen(host, path, "written")
    confirm_unused(host, [path], "", "written")


def _remove_old_parts(host: Host, path: str) -> None:
    leaf, limit = name_of(path), datetime.now(UTC) - timedelta(days=1)
    for file in host.run("Get-ChildItem", LiteralPath=[parent_folder(path)], File=True, Force=True):
        name = file["Name"]
        is_part = name.lower().startswith(f"{leaf}.".lower()) and _PART.fullmatch(name[len(leaf) :])
        if is_part and file["LastWriteTimeUtc"] < limit:
            remove_if_there(host, file["FullName"])


@operation("volume_writing.look")
def _look(host: Host, arguments: dict[str, Any]) -> Any:
    path = find_file(host, arguments["pool"], [arguments["name"]])
    _confirm_writable(host, path)
    return _seen(host, path)


@operation("volume_writing.create")
def _create(host: Host, arguments: dict[str, Any]) -> Any:
    _remove_old_parts(host, arguments["path"])
    part = f"{arguments['path']}.{arguments['token']}.part"
    done = False
    try:
        if not is_file(host, part):
            host.run("New-Item", Path=[part], ItemType="File")
        with _open(host, part) as stream:
            stream.truncate(arguments["length"])
        done = True
    finally:
        if not done:
            remove_if_there(host, part)
    return {"part": part}


@operation("volume_writing.write")
def _write(host: Host, arguments: dict[str, Any]) -> Any:
    with _open(host, arguments["part"]) as stream:
        for one in arguments["ranges"]:
            stream.seek(one["offset"])
            stream.write(base64.b64decode(one["data"]))


@operation("volume_writing.finish")
def _finish(host: Host, arguments: dict[str, Any]) -> Any:
    path = find_file(host, arguments["pool"], [arguments["name"]])
    with _open(host, arguments["part"]) as stream:
        if stream.seek(0, os.SEEK_END) != arguments["length"]:
            raise RefusalError("OperationFailed", f"'{arguments['part']}' is not whole")
    _confirm_writable(host, path)
    now, seen = _seen(host, path), arguments["seen"]
    if (now["size"], now["written"]) != (seen["size"], seen["written"]):
        text = f"'{path}' was written by somebody else since it was opened, and stays"
        raise RefusalError("OperationFailed", text, hint="open the volume again")
    host.run("Move-Item", LiteralPath=[arguments["part"]], Destination=path, Force=True)
    return _seen(host, path)


@operation("volume_writing.outcome")
def _outcome(host: Host, arguments: dict[str, Any]) -> Any:
    return {"part": is_file(host, arguments["part"]), "seen": _seen(host, arguments["path"])}


@operation("volume_writing.abort")
def _abort(host: Host, arguments: dict[str, Any]) -> Any:
    remove_if_there(host, arguments["part"])
