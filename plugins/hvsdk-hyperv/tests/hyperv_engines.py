"""Both engines on hosts of one content, asked the same as a connection asks, without a wire."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv import engines
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.options import Options
from hvsdk_simulators.hyperv.vms import Adapter, Drive, Hardware, Vm
from hvsdk_simulators.hyperv.world import Switch, World

from hvsdk_hyperv._frames import Lines, encode
from hvsdk_hyperv._scripts import command_line, scripts_line

__all__ = ["FOLDER", "HOSTILE", "OFF", "RUNNING", "Engine", "alike"]

RUNNING, OFF = str(UUID(int=0x11)), str(UUID(int=0x12))
HOSTILE = '\u2018web\u2019 `"$(throw)" [a]* \n\';-- ' + "x" * 60
"""Name of the machine that runs."""
FOLDER = "C:\\Hyper-V\\Virtual Hard Disks"
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_OF_ONE_MACHINE = frozenset({"where", "user", "powershell", "computer", "cpu", "hresults", "type", "id of error"})
"""What differs between PowerShell and what stands for it, and matters to nobody."""


class Engine:
    """A host with two virtual machines, and a connection to it.

    Args:
        engine: `"python"` or `"powershell"`.
        root: Directory of its files.
    """

    def __init__(self, engine: str, root: Path, **options: Any) -> None:
        registry.load()
        self.world = World(Options(**{"domains": 0, "engine": engine, **options}), root)
        self._fill()
        program, words = command_line()
        self._process = engines.start(self.world, " ".join((program, *words)), {}, 437)
        self._process.write(scripts_line())
        self._lines = Lines()
        self._number = 0

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self.world.stop()

    def ask(self, operation: str, arguments: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Send a request, and return the answer."""
        self._number += 1
        self._process.write(encode({"id": self._number, "operation": operation, "arguments": arguments or {}, **more}))
        noise = b""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self._process.wait_output(5)
            for stream, data in self._process.read():
                if stream == "stderr":
                    noise += data
                    continue
                for answer in self._lines.feed(data):
                    assert answer.pop("id") == self._number
                    assert "SimulatorMistake" not in answer.get("error", {}).get("id", ""), answer["error"]["message"]
                    return answer
            assert self._process.exit_code() is None, noise.decode("utf-8", "replace")
        raise AssertionError(f"no answer to {operation}: {noise.decode('utf-8', 'replace')}")

    def _fill(self) -> None:
        world = self.world
        switch = Switch(id=UUID(int=0x21), name="lan", type="External", interface="Simulated adapter")
        world.switches[switch.id] = switch
        for number, (key, state, generation) in enumerate(((RUNNING, "Running", 2), (OFF, "Off", 1))):
            path = f"{FOLDER}\\{number}.vhdx"
            registry.run(world, "New-VHD", {"Path": [path], "SizeBytes": 64 << 20, "Dynamic": True})
            bus = "SCSI" if generation == 2 else "IDE"
            drives = [
                Drive(
                    id=UUID(int=0x31 + number),
                    kind="disk",
                    controller_type=bus,
                    controller_number=0,
                    location=0,
                    path=path,
                ),
                Drive(id=UUID(int=0x41 + number), kind="dvd", controller_type=bus, controller_number=0, location=1),
            ]
            adapter = Adapter(id=UUID(int=0x51 + number), mac=f"00155D00000{number}", switch=switch.id)
            hardware = Hardware(name=HOSTILE if not number else "second", drives=drives, adapters=[adapter])
            vm = Vm(id=UUID(key), node=world.node, generation=generation, hardware=hardware, state=state)
            vm.path, vm.version, vm.bios_guid = "C:\\Hyper-V", "10.0", UUID(int=0x61 + number)
            vm.started = vm.created if state == "Running" else None
            vm.guest.addresses = {0: ["192.0.2.7", "fe80::1"]}
            world.vms[vm.id] = vm


def _by_layers(items: list[Any]) -> list[Any]:
    """Return volumes with what lies on others after these: those of checkpoints are called by random ids."""
    if not all(isinstance(item, dict) and {"path", "parent", "modified"} <= item.keys() for item in items):
        return items
    parents = {item["path"]: item["parent"] for item in items}

    def depth(path: str | None) -> int:
        return 0 if path is None else 1 + depth(parents.get(path))

    return sorted(items, key=lambda item: (_GUID.sub("", item["path"]), depth(item["path"])))


def alike(answer: Any) -> Any:
    """Return an answer without what differs from run to run: new ids become their order, times become one."""
    known: dict[str, str] = {}

    def one(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: one(value[key]) for key in sorted(value) if key not in _OF_ONE_MACHINE}
        if isinstance(value, list):
            return [one(each) for each in _by_layers(value)]
        if isinstance(value, str):
            value = _GUID.sub(lambda found: known.setdefault(found[0].lower(), f"guid {len(known)}"), value)
            return _TIME.sub("time", value)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    if "error" in answer:
        error = answer["error"]
        first = None if error["kind"] else error["id"].partition(",")[0]
        return one(
            {
                "kind": error["kind"],
                "first": first,
                "message": error["message"],
                "details": error["details"] or {},
                "left": error["left"],
            }
        )
    return one(answer)
