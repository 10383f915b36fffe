"""What a vendor's library would send, caught on its way to the network."""

from collections.abc import Callable
from typing import Any, TypeAlias

import httpx2

from eunoe.llm.reach import Reach

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


class _Reaching(httpx2.AsyncHTTPTransport):
    """Sends requests to the addresses that `reach` has checked, and to no other."""

    def __init__(self, reach: Reach) -> None:
        super().__init__()
        self._reach = reach

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            address = await self._reach.address(url.host, port)
        except OSError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        request.headers.setdefault("Host", url.netloc.decode("ascii"))
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.url = url.copy_with(host=address)
        try:
            return await super().handle_async_request(request)
        finally:
            request.url = url


def transport(catch: Catch | None, reach: Reach | None) -> httpx2.AsyncBaseTransport | None:
    """Return what catches requests or bounds where they go, null where neither is wanted."""
    if catch is not None:
        return _Catching(catch)
    return None if reach is None else _Reaching(reach)


def hooked(client: Any, catch: Catch | None) -> None:  # noqa: ANN401 - a client of boto3, untyped
    """Make a client of boto3 give its requests to `catch`."""
    if catch is None:
        return

    def caught(request: Any, **_: object) -> None:  # noqa: ANN401 - a type of botocore's, untyped
        catch(bytes(request.body))
        raise _Caught

    client.meta.events.register("before-send.bedrock-runtime", caught)
