"""Makes the module that stands in for Hyper-V's, and for those of other cmdlets, out of the model."""

from __future__ import annotations

import functools
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.versions import (
    NEW_CMDLETS,
    NEW_EVERYWHERE,
    NEW_PARAMETERS,
    OLD_PROPERTIES,
    is_new_property,
    is_old,
)

from . import model
from .kinds import ALIASES, BASES, CHECKPOINTS, LAZY, ROOT, UNTOLD
from .others import OTHERS

__all__ = ["cmdlet_names", "module_path", "properties"]

_PLAIN = {
    "Boolean": "bool",
    "Byte": "byte",
    "Collections.Hashtable": "hashtable",
    "DateTime": "datetime",
    "Guid": "guid",
    "Int32": "int",
    "Int64": "long",
    "String": "string",
    "TimeSpan": "timespan",
    "UInt16": "uint16",
    "UInt32": "uint32",
    "UInt64": "uint64",
    "Version": "version",
}
_VALUES = frozenset(_PLAIN.values()) - {"string", "hashtable", "version"}
_ACCELERATORS = frozenset(_PLAIN.values()) | {"switch", "int16", "object", "psobject", "pscredential", "string"}
_EXCEPTIONS = (
    "VirtualizationException",
    "VirtualizationInvalidArgumentException",
    "VirtualizationOperationFailedException",
    "CimException",
    "ClusterCmdletException",
)


@functools.cache
def module_path(version: int) -> Path:
    """Return a directory for `PSModulePath` with the modules of a host of this year (2012 is 2012 R2).

    It is made once for each process, which removes it at its end.

    Raises:
        MissingReferenceError: The model is not there.
    """
    known = model.load()
    folder = Path(tempfile.mkdtemp(prefix="hyperv-stub-"))
    weakref.finalize(module_path, shutil.rmtree, folder, ignore_errors=True)
    inside = folder / "Hyper-V"
    inside.mkdir()
    (inside / "Hyper-V.psm1").write_text(_module(known, version), encoding="utf-8")
    (inside / "Hyper-V.psd1").write_text(_manifest(known, version), encoding="utf-8")
    (inside / "Hyper-V.types.ps1xml").write_text(_type_file(version), encoding="utf-8")
    return folder


def cmdlet_names(version: int) -> list[str]:
    """Return the names of all functions of the module."""
    return [*_cmdlets(model.load(), version), *OTHERS]


@functools.cache
def properties(type_: str, version: int) -> dict[str, str] | None:
    """Return the properties of a type of the model with their types; None for a type that it does not know."""
    known = model.load()["types"].get(type_)
    if known is None:
        return None
    found = dict(known["properties"]) or dict(UNTOLD.get(type_, ()))
    if is_old(version):
        found = {name: kind for name, kind in found.items() if not is_new_property(type_, name)}
        found |= OLD_PROPERTIES.get(type_, ())
        if "CimSession" in {name for name, _ in known["properties"]} and type_ != "VMHost":
            found["Key"] = "Object"
    return found


# ---- the module -------------------------------------------------------------------------------------------


def _module(known: dict[str, Any], version: int) -> str:
    lines = [*_enums(known["enums"]), *_exceptions(), *_classes(known, version)]
    lines.append((Path(__file__).with_name("stub.psm1")).read_text(encoding="utf-8"))
    lines.append("$Types = @{ " + "; ".join(f"'{name}' = [{name}]" for name in known["types"]) + " }")
    for name, cmdlet in _cmdlets(known, version).items():
        parameters = [_parameter(known, one) for one in cmdlet["parameters"] if _is_there(version, name, one["name"])]
        alias = next((one for one, of in _aliases(version).items() if of == name), None)
        process = bool(cmdlet["should_process"])
        lines += _function(name, ",\n".join(parameters), cmdlet.get("default_set"), process, alias)
    for name, text in OTHERS.items():
        lines += _function(name, text, "Path" if "ParameterSetName='Path'" in text else None, False)
    return "\n".join(lines) + "\n"


def _aliases(version: int) -> dict[str, str]:
    return {} if is_old(version) else CHECKPOINTS


def _cmdlets(known: dict[str, Any], version: int) -> dict[str, Any]:
    gone = NEW_CMDLETS if is_old(version) else frozenset()
    return {name: cmdlet for name, cmdlet in known["cmdlets"].items() if name not in gone}


def _is_there(version: int, cmdlet: str, parameter: str) -> bool:
    return not (
        is_old(version) and (parameter in NEW_EVERYWHERE or parameter in NEW_PARAMETERS.get(cmdlet, frozenset()))
    )


def _enums(enums: dict[str, dict[str, int]]) -> Iterator[str]:
    for name, labels in enums.items():
        yield f"enum {name} {{ " + "; ".join(f"{label} = {number}" for label, number in labels.items()) + " }"


def _exceptions() -> Iterator[str]:
    for name in _EXCEPTIONS:
        yield (
            f"class {name} : System.Exception {{ "
            f"{name}([string] $text, [int] $code) : base($text) {{ $this.HResult = $code }} }}"
        )


