"""The asynchronous client with the face of the blocking one, so that one test drives both.

Calls run on an event loop of a thread beside the test; what they return is wrapped where it is
a page or a stream, and passed on as it is where it is data.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self, cast

from anyio.from_thread import BlockingPortal, start_blocking_portal
from letta_client import AsyncLetta, Letta
from letta_client.pagination import AsyncArrayPage

_END: Final = object()


class _Blocking:
    """An attribute, page or stream of the asynchronous client, to be used without `await`."""

    def __init__(self, wrapped: Any, portal: BlockingPortal) -> None:
        self._wrapped = wrapped
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        return _faced(getattr(self._wrapped, name), self._portal)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        async def call() -> Any:
            called: object = self._wrapped(*args, **kwargs)
            return await cast("Awaitable[Any]", called) if isinstance(called, Awaitable) else called

        return _faced(self._portal.call(call), self._portal)

    def __iter__(self) -> Iterator[Any]:
        items = cast("AsyncIterator[Any]", self._wrapped.__aiter__())

        async def following() -> Any:
            return await anext(items, _END)

        while (item := self._portal.call(following)) is not _END:
            yield item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._portal.call(self._wrapped.close)


def _faced(value: Any, portal: BlockingPortal) -> Any:
    """Wrap what has something to await in it, and nothing else."""
    resource = type(value).__name__.startswith("Async")
    if isinstance(value, AsyncArrayPage) or resource or isinstance(value, Callable):
        return _Blocking(value, portal)
    return value


@contextmanager
def blocking(**options: Any) -> Generator[Letta]:
    """Yield the asynchronous client as if it were the blocking one."""
    with start_blocking_portal() as portal:
        client = AsyncLetta(**options)
        yield cast("Letta", _Blocking(client, portal))
        portal.call(client.close)
