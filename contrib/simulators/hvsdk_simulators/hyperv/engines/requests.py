"""Requests of a client's resident script, and the answers to them, as its `server.ps1` gives them."""

from __future__ import annotations

import base64
import gzip
import json
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.twins.registry import OPERATIONS, Host, RefusalError

from .failures import MISTAKE, failure

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["Arguments", "Requests"]

_KEPT = 100
_CANCELLED = {"kind": "Cancelled", "message": "cancelled"}


class Arguments(dict[str, Any]):
    """An object of JSON as a script sees it: what is not there is None."""

    def __missing__(self, key: str) -> None:
        return None


class _Job:
    """A long operation on a thread of its own."""

    def __init__(self, world: World, name: str, arguments: dict[str, Any]) -> None:
        self.end: dict[str, Any] | None = None
        self.stopping = threading.Event()
        self.host = Host(world, self.stopping.is_set)
        self._done = threading.Event()
        self._work = (name, arguments)
        threading.Thread(target=self._run, name=f"job-{name}", daemon=True).start()

    def wait(self, seconds: float) -> dict[str, Any] | None:
        self._done.wait(seconds)
        return self.end

    def _run(self) -> None:
        with self.host.world.stopping_when(self.stopping.is_set):
            end = _carry_out(self.host, *self._work)
        if self.stopping.is_set() and "error" in end:
            end["error"] |= _CANCELLED
        self.end = end
        self._done.set()


class Requests:
    """The requests of one process, and the long operations that they began."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._jobs: dict[str, _Job] = {}

    def answer(self, line: bytes) -> bytes:
        """Return the line that answers one."""
        request: dict[str, Any] = {}
        try:
            request = _decode(line)
            end = self._answer(request)
        except Exception as error:
            end = {"error": failure(error)}
        return _encode({"id": request.get("id"), **end})

    def stop(self) -> None:
        """Stop what is under way."""
        for job in list(self._jobs.values()):
            job.stopping.set()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        name, arguments = str(request.get("operation")), request.get("arguments") or Arguments()
        if name == "job.poll":
            return self._poll(arguments)
        if name == "job.cancel":
            self._job(arguments).stopping.set()
            return {"result": None}
        if request.get("wait") is None:
            return _carry_out(Host(self._world), name, arguments)
        job = self._jobs[str(request["id"])] = _Job(self._world, name, arguments)
        end = job.wait(float(request["wait"]))
        return {"job": request["id"]} if end is None else self._ended(end)

    def _poll(self, arguments: dict[str, Any]) -> dict[str, Any]:
        job = self._job(arguments)
        end = job.wait(float(arguments.get("wait") or 0))
        if end is None:
            return {"result": {"done": False, "share": job.host.progress}}
        return {"result": {"done": True, **self._ended(end)}}

    def _job(self, arguments: dict[str, Any]) -> _Job:
        job = self._jobs.get(str(arguments["job"]))
        if job is None:
            raise RefusalError("NotFound", "this connection began no such operation")
        return job

    def _ended(self, end: dict[str, Any]) -> dict[str, Any]:
        over = [key for key, job in self._jobs.items() if job.end is not None]
        for key in over[: max(0, len(self._jobs) - _KEPT)]:
            del self._jobs[key]
        return end


def _carry_out(host: Host, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        function = OPERATIONS.get(name)
        if function is None:
            raise RefusalError("Unsupported", f"there is no operation '{name}'")
        result = function(host, arguments)
        json.dumps(result)
    except Exception as error:
        found = failure(error)
        if found["id"] == MISTAKE:
            print(f"twin of {name}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        return {"error": found | {"left": host.left}}
    return {"result": result}


def _decode(line: bytes) -> dict[str, Any]:
    data = base64.b64decode(line.strip(), validate=True)
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    request: dict[str, Any] = json.loads(data, object_hook=Arguments)
    return request


def _encode(answer: dict[str, Any]) -> bytes:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8", "surrogatepass"), compresslevel=1))
