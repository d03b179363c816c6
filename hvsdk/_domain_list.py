"""What a listing of domains returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hvsdk._record_list import RecordList

if TYPE_CHECKING:
    from hvsdk._domain import Domain  # noqa: F401  # named below
    from hvsdk._table import Column

__all__ = ["DomainList"]


class DomainList(RecordList["Domain"]):
    """Domains, as a list that prints as a table."""

    __slots__ = ()
    _of: ClassVar[str] = "domains"

    def _columns(self, records: list[Any]) -> tuple[Column, ...]:
        from hvsdk._table import DOMAIN_COLUMNS

        return DOMAIN_COLUMNS
