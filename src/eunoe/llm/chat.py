"""The adapter for every provider that speaks OpenAI's chat completions."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from http import HTTPStatus

import httpx
import orjson

from eunoe.domain.events import ModelEvent
from eunoe.domain.messages import Json
from eunoe.engine.ports import ModelRequest
from eunoe.errors import ModelError, ModelReplyInvalid, ModelTimedOut
from eunoe.llm.chat_request import chat_body, hides_reasoning
from eunoe.llm.chat_stream import EventLines, Reply, whole
from eunoe.llm.connection import Client, Timeouts, blocks_of, body_of, waits
from eunoe.llm.dialects import dialect_of
from eunoe.llm.faults import Origin, disconnection, refusal
from eunoe.llm.retries import Attempts, Retries
from eunoe.llm.text_calls import TextCalls
from eunoe.llm.transcripts import Transcripts

_DRAIN_S = 0.05


class ChatModel:
    """A model behind chat completions; holds the provider's client, which its owner closes.

    `path` is where requests go below the client's base URL. Whoever stops
    reading must close the iterator, which closes the connection at once.
    """

    def __init__(
        self,
        *,
        client: Client,
        origin: Origin,
        timeouts: Timeouts,
        retries: Retries,
        path: str = "chat/completions",
    ) -> None:
        self._client = client
        self._origin = origin
        self._timeouts = timeouts
        self._retries = retries
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        # Address and headers are the same each time, and merging them costs.
        self._form = client.build_request("POST", path, headers=headers)
        del self._form.headers["content-length"]
        self._transcripts = Transcripts()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        base_url = str(self._client.base_url)
        body = orjson.dumps(chat_body(request, base_url=base_url, transcripts=self._transcripts))
        attempts = Attempts(self._retries, total_s=self._timeouts.total_s)
        while True:
            begun = False
            calls = self._text_calls(request)
            try:
                async with aclosing(self._attempt(body, request, attempts.deadline)) as batches:
                    async for batch in batches:
                        begun = begun or bool(batch)
                        for event in calls.read(batch) if calls else batch:
                            yield event
            except ModelError as error:
                if begun:
                    for event in calls.flush() if calls else ():
                        yield event
                    raise
                await attempts.again(error)
            else:
                return

    async def preview(self, request: ModelRequest) -> Json:
        """Return the body that would be sent."""
        return written(request, base_url=str(self._client.base_url))

    def _text_calls(self, request: ModelRequest) -> TextCalls | None:
        """Return what looks for calls in the text; null where there can be none.

        A reply that was asked for in JSON is JSON, whatever it looks like.
        """
        config = request.config
        form = (config.response_format or {}).get("type", "text")
        shaped = request.response_schema is not None or form != "text"
        if not request.tools or request.choice.mode == "none" or shaped:
            return None
        dialect = dialect_of(
            config.provider_type,
            base_url=str(self._client.base_url),
            model=config.model,
            provider_name=config.provider_name,
        )
        return TextCalls(request.tools) if dialect.text_calls else None

    async def _attempt(
        self, body: bytes, request: ModelRequest, deadline: float
    ) -> AsyncGenerator[list[ModelEvent]]:
        """Ask once; yield what each network read says, for a generator's every step costs.

        A body that is not a stream is read as one whole reply, whatever was asked for.
        """
        left_s = max(0.001, deadline - time.monotonic())
        silence_s = min(self._timeouts.silence_s, left_s) if request.stream else left_s
        reply = Reply(origin=self._origin, hides=hides_reasoning(request.config))
        answered = False
        try:
            async with self._client.asking(self._filled(body, silence_s=silence_s)) as response:
                answered = True
                if response.status_code != HTTPStatus.OK:
                    text = await body_of(response)
                    raise refusal(
                        response.status_code, text, headers=response.headers, origin=self._origin
                    )
                if "text/event-stream" in response.headers.get("content-type", ""):
                    async with aclosing(self._streamed(response, reply, deadline)) as batches:
                        async for batch in batches:
                            yield batch
                else:
                    self._check_json(response)
                    yield whole(await body_of(response), reply=reply)
        except httpx.RequestError as error:
            raise disconnection(error, begun=answered, origin=self._origin) from error

    def _filled(self, body: bytes, *, silence_s: float) -> httpx.Request:
        timeout = waits(self._timeouts, silence_s=silence_s).as_dict()
        return httpx.Request(
            "POST",
            self._form.url,
            headers=self._form.headers,
            content=body,
            extensions={"timeout": timeout},
        )

    def _check_json(self, response: httpx.Response) -> None:
        if "html" in response.headers.get("content-type", ""):
            raise ModelReplyInvalid(
                f"{self._origin.name} sent an HTML page in place of a reply; check the base URL.",
                provider=self._origin.name,
            )

    async def _streamed(
        self, response: httpx.Response, reply: Reply, deadline: float
    ) -> AsyncGenerator[list[ModelEvent]]:
        lines = EventLines()
        async with aclosing(blocks_of(response)) as blocks:
            try:
                async for block in blocks:
                    batch: list[ModelEvent] = []
                    fault = reply.accept_all(lines.feed(block), into=batch)
                    yield batch
                    if fault is not None:
                        raise fault
                    if lines.ended:
                        break
                    if time.monotonic() > deadline:
                        raise ModelTimedOut(f"{self._origin.name} took too long to answer.")
            except httpx.TransportError:
                # A reply that the provider finished is whole, whatever becomes of its connection.
                if not reply.is_finished:
                    raise
            if lines.ended:
                await _drain(blocks)
        yield reply.close()


def written(request: ModelRequest, *, base_url: str) -> Json:
    """Return the body of a request, read back from what would go over the wire."""
    body: Json = orjson.loads(orjson.dumps(chat_body(request, base_url=base_url)))
    return body


async def _drain(blocks: AsyncGenerator[bytes]) -> None:
    """Read a body to its end: only then can its connection be used again.

    The reply is whole by now, so a provider that keeps it open costs the
    connection and nothing else.
    """
    with suppress(TimeoutError, httpx.TransportError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in blocks:
                continue