def _classes(known: dict[str, Any], version: int) -> Iterator[str]:
    yield f"class {ROOT} {{ hidden [string] $StubKey }}"
    types = known["types"]
    for name in _bases_first(types):
        # what a type descends from has no properties of its own here: the model tells all with each type
        own = {} if name in BASES.values() else properties(name, version) or {}
        lazy = LAZY if name in ("VirtualMachine", "VMSnapshot") else {}
        yield f"class {name} : {BASES.get(name, ROOT)} {{"
        yield from (f"    [{_property_type(known, kind)}] ${one}" for one, kind in own.items() if one not in lazy)
        yield f"    [string] ToString() {{ return '{types[name]['namespace']}.{name}' }}"
        yield "}"


def _bases_first(types: dict[str, Any]) -> list[str]:
    def depth(name: str) -> int:
        return 0 if name not in BASES else 1 + depth(BASES[name])

    return sorted(types, key=depth)


def _property_type(known: dict[str, Any], kind: str) -> str:
    many = kind.endswith("[]")
    name = kind.removesuffix("[]").removesuffix("?")
    name = _PLAIN.get(name, name.rpartition(".")[2])
    if name not in _ACCELERATORS and name not in known["enums"] and name not in known["types"]:
        return "object"
    if many:
        return f"{name}[]"
    return f"Nullable[{name}]" if name in _VALUES or name in known["enums"] else name


# ---- functions --------------------------------------------------------------------------------------------


def _function(
    name: str, parameters: str, default_set: str | None, should_process: bool, alias: str | None = None
) -> Iterator[str]:
    about = [f"DefaultParameterSetName='{default_set}'"] if default_set else []
    about += ["SupportsShouldProcess=$true"] if should_process else []
    other = f"[Alias('{alias}')] " if alias else ""
    yield f"function {name} {{ [CmdletBinding({', '.join(about)})] {other}param({parameters}\n)"
    yield f"    process {{ Invoke-Stub $PSCmdlet '{name}' $PSBoundParameters }}\n}}"


def _parameter(known: dict[str, Any], one: dict[str, Any]) -> str:
    parts = [_in_set(each) for each in one["sets"]] or ["[Parameter()]"]
    if one.get("aliases"):
        parts.append("[Alias(" + ", ".join(f"'{alias}'" for alias in one["aliases"]) + ")]")
    if one.get("values"):
        parts.append("[ValidateSet(" + ", ".join(f"'{value}'" for value in one["values"]) + ")]")
    parts.append(f"[{_parameter_type(known, one['type'])}] ${one['name']}")
    return " ".join(parts)


def _in_set(one: dict[str, Any]) -> str:
    words = [] if one["set"] == "*" else [f"ParameterSetName='{one['set']}'"]
    words += ["Mandatory=$true"] if one.get("mandatory") else []
    words += [f"Position={one['position']}"] if one.get("position") is not None else []
    words += ["ValueFromPipeline=$true"] if one.get("pipeline") else []
    words += ["ValueFromPipelineByPropertyName=$true"] if one.get("by_property") else []
    return f"[Parameter({', '.join(words)})]"


def _parameter_type(known: dict[str, Any], kind: str) -> str:
    many = kind.endswith("[]")
    inner = kind.removesuffix("[]")
    nullable = inner.startswith("Nullable[")
    name = inner.removeprefix("Nullable[").removesuffix("]") if nullable else inner
    if name not in _ACCELERATORS:
        name = name.rpartition(".")[2]
    if name == "ciminstance":
        name = ROOT
    elif name not in _ACCELERATORS and name not in known["enums"] and name not in known["types"]:
        name, nullable = "object", False
    name = f"Nullable[{name}]" if nullable else name
    return f"{name}[]" if many else name


# ---- beside the module ------------------------------------------------------------------------------------


def _manifest(known: dict[str, Any], version: int) -> str:
    names = ", ".join(f"'{name}'" for name in [*_cmdlets(known, version), *OTHERS])
    return f"""@{{
    RootModule = 'Hyper-V.psm1'
    ModuleVersion = '{"1.1" if is_old(version) else "2.0.0.0"}'
    GUID = '4b1a7ac0-41ef-4b0c-8d5a-4a50ff3b1b60'
    TypesToProcess = @('Hyper-V.types.ps1xml')
    FunctionsToExport = @({names})
    CmdletsToExport = @()
    VariablesToExport = @()
    AliasesToExport = @({", ".join(f"'{alias}'" for alias in _aliases(version))})
}}
"""


def _type_file(version: int) -> str:
    types = []
    for name, parameter in (("VirtualMachine", "VM"), ("VMSnapshot", "VMSnapshot")):
        members = [
            f"<AliasProperty><Name>{alias}</Name><ReferencedMemberName>{of}</ReferencedMemberName></AliasProperty>"
            for alias, of in ALIASES[name].items()
            if not is_old(version)
        ]
        members += [
            f"<ScriptProperty><Name>{one}</Name>"
            f"<GetScriptBlock>,@({cmdlet} -{parameter} $this)</GetScriptBlock></ScriptProperty>"
            for one, cmdlet in LAZY.items()
            if one in (properties(name, version) or {})
        ]
        types.append(f"<Type><Name>{name}</Name><Members>{''.join(members)}</Members></Type>")
    return f'<?xml version="1.0" encoding="utf-8"?>\n<Types>{"".join(types)}</Types>\n'
