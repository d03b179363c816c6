"""SRs made, introduced and looked for; the types that there are."""

import xml.etree.ElementTree as ET
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.units import MIB
from hvsdk_simulators.xapi.world import World

from .drivers import DRIVERS, Driver
from .pbd import make_pbd, plug_pbd
from .space import physical_utilisation

_SECONDS = 0.05
_DEFAULT_SIZE = 200 * 1024 * MIB
_CREATE = (
    "host ref host, (string -> string) map device_config, int physical_size, string name_label, "
    "string name_description, string type, string content_type"
)


@message(f"SR.create({_CREATE}, bool shared, (string -> string) map sm_config = {{}}) -> SR ref", role="pool-operator")
def create(
    call: Call, host: Object, config: dict[str, str], size: int, name: str, description: str, kind: str,
    content_type: str, shared: bool, sm_config: dict[str, str],
) -> Object:  # fmt: skip
    """Make an SR on empty storage, and connect the host to it; a shared one, all hosts."""
    world = call.world
    driver = _driver(kind)
    _assert_configured(driver, config)
    call.wait(_SECONDS * world.options.duration_scale)
    sr = world.db.create(
        "SR", name_label=name, name_description=description, type=driver.type, content_type=content_type or "user",
        shared=shared, physical_size=size if size > 0 else _DEFAULT_SIZE, sm_config=sm_config,
    )  # fmt: skip
    try:
        for one in _hosts(world, host, shared=shared):
            plug_pbd(world, make_pbd(world, one, sr, dict(config), {}))
    except Failure:
        for ref in list(sr["PBDs"]):
            world.db.delete(world.db.get("PBD", ref))
        world.db.delete(sr)
        raise
    return sr


@message(f"SR.make({_CREATE}, (string -> string) map sm_config = {{}}) -> string", role="pool-operator")
def make(
    call: Call, host: Object, config: dict[str, str], size: int, name: str, description: str, kind: str,
    content_type: str, sm_config: dict[str, str],
) -> str:  # fmt: skip
    """Make an SR that the pool does not know yet, and return its UUID: `SR.introduce` makes it known."""
    _assert_configured(_driver(kind), config)
    return call.world.db.new_uuid()


@message(
    "SR.introduce(string uuid, string name_label, string name_description, string type, string content_type, "
    "bool shared, (string -> string) map sm_config = {}) -> SR ref",
    role="pool-operator",
)
def introduce(
    call: Call, uuid: str, name: str, description: str, kind: str, content_type: str, shared: bool,
    sm_config: dict[str, str],
) -> Object:  # fmt: skip
    """Make the record of an SR that is on the storage already; no host is connected to it."""
    driver = _driver(kind)
    if uuid and any(sr["uuid"] == uuid for sr in call.world.db.all("SR")):
        raise Failure("SR_UUID_EXISTS", uuid)
    return call.world.db.create(
        "SR", uuid=uuid or call.world.db.new_uuid(), name_label=name, name_description=description, type=driver.type,
        content_type=content_type, shared=shared, sm_config=sm_config, physical_size=_DEFAULT_SIZE,
    )  # fmt: skip


@message("SR.get_supported_types() -> string set")
def get_supported_types(call: Call) -> list[str]:
    """The types of SR for which there is a driver."""
    return list(DRIVERS)


@message(
    "SR.probe(host ref host, (string -> string) map device_config, string type, "
    "(string -> string) map sm_config = {}) -> string",
    role="pool-operator",
    since="1.2",
)
def probe(call: Call, host: Object, config: dict[str, str], kind: str, sm_config: dict[str, str]) -> str:
    """Say in XML which SRs are on a storage."""
    root = ET.Element("SRlist")
    for sr in _found(call.world, _probed(kind), config):
        ET.SubElement(ET.SubElement(root, "SR"), "UUID").text = sr["uuid"]
    return '<?xml version="1.0" ?>\n' + ET.tostring(root, encoding="unicode")


@message(
    "SR.probe_ext(host ref host, (string -> string) map device_config, string type, "
    "(string -> string) map sm_config = {}) -> probe_result record set",
    role="pool-operator",
    since="2.11",
)
def probe_ext(
    call: Call, host: Object, config: dict[str, str], kind: str, sm_config: dict[str, str]
) -> list[dict[str, Any]]:
    """Say which SRs are on a storage."""
    found = _found(call.world, _probed(kind), config)
    return [
        {"configuration": config, "complete": True, "sr": _statistics(call.world, sr), "extra_info": {}} for sr in found
    ]


def _driver(kind: str) -> Driver:
    found = DRIVERS.get(kind.lower())
    if found is None:
        raise Failure("SR_UNKNOWN_DRIVER", kind)
    return found


def _probed(kind: str) -> Driver:
    driver = _driver(kind)
    if not driver.can("SR_PROBE"):
        raise Failure("SR_BACKEND_FAILURE_102", "", f"The SR type {driver.type} cannot be probed", "")
    return driver


def _assert_configured(driver: Driver, config: dict[str, str]) -> None:
    missing = [key for key in driver.required if key not in config]
    if missing:
        raise Failure("SR_BACKEND_FAILURE", "non-zero exit", "", f"missing parameter: {missing[0]}")


def _hosts(world: World, host: Object, *, shared: bool) -> list[Object]:
    if not shared:
        return [host]
    return [host, *(member.host for member in world.members if member.host is not host)]


def _found(world: World, driver: Driver, config: dict[str, str]) -> list[Object]:
    """The SRs of a type that a connection configured like this leads to."""
    wanted = {key: config[key] for key in driver.required if key in config}
    pbds = [pbd for pbd in world.db.all("PBD") if wanted.items() <= pbd["device_config"].items()]
    refs = dict.fromkeys(pbd["SR"] for pbd in pbds)
    return [sr for ref in refs if (sr := world.db.get("SR", ref))["type"] == driver.type]


def _statistics(world: World, sr: Object) -> dict[str, Any]:
    names = {"uuid": sr["uuid"], "name_label": sr["name_label"], "name_description": sr["name_description"]}
    room = {"free_space": sr["physical_size"] - physical_utilisation(world, sr), "total_space": sr["physical_size"]}
    return names | room | {"clustered": False, "health": "healthy"}
