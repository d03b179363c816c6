"""`ova.xml`: which product wrote it, and the records of all objects, which name each other as `Ref:0`, `Ref:1` and so on."""

import xmlrpc.client
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.parsers.expat import ExpatError

from attrs import frozen

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.schema import ENUMS, NULL, SCHEMA, Kind
from hvsdk_simulators.xapi.schema.kinds import blank

_TIME = "%Y%m%dT%H:%M:%SZ"
_OPEN, _CLOSE = "<params>\n<param>\n", "</param>\n</params>\n"


@frozen
class Document:
    """What such a text says."""

    version: Mapping[str, str]
    records: dict[str, list[tuple[str, dict[str, Any]]]]
    """By class: the name within the text, and the record, in which references are such names too."""

    def of(self, cls: str) -> list[tuple[str, dict[str, Any]]]:
        """The records of a class."""
        return self.records.get(cls, [])


def write_document(version: Mapping[str, str], objects: Iterable[tuple[Object, Mapping[str, Any]]]) -> bytes:
    """Write the text.

    Args:
        version: Of the product.
        objects: What is in it, each with the fields as they are shown. References to anything else become null.
    """
    listed = list(objects)
    names = {obj.ref: f"Ref:{number}" for number, (obj, _) in enumerate(listed)}
    entries = [
        {"class": obj.cls, "id": names[obj.ref], "snapshot": _record(obj.cls, shown, names)} for obj, shown in listed
    ]
    text = xmlrpc.client.dumps(({"version": dict(version), "objects": entries},))
    return text.removeprefix(_OPEN).removesuffix(_CLOSE).encode()


def read_document(content: bytes) -> Document:
    """Read such a text.

    Raises:
        Failure: It is none.
    """
    try:
        text = f"<params><param>{content.decode()}</param></params>"
        parameters, _ = xmlrpc.client.loads(text)
        whole: Any = parameters[0]
        records: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for entry in whole["objects"]:
            cls = entry["class"]
            if cls in SCHEMA:
                records.setdefault(cls, []).append((str(entry["id"]), _values(cls, entry["snapshot"])))
        return Document(whole["version"], records)
    except (ValueError, TypeError, KeyError, IndexError, xmlrpc.client.Error, ExpatError) as exc:
        raise Failure("IMPORT_ERROR", f"the records cannot be read: {exc}") from exc


def _record(cls: str, shown: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    fields = SCHEMA[cls].fields
    return {name: _plain(fields[name].kind, value, names) for name, value in shown.items() if name in fields}


def _plain(kind: Kind, value: Any, names: Mapping[str, str]) -> Any:
    match kind.name:
        case "ref":
            return names.get(value, NULL)
        case "set":
            found = [_plain(kind.inner, item, names) for item in value]
            return [item for item in found if item != NULL]
        case "map":
            return {str(key): _plain(kind.inner, item, names) for key, item in value.items()}
        case "int":
            return str(value)
        case "datetime":
            return xmlrpc.client.DateTime(value.strftime(_TIME))
        case "option":
            return "" if value is None else _plain(kind.inner, value, names)
    return value


def _values(cls: str, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    fields = SCHEMA[cls].fields
    return {name: _value(fields[name].kind, value) for name, value in snapshot.items() if name in fields}


def _value(kind: Kind, value: Any) -> Any:
    match kind.name:
        case "set":
            return [_value(kind.inner, item) for item in value]
        case "map":
            assert kind.key is not None
            return {_value(kind.key, key): _value(kind.inner, item) for key, item in value.items()}
        case "int":
            return int(value)
        case "float":
            return float(value)
        case "bool":
            return bool(value)
        case "datetime":
            return datetime.strptime(str(value), _TIME).replace(tzinfo=UTC)
        case "enum":
            return value if value in ENUMS[kind.target] else blank(kind, ENUMS)
        case "option":
            return None if value == "" else _value(kind.inner, value)
    return value
