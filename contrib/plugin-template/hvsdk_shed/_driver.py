"""Shed's driver. Imported by the first `shed://` connection, and the vendor's library with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from hvsdk.driver import (
    Capability,
    Deadline,
    DomainInfo,
    DomainSpec,
    Driver,
    HostInfo,
    Operation,
    PowerState,
    Unsupported,
    errors,
)
from hvsdk_shed._client import Shed
from hvsdk_shed._errors import translate

POWER = {"off": PowerState.SHUTOFF, "on": PowerState.RUNNING, "held": PowerState.PAUSED}


class ShedDriver(Driver):
    """One directory of machines."""

    variants = frozenset({Capability.DUPLICATE_NAMES, Capability.MULTIPROCESS})

    def open(self, *, deadline: Deadline) -> None:
        """Open the shed."""
        self._shed = Shed(Path(self.target.path), create=self.target.options["create"])

    def close(self) -> None:
        """There is nothing to let go."""

    def host_info(self, *, deadline: Deadline) -> HostInfo:
        """Say what it is."""
        return HostInfo(product="Shed", version="1.0", name=self.target.path)

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        """Without the right to write nothing can be made or removed."""
        if os.access(self.target.path, os.W_OK):
            return {}
        why = Unsupported(f"the directory {self.target.path} is read-only for this user")
        return {Capability.CREATE_DOMAIN: why, Capability.DELETE: why}

    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> Iterable[DomainInfo]:
        """Return all machines in one go."""
        return [domain_info(machine, include) for machine in self._shed.machines()]

    def get_domain(self, native_id: str, include: frozenset[str], *, deadline: Deadline) -> DomainInfo:
        """Return one machine."""
        return domain_info(self._shed.machine(native_id), include)

    def start(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Switch it on."""
        return domain_info(self._shed.power(native_id, "on", allowed="off"))

    def power_off(self, native_id: str, *, discard_memory: bool, deadline: Deadline) -> DomainInfo:
        """Switch it off."""
        return domain_info(self._shed.power(native_id, "off", allowed="on held"))

    def reset(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Switch it off and on."""
        return domain_info(self._shed.power(native_id, "on", allowed="on"))

    def pause(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Hold it."""
        return domain_info(self._shed.power(native_id, "held", allowed="on"))

    def unpause(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Let it go on."""
        return domain_info(self._shed.power(native_id, "on", allowed="held"))

    def create_domain(self, spec: DomainSpec, *, deadline: Deadline) -> DomainInfo:
        """Make a machine. What Shed does not have is refused, not ignored."""
        refuse_the_rest(spec)
        machine = self._shed.add(
            name=spec.name,
            vcpus=spec.vcpus,
            memory=spec.memory_bytes,
            notes=spec.notes,
            tags=sorted(spec.tags),
            metadata=dict(spec.metadata),
            autostart=spec.autostart,
        )
        return domain_info(machine)

    def delete(self, native_id: str, *, disks: Literal["keep", "delete"], deadline: Deadline) -> None:
        """Remove a machine; it has no disks."""
        self._shed.remove(native_id)

    def rename(self, native_id: str, name: str, *, deadline: Deadline) -> DomainInfo:
        """Give it another name."""
        return domain_info(self._shed.update(native_id, name=name))

    def set_notes(self, native_id: str, notes: str, *, deadline: Deadline) -> None:
        """Store the notes."""
        self._shed.update(native_id, notes=notes)

    def set_tags(self, native_id: str, tags: frozenset[str], *, deadline: Deadline) -> None:
        """Store the tags."""
        self._shed.update(native_id, tags=sorted(tags))

    def set_metadata(self, native_id: str, changes: Mapping[str, str | None], *, deadline: Deadline) -> None:
        """Store these keys and leave the others alone, in one step: somebody else may be changing them too."""
        self._shed.annotate(native_id, changes)

    def set_autostart(self, native_id: str, enabled: bool, *, deadline: Deadline) -> None:
        """Say whether it starts by itself."""
        self._shed.update(native_id, autostart=enabled)

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
        """Return our error for one of Shed's."""
        return translate(exc)


CONFIG = frozenset({"config"})
TAKEN = frozenset({"name", "vcpus", "memory_bytes", "notes", "tags", "metadata", "autostart", "guest_os", "hints"})


def refuse_the_rest(spec: DomainSpec) -> None:
    """Raise for every wish that Shed cannot meet: a field that is not the same as in a plain specification."""
    plain = DomainSpec(name=spec.name, memory=spec.memory_bytes)
    for field in attrs.fields(DomainSpec):
        if field.name not in TAKEN and getattr(spec, field.name) != getattr(plain, field.name):
            raise errors.InvalidSpecError(f"Shed's machines have no {field.name}", hint="leave it out")
    for key in spec.hints:
        if key.startswith("shed."):
            raise errors.InvalidSpecError(f"unknown hint {key!r}", hint="Shed has none")


def domain_info(machine: dict[str, Any], include: frozenset[str] = CONFIG) -> DomainInfo:
    """Return the record of a machine. What Shed cannot tell is `None`; what was not asked for is left out."""
    more: dict[str, Any] = {}
    if "config" in include:
        more = {
            "folder": None,
            "max_vcpus": machine["vcpus"],
            "cpu_topology": None,
            "max_memory_bytes": machine["memory"],
            "disks": (),
            "nics": (),
            "firmware": "bios",
            "secure_boot": False,
            "virtualization": "hvm",
            "autostart": machine["autostart"],
            "tags": machine["tags"],
            "notes": machine["notes"],
            "metadata": machine["metadata"],
            "created_at": None,
            "started_at": None,
            "details": {},
        }
    return DomainInfo(
        native_id=machine["id"],
        uuid=machine["id"],
        name=machine["name"],
        power_state=POWER.get(machine["power"], PowerState.UNKNOWN),
        hypervisor="shed",
        vcpus=machine["vcpus"],
        memory_bytes=machine["memory"],
        **more,
    )
