"""Lists that print as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self, SupportsIndex, TypeVar, overload

if TYPE_CHECKING:
    from hvsdk._table import Column

__all__ = ["RecordList"]

T = TypeVar("T")


class RecordList(list[T]):
    """A list of records, or of handles with a record each, that prints as a table; in every other way a `list`.

    Printing asks nobody: it shows what is loaded, and `-` for what is not.
    """

    __slots__ = ()
    _of: ClassVar[str] = "records"

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> T: ...
    @overload
    def __getitem__(self, index: slice, /) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> T | Self:
        """Return one of them, or a part as a list of the same kind."""
        if isinstance(index, slice):
            return type(self)(super().__getitem__(index))
        return super().__getitem__(index)

    def __add__(self, other: Iterable[Any], /) -> Self:  # type: ignore[override]
        if not isinstance(other, list):
            return NotImplemented
        return type(self)([*self, *other])

    def copy(self) -> Self:
        """Return a shallow copy."""
        return type(self)(self)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return what is loaded of each as JSON values, as `to_dict()` of the records does."""
        return [record.to_dict() for record in self._records()]

    def _records(self) -> list[Any]:
        return [getattr(item, "info", item) for item in self]

    def _columns(self, records: list[Any]) -> tuple[Column, ...]:
        from hvsdk._table import columns_of

        return columns_of(records)

    def __repr__(self) -> str:
        from hvsdk._table import text_table

        if not self:
            return f"<no {self._of}>"
        records = self._records()
        columns = self._columns(records)
        return text_table(columns, records) if columns else super().__repr__()

    def _repr_html_(self) -> str:
        from hvsdk._table import html_table

        records = self._records()
        return html_table(self._columns(records), records) if records else f"<p>no {self._of}</p>"
