"""What a host tells of itself when asked: time, memory, certificate, logs, plug-ins, measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.hosts.rrd_sources import measured_host
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm.hosts import memory_free

Plugin = Callable[[Object, Mapping[str, str]], str]

_PLUGINS: dict[str, dict[str, Plugin]] = {
    "echo": {"main": lambda host, args: "".join(f"{name}={value}\n" for name, value in sorted(args.items()))},
    "prepare_host_upgrade.py": {"main": lambda host, args: "true"},
    "hyper-threading": {"get_hyperthreading": lambda host, args: "false"},
}
_EXTENSIONS: tuple[str, ...] = ()


@message("host.get_servertime(host ref host) -> datetime", since="1.3")
def get_servertime(call: Call, host: Object) -> datetime:
    """The time in UTC."""
    return call.world.now()


@message("host.get_server_localtime(host ref host) -> datetime", since="1.8")
def get_server_localtime(call: Call, host: Object) -> datetime:
    """The time where the host is: UTC too."""
    return call.world.now()


@message("host.compute_free_memory(host ref host) -> int", since="1.3")
def compute_free_memory(call: Call, host: Object) -> int:
    """Bytes that a new VM could have when all others shrink to their least."""
    return max(0, memory_free(call.world, host))


@message("host.compute_memory_overhead(host ref host) -> int", since="1.7")
def compute_memory_overhead(call: Call, host: Object) -> int:
    """Bytes that the hypervisor takes."""
    return int(host["memory_overhead"])


@message("host.get_server_certificate(host ref host) -> string", since="1.6")
def get_server_certificate(call: Call, host: Object) -> str:
    """The certificate that a host shows, in PEM."""
    return call.world.member_of(host).certificate


@message("host.get_management_interface(host ref host) -> PIF ref", role="pool-operator", since="1.10")
def get_management_interface(call: Call, host: Object) -> Object:
    """The interface that the pool reaches a host by."""
    for ref in host["PIFs"]:
        pif = call.world.db.get("PIF", ref)
        if pif["management"]:
            return pif
    raise Failure("HOST_HAS_NO_MANAGEMENT_IP")


@message(
    "host.call_plugin(host ref host, string plugin, string fn, (string -> string) map args) -> string",
    role="pool-admin",
    since="1.3",
)
def call_plugin(call: Call, host: Object, plugin: str, fn: str, args: Mapping[str, str]) -> str:
    """Run a function of a plug-in: `echo.main` says what it was told."""
    functions = _PLUGINS.get(plugin)
    if functions is None:
        raise Failure("XENAPI_MISSING_PLUGIN", plugin)
    if fn not in functions:
        raise Failure("XENAPI_PLUGIN_FAILURE", "no_such_function", fn, "")
    return functions[fn](host, args)


@message("host.has_extension(host ref host, string name) -> bool", role="pool-admin", since="2.6")
def has_extension(call: Call, host: Object, name: str) -> bool:
    """Whether a host knows a call beside the API."""
    return name in _EXTENSIONS


@message("host.call_extension(host ref host, string call) -> string", role="pool-admin", since="2.6")
def call_extension(context: Call, host: Object, call: str) -> str:
    """Refuse: there are no extensions."""
    raise Failure("MESSAGE_METHOD_UNKNOWN", call)


@message("host.list_methods() -> string set")
def list_methods(call: Call) -> list[str]:
    """Refuse, as the product does."""
    raise Failure("NOT_IMPLEMENTED", "host.list_methods")


@message("host.dmesg(host ref host) -> string", role="pool-operator")
def dmesg(call: Call, host: Object) -> str:
    """What the hypervisor said when it booted."""
    return (
        f"(XEN) Xen version {host['software_version']['xen']}\n(XEN) Brought up {host['cpu_info']['cpu_count']} CPUs\n"
    )


@message("host.dmesg_clear(host ref host) -> string", role="pool-operator")
def dmesg_clear(call: Call, host: Object) -> str:
    """Refuse, as the product does."""
    raise Failure("NOT_IMPLEMENTED", "host.dmesg_clear")


@message("host.get_log(host ref host) -> string")
def get_log(call: Call, host: Object) -> str:
    """Refuse, as the product does."""
    raise Failure("NOT_IMPLEMENTED", "host.get_log")


@message("host.get_system_status_capabilities(host ref host) -> string", since="1.2")
def get_system_status_capabilities(call: Call, host: Object) -> str:
    """What can be in a report of the host's state."""
    return '<?xml version="1.0" ?><system-status-capabilities></system-status-capabilities>'


@message("host.get_data_sources(host ref host) -> data_source record set", since="1.3")
def get_data_sources(call: Call, host: Object) -> list[dict[str, Any]]:
    """All that is measured of a host, with the values of now."""
    return measured_host(call.world, host).records()


@message("host.query_data_source(host ref host, string data_source) -> float", since="1.3")
def query_data_source(call: Call, host: Object, data_source: str) -> float:
    """The value of one source now."""
    return measured_host(call.world, host).now(data_source)


@message("host.record_data_source(host ref host, string data_source) -> void", role="pool-operator", since="1.3")
def record_data_source(call: Call, host: Object, data_source: str) -> None:
    """Begin to keep a source's values. All are kept here."""
    measured_host(call.world, host).source(data_source)


@message(
    "host.forget_data_source_archives(host ref host, string data_source) -> void", role="pool-operator", since="1.3"
)
def forget_data_source_archives(call: Call, host: Object, data_source: str) -> None:
    """Drop the values kept of a source; they follow from the time here, so none are kept."""
    measured_host(call.world, host).source(data_source)
