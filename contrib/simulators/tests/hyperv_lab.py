"""A simulated Hyper-V host without a wire: cmdlets are run as they are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.cmdlets.records import Record
from hvsdk_simulators.hyperv.options import Options
from hvsdk_simulators.hyperv.vms import Hardware, Vm
from hvsdk_simulators.hyperv.world import World
from xapi_reference import reference

__all__ = ["FOLDER", "MIB", "Lab", "fits_model"]

FOLDER = "C:\\Hyper-V\\Virtual Hard Disks"
MIB = 1 << 20


class Lab:
    """A world, with what tests do in it."""

    def __init__(self, root: Path) -> None:
        registry.load()
        self.world = World(Options(domains=0), root)

    def run(self, cmdlet: str, **parameters: Any) -> list[Any]:
        written = registry.run(self.world, cmdlet, parameters)
        _fits_outputs(cmdlet, written)
        return written

    def one(self, cmdlet: str, **parameters: Any) -> Any:
        (found,) = self.run(cmdlet, **parameters)
        return found

    def error(self, cmdlet: str, **parameters: Any) -> CmdletError:
        try:
            self.run(cmdlet, **parameters)
        except CmdletError as exc:
            return exc
        raise AssertionError(f"{cmdlet} {parameters} did not fail")

    def vm(self, generation: int = 2, name: str = "web") -> Record:
        made = Vm(generation=generation, node="HV-1", hardware=Hardware(name=name))
        self.world.vms[made.id] = made
        return Record("VirtualMachine", str(made.id), {"Id": made.id, "Name": name}, made)

    def disk(self, name: str, size: int = 8 * MIB, **more: Any) -> str:
        (made,) = self.run("New-VHD", Path=[f"{FOLDER}\\{name}"], SizeBytes=size, **more)
        return str(made["Path"])

    def image(self, name: str = "setup.iso") -> str:
        self.run("New-Item", Path=[f"{FOLDER}\\{name}"], ItemType="File", Value="an image")
        return f"{FOLDER}\\{name}"


def fits_model(records: Iterable[Record]) -> None:
    """Hold properties against the real module's types: their names, and the names of enums' values."""
    model = reference("hyperv-model.json.gz")
    for record in records:
        properties = dict(model["types"][record.type]["properties"])
        assert record.properties.keys() <= properties.keys()
        for name in record.properties:
            labels = model["enums"].get(properties[name].rstrip("?").rpartition(".")[2])
            if labels and record[name] is not None:
                assert record[name] in labels, (record.type, name)


_BASES = {"VMNetworkAdapter": "VMNetworkAdapterBase", "VirtualHardDisk": "Vhd.VirtualHardDisk"}


@cache
def _outputs() -> dict[str, list[str]]:
    """Return the types that each cmdlet writes; none without the model."""
    try:
        cmdlets = reference("hyperv-model.json.gz")["cmdlets"]
    except pytest.skip.Exception:
        return {}
    return {name: cmdlet["output"] for name, cmdlet in cmdlets.items() if cmdlet["output"]}


def _fits_outputs(cmdlet: str, written: Iterable[Any]) -> None:
    """Hold what a cmdlet wrote against the types that the real one writes."""
    told = _outputs().get(cmdlet)
    for record in written if told else ():
        if isinstance(record, Record):
            assert {record.type, _BASES.get(record.type)} & set(told or ()), (cmdlet, record.type)
