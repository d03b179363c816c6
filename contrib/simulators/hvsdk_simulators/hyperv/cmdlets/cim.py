"""CIM: objects of the host's management by class, and their methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .cim_filters import FilterError, parse, parse_query
from .errors import CmdletError
from .records import Record
from .registry import Bound, cmdlet

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = [
    "CLASSES",
    "METHODS",
    "VIRTUALIZATION",
    "WINDOWS",
    "cim_class",
    "cim_error",
    "cim_method",
    "guid_of",
    "instance",
]

WINDOWS = "root/cimv2"
VIRTUALIZATION = "root/virtualization/v2"

Class = Callable[["World"], Iterable[Record]]
Method = Callable[["World", Record, dict[str, Any]], dict[str, Any]]
CLASSES: dict[tuple[str, str], Class] = {}
METHODS: dict[tuple[str, str], Method] = {}


def cim_class(name: str, namespace: str = WINDOWS) -> Callable[[Class], Class]:
    """Register a function as what lists the instances of a class."""

    def register(function: Class) -> Class:
        CLASSES[namespace, name.lower()] = function
        return function

    return register


def cim_method(class_: str, name: str) -> Callable[[Method], Method]:
    """Register a function as a method: it takes the instance and the arguments, and returns what comes out of it."""

    def register(function: Method) -> Method:
        METHODS[class_.lower(), name.lower()] = function
        return function

    return register


def instance(class_: str, key: str, properties: dict[str, Any], owner: Any = None) -> Record:
    """Return an instance of a class."""
    return Record(class_, key, properties, owner)


def guid_of(vm: Any) -> str:
    """Return the id of a VM as CIM writes it."""
    return str(vm.id).upper()


def cim_error(code: int, category: str, message: str, target: Any = None) -> CmdletError:
    """Return an error as CIM has it: its id is the HRESULT."""
    return CmdletError(f"HRESULT 0x{code:08x}", category, message, target, exception="CimException", hresult=code)


@cmdlet("Get-CimInstance")
def get_cim_instance(world: World, p: Bound) -> Iterable[Record]:
    """List the instances of a class, those that a filter lets through; or read one anew."""
    if p.get("InputObject") is not None:
        given = p["InputObject"]
        return [one for one in _listed(world, p.get("Namespace"), given.type) if one.key == given.key]
    name, text = p.get("ClassName"), p.get("Filter")
    try:
        if p.get("Query"):
            name, text = parse_query(p["Query"])
        test = parse(text) if text else None
        found = _listed(world, p.get("Namespace"), str(name))
        return found if test is None else [one for one in found if test(one)]
    except FilterError:
        raise cim_error(0x80041017, "InvalidArgument", "Invalid query") from None


@cmdlet("Invoke-CimMethod")
def invoke_cim_method(world: World, p: Bound) -> Iterable[Record]:
    """Carry out a method of an instance, or of a class."""
    target = p.get("InputObject")
    if target is None:
        found = _listed(world, p.get("Namespace"), p["ClassName"])
        target = found[0] if found else instance(p["ClassName"], "", {})
    method = METHODS.get((target.type.lower(), p["MethodName"].lower()))
    if method is None:
        raise cim_error(0x80041055, "InvalidOperation", f'The class has no method "{p["MethodName"]}".')
    out = method(world, target, dict(p.get("Arguments") or {}))
    yield instance(
        "CimMethodResult", f"{target.key}.{p['MethodName']}", {"ReturnValue": 0, "PSComputerName": None, **out}
    )


def _listed(world: World, namespace: str | None, name: str) -> list[Record]:
    space = (namespace or WINDOWS).replace("\\", "/").strip("/").lower()
    function = CLASSES.get((space, name.lower()))
    if function is None:
        raise cim_error(0x80041010, "MetadataError", "Invalid class", f"{space}:{name}")
    return list(function(world))
