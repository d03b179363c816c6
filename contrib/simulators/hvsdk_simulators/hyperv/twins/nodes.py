"""The physical machines: the twin of a client's `nodes.ps1`."""

from __future__ import annotations

from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .registry import Host, operation

__all__: list[str] = []


@operation("nodes.list")
def _list(host: Host, arguments: dict[str, Any]) -> Any:
    about = host.one("Get-VMHost")
    here = _here(about, _instances(host, "Win32_OperatingSystem"), _instances(host, "Win32_Processor"))
    try:
        members = host.run("Get-ClusterNode")
    except CmdletError:
        members = []
    nodes = []
    for member in members:
        name, cluster = str(member["Name"]).lower(), member.properties.get("Cluster")
        cluster = None if cluster is None else str(cluster)
        if name == here["name"]:
            nodes.append(here | {"state": member["State"], "cluster": cluster})
        else:
            other = dict.fromkeys(here)
            nodes.append(other | {"id": name, "name": name, "state": member["State"], "cluster": cluster})
    return nodes if any(one["name"] == here["name"] for one in nodes) else [here, *nodes]


def _instances(host: Host, name: str) -> list[Any]:
    try:
        return host.run("Get-CimInstance", ClassName=name)
    except CmdletError:
        return []


def _here(about: Any, systems: list[Any], processors: list[Any]) -> dict[str, Any]:
    system = systems[0] if systems else None
    free = system.properties.get("FreePhysicalMemory") if system else None
    return {
        "id": about["Name"].lower(),
        "name": about["Name"].lower(),
        "state": "Up",
        "cpus": about["LogicalProcessorCount"],
        "memory": about["MemoryCapacity"],
        "free_memory": free * 1024 if free is not None else None,
        "cpu_model": processors[0]["Name"] if processors else None,
        "version": system["Version"] if system else None,
        "sockets": len(processors) or None,
        "full_name": about.properties.get("FullyQualifiedDomainName") or None,
        "cluster": None,
    }
