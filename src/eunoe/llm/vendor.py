"""The adapter for providers with a wire of their own: Anthropic, Google, Bedrock, Responses.

Their libraries take seconds and a hundred megabytes to load, so they are loaded when the first
request needs them, and in a thread.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, TypeAlias

import orjson

from eunoe.domain.events import ModelEvent
from eunoe.engine.ports import ModelRequest
from eunoe.errors import ModelError, ModelRequestRefused, ModelTimedOut
from eunoe.llm.connection import Timeouts
from eunoe.llm.faults import Origin
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.retries import Attempts, Retries

if TYPE_CHECKING:
    from eunoe.llm.vendor_talker import VendorTalker

Wire: TypeAlias = Literal["anthropic", "google", "bedrock", "responses"]


class VendorModel:
    """A model behind its vendor's library; owns that library's client."""

    def __init__(
        self,
        provider: ProviderConfig,
        *,
        wire: Wire,
        origin: Origin,
        timeouts: Timeouts,
        retries: Retries,
    ) -> None:
        self._provider = provider
        self._wire: Wire = wire
        self._origin = origin
        self._timeouts = timeouts
        self._retries = retries
        self._talker: VendorTalker | None = None
        self._opening = asyncio.Lock()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        if request.tokens is not None and request.tokens.top is not None:
            raise ModelRequestRefused(
                f"{self._origin.name} tells no log probabilities; leave return_logprobs out."
            )
        talker = await self._opened()
        attempts = Attempts(self._retries, total_s=self._timeouts.total_s)
        while True:
            begun = False
            try:
                async with aclosing(talker.attempt(request)) as events:
                    async for event in events:
                        begun = True
                        yield event
                        if time.monotonic() > attempts.deadline:
                            raise ModelTimedOut(f"{self._origin.name} took too long to answer.")
            except ModelError as error:
                if begun:
                    raise
                await attempts.again(error)
            else:
                return

    async def preview(self, request: ModelRequest) -> dict[str, object]:
        """Return the body that the library would send, by letting it send to nobody."""
        caught: list[bytes] = []
        talker = await asyncio.to_thread(self._made, caught.append)
        try:
            async with aclosing(talker.attempt(request)) as events:
                async for _ in events:
                    continue
        except Exception:
            # Whatever a library makes of an answer that never came.
            if not caught:
                raise
        finally:
            await talker.aclose()
        body: dict[str, object] = orjson.loads(caught[0])
        return body

    async def warm(self) -> None:
        """Load the library ahead of the first request."""
        await self._opened()

    async def _opened(self) -> "VendorTalker":
        async with self._opening:
            if self._talker is None:
                self._talker = await asyncio.to_thread(self._made)
            return self._talker

    def _made(self, catch: Callable[[bytes], None] | None = None) -> "VendorTalker":
        """Return who talks through the library, which is loaded for it; in a thread."""
        from eunoe.llm.vendor_talker import VendorTalker  # noqa: PLC0415 - slow to load, see above

        return VendorTalker(
            self._provider,
            wire=self._wire,
            origin=self._origin,
            timeouts=self._timeouts,
            catch=catch,
        )

    async def aclose(self) -> None:
        if self._talker is not None:
            await self._talker.aclose()
