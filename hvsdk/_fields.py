"""The fields of `DomainInfo` as attributes of the handle: real ones, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Field"]

T = TypeVar("T")


class Field(Generic[T]):
    """A read-only attribute that stands in the handle's record, `handle.info`."""

    __slots__ = ("_name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, handle: None, owner: type) -> Self: ...

    @overload
    def __get__(self, handle: object, owner: type) -> T: ...

    def __get__(self, handle: Any, owner: type) -> Any:
        return self if handle is None else getattr(handle._info, self._name)

    def __set__(self, handle: object, value: object) -> None:
        raise AttributeError(f"{self._name} cannot be set; the verbs change a domain")

    def __repr__(self) -> str:
        return f"<field {self._name}>"
