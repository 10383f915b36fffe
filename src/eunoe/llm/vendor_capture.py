"""What a vendor's library would send, caught on its way to the network."""

from collections.abc import Callable
from typing import Any, TypeAlias

import httpx2

Catch: TypeAlias = Callable[[bytes], None]
"""Takes the body of a request in place of the network."""


class _Caught(Exception):
    """Stands for an answer that never came, since nothing was asked."""


class _Catching(httpx2.AsyncBaseTransport):
    def __init__(self, catch: Catch) -> None:
        self._catch = catch

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._catch(await request.aread())
        raise httpx2.ConnectError("nothing was sent", request=request)


def transport(catch: Catch | None) -> httpx2.AsyncBaseTransport | None:
    """Return what catches requests, null where they are to be sent."""
    return None if catch is None else _Catching(catch)


def hooked(client: Any, catch: Catch | None) -> None:  # noqa: ANN401 - a client of boto3, untyped
    """Make a client of boto3 give its requests to `catch`."""
    if catch is None:
        return

    def caught(request: Any, **_: object) -> None:  # noqa: ANN401 - a type of botocore's, untyped
        catch(bytes(request.body))
        raise _Caught

    client.meta.events.register("before-send.bedrock-runtime", caught)
