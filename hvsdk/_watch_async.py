"""Events in an asyncio program: waited for on the loop, not on a thread of its executor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from hvsdk._event import Event

__all__ = ["AsyncEvents"]


class AsyncEvents(ABC):
    """What can be read with `async for`: by one reader, on one loop."""

    @abstractmethod
    def get(self, timeout: float | None = None) -> Event | None:
        """Return the next event."""

    @abstractmethod
    def _listen(self, listener: Callable[[], None] | None) -> None:
        """Have a function called, on any thread, whenever there may be something to read."""

    @abstractmethod
    def _ended(self) -> bool:
        """Whether nothing more will come, and nothing is left to be read."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Return the next event; the iteration ends when the watch is closed, from any thread.

        Raises:
            HvsdkError: The watch has ended because of this error.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        news = asyncio.Event()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(news.set)

        self._listen(tell)
        try:
            while True:
                news.clear()
                event = self.get(0)
                if event is not None:
                    return event
                if self._ended():
                    raise StopAsyncIteration
                await news.wait()
        finally:
            self._listen(None)
