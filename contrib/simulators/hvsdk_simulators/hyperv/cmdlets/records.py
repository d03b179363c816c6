"""What cmdlets return: objects with the properties of one of the module's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Record", "WarningText"]


class Record:
    """One object of a type of the module, such as `VirtualMachine`.

    Values are None, bool, int, float, str, `uuid.UUID` (Guid), aware `datetime` (DateTime), `timedelta` (TimeSpan), the
    label of an enum as a str (`"Running"`: the type of the property says of which enum), other records, and lists of these.

    Attributes:
        type: Name of the type in the module, or of a class of CIM.
        key: What the object is found by when it is handed to another cmdlet: unique within its type.
        properties: All that the type has, in its order. A value may be a function without arguments, called when it is read.
        owner: The object of the state that it shows, for the simulator itself.
    """

    __slots__ = ("key", "owner", "properties", "type")

    def __init__(self, type_: str, key: str, properties: Mapping[str, Any], owner: Any = None) -> None:
        self.type = type_
        self.key = key
        self.properties = dict(properties)
        self.owner = owner

    def __getitem__(self, name: str) -> Any:
        """Return a property; None for one that was not filled, as PowerShell has null there."""
        value = self.properties.get(name)
        if callable(value):
            value = self.properties[name] = value()
        return value

    def __repr__(self) -> str:
        return f"<{self.type} {self.key}>"


class WarningText(str):
    """What a cmdlet writes to the stream of warnings."""

    __slots__ = ()
