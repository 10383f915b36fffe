"""A scripted server that speaks OpenAI's wire: chat completions, models, embeddings.

`python -m eunoe.testing.model_server --port 18010`, or in a test
`async with scripted_model_server() as url`. What it answers is said by the last user message
(`script`). `POST /control` sets words, first_token_ms, interval_ms, usage and a fault for the
requests to come; `GET /stats` counts; `GET /requests` gives the last request bodies. A model
with a size in its name, as `scripted-4k`, has that window and refuses a prompt that is longer.
"""

import argparse
import asyncio
import base64
import re
import struct
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

import orjson

from eunoe.testing import chat_wire
from eunoe.testing.chat_wire import Sent
from eunoe.testing.http_server import (
    STREAM_END,
    STREAM_HEAD,
    Answer,
    Answerer,
    ConnectionCut,
    Request,
    chunk,
    json_response,
    response,
    serving,
)
from eunoe.testing.script import Json, Plan, with_fault
from eunoe.testing.vectors import vector

MODELS: Final = (
    "scripted-1", "scripted-4k", "gpt-4o-mini", "gpt-4.1", "text-embedding-3-small",
)  # fmt: skip
_SIZED: Final = re.compile(r"-(\d+)k$")
_KEPT_REQUESTS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the server answers, beside what the user says. `dimensions` are those of embeddings."""

    models: tuple[str, ...] = MODELS
    context_window: int = 128_000
    words: int = 12
    first_token_s: float = 0.0
    interval_s: float = 0.0
    usage: bool = True
    dimensions: int = 1536
    api_key: str | None = None


@dataclass(slots=True, kw_only=True)
class _Fault:
    """`how` is drop, eof, hang or fail; `skip` requests pass, then at most `count` are hit."""

    how: str = "drop"
    after: int = 0
    match: str = ""
    skip: int = 0
    count: int | None = None
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def hits(self, body: bytes) -> bool:
        if self.match.encode() not in body:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.count is not None:
            self.count -= 1
            return self.count >= 0
        return True


class ModelServer:
    """The state of one running server: its options, the fault that is set, and its counters."""

    def __init__(self, options: ServerOptions | None = None) -> None:
        self.options = options or ServerOptions()
        self.stats: Counter[str] = Counter()
        self.requests: deque[bytes] = deque(maxlen=_KEPT_REQUESTS)
        self._seen: set[str] = set()
        self._fault: _Fault | None = None
        self._held = asyncio.Event()
        self._routes: dict[tuple[str, str], Answerer] = {
            ("POST", "/chat/completions"): self._chat,
            ("POST", "/embeddings"): self._embeddings,
            ("GET", "/models"): self._models,
            ("GET", "/stats"): self._stats,
            ("GET", "/requests"): self._requests,
            ("POST", "/control"): self._control,
            ("GET", "/health"): self._health,
        }

    def answer(self, request: Request) -> Answer:
        self.stats[request.path] += 1
        key = self.options.api_key
        if (
            key is not None
            and request.path.startswith("/v1/")
            and request.headers.get("authorization") != f"Bearer {key}"
        ):
            body = chat_wire.refusal(401, "Incorrect API key provided", code="invalid_api_key")
            return response(401, body)
        route = self._routes.get((request.method, request.path.removeprefix("/v1")))
        if route is None:
            return response(404, chat_wire.refusal(404, f"no route {request.path}"))
        return route(request)

    def _health(self, _: Request) -> bytes:
        return json_response({"status": "ok"})

    def _stats(self, _: Request) -> bytes:
        return json_response(dict(self.stats))

    def _requests(self, _: Request) -> bytes:
        return json_response([orjson.loads(body) for body in self.requests])

    def _models(self, _: Request) -> bytes:
        data = [
            {
                "id": name,
                "object": "model",
                "owned_by": "eunoe",
                "max_model_len": _window(name) or self.options.context_window,
            }
            for name in self.options.models
        ]
        return json_response({"object": "list", "data": data})

    def _control(self, request: Request) -> bytes:
        wanted = cast("Json", orjson.loads(request.body))
        if wanted.get("release"):
            self._held.set()
            self._held = asyncio.Event()
        if "fault" in wanted:
            fault: Json | None = wanted["fault"]
            self._fault = _Fault(**fault) if fault else None
        seconds = {"first_token_ms": "first_token_s", "interval_ms": "interval_s"}
        changes: Json = {seconds[k]: wanted[k] / 1000 for k in seconds if k in wanted}
        changes |= {k: wanted[k] for k in ("words", "usage", "dimensions") if k in wanted}
        self.options = replace(self.options, **changes)
        return json_response({"words": self.options.words, "usage": self.options.usage})

    def _chat(self, request: Request) -> Answer:
        self.requests.append(request.body)
        wanted = cast("Json", orjson.loads(request.body))
        plan = chat_wire.planned(wanted, words=self.options.words)
        fault = self._fault
        if fault is not None and fault.hits(request.body):
            self.stats["faults"] += 1
            if fault.how == "fail":
                body = chat_wire.refusal(fault.status, f"scripted failure {fault.status}")
                return response(fault.status, body, headers=fault.headers)
            plan = with_fault(plan, fault=cast("Any", fault.how), after=fault.after)
        overflow = chat_wire.overflow(
            request_bytes=len(request.body), window=_window(wanted["model"])
        )
        if overflow is not None:
            self.stats["overflows"] += 1
            return response(400, overflow)
        if plan.fail_status is not None:
            body = chat_wire.refusal(plan.fail_status, f"scripted failure {plan.fail_status}")
            return response(plan.fail_status, body)
        self.stats["replies"] += 1
        sent = self._sent(wanted, size=len(request.body))
        if wanted.get("stream"):
            return self._streamed(plan, wanted, sent=sent)
        return self._whole(plan, wanted, sent=sent)

    def _sent(self, wanted: Json, *, size: int) -> Sent:
        """Return what counts as read from a cache: a system text that came before."""
        opening: list[Json] = wanted.get("messages") or [{}]
        text = str(opening[0].get("content") or "")
        known = text in self._seen
        self._seen.add(text)
        return Sent(size=size, cached=len(text) if known else 0)

    def _whole(self, plan: Plan, wanted: Json, *, sent: Sent) -> Answer:
        model, number = wanted["model"], self.stats["replies"]
        told = chat_wire.tokens(plan, wanted)
        reply = chat_wire.body(plan, model=model, number=number, sent=sent, told=told)
        answer = response(200, reply)
        # It takes as long as the same reply takes in chunks.
        chunks = len(chat_wire.content_chunks(plan, model=model, number=number))
        wait_s = self.options.first_token_s + chunks * self._interval_s(plan)
        if plan.fault is None and not wait_s:
            return answer
        return self._late(answer, fault=plan.fault, wait_s=wait_s)

    def _interval_s(self, plan: Plan) -> float:
        return plan.interval_s or self.options.interval_s

    async def _late(
        self, answer: bytes, *, fault: str | None, wait_s: float
    ) -> AsyncIterator[bytes]:
        try:
            await asyncio.sleep(wait_s)
        except asyncio.CancelledError:
            self.stats["aborted"] += 1
            raise
        if fault == "hang":
            await self._held.wait()
        if fault is None:
            yield answer
            return
        yield answer[: -len(answer) // 3]
        raise ConnectionCut

    def _streamed(self, plan: Plan, wanted: Json, *, sent: Sent) -> Answer:
        model, number = wanted["model"], self.stats["replies"]
        asked: Json = wanted.get("stream_options") or {}
        chunks = chat_wire.content_chunks(plan, model=model, number=number)
        end = chat_wire.closing(
            plan,
            model=model,
            number=number,
            sent=sent,
            with_usage=self.options.usage and bool(asked.get("include_usage")),
        )
        slow = self._interval_s(plan) or self.options.first_token_s
        if plan.fault is None and not slow:
            return STREAM_HEAD + b"".join(map(chunk, chunks)) + chunk(end) + STREAM_END
        return self._slowly(chunks, end, plan=plan)

    async def _slowly(self, chunks: list[bytes], end: bytes, *, plan: Plan) -> AsyncIterator[bytes]:
        interval_s = self._interval_s(plan)
        try:
            await asyncio.sleep(self.options.first_token_s)
            yield STREAM_HEAD
            for number, data in enumerate(chunks):
                if plan.fault is not None and number >= plan.fault_after:
                    break
                await asyncio.sleep(interval_s)
                yield chunk(data)
            if plan.fault == "hang":
                await self._held.wait()
            if plan.fault in {"drop", "hang"}:
                raise ConnectionCut
            yield (b"" if plan.fault == "eof" else chunk(end)) + STREAM_END
        except asyncio.CancelledError:
            self.stats["aborted"] += 1
            raise

    def _embeddings(self, request: Request) -> bytes:
        wanted = cast("Json", orjson.loads(request.body))
        given = wanted["input"]
        texts: list[str] = [given] if isinstance(given, str) else given
        if any(not text for text in texts):
            return response(400, chat_wire.refusal(400, "input must not be empty"))
        self.stats["embedded_texts"] += len(texts)
        dimensions = int(wanted.get("dimensions") or self.options.dimensions)
        packed = wanted.get("encoding_format") == "base64"
        vectors = (vector(text, dimensions=dimensions) for text in texts)
        data = [
            {"object": "embedding", "index": index, "embedding": _packed(v) if packed else v}
            for index, v in enumerate(vectors)
        ]
        tokens = sum(1 + len(text) // 4 for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return json_response(
            {"object": "list", "data": data, "model": wanted.get("model"), "usage": usage}
        )


def _window(model: str) -> int | None:
    """Return the window that a model's name tells of, in tokens."""
    sized = _SIZED.search(model)
    return int(sized[1]) * 1_024 if sized else None


def _packed(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


@asynccontextmanager
async def scripted_model_server(
    options: ServerOptions | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncGenerator[str]:
    """Run a server in this event loop and yield its base URL, `/v1` included."""
    async with serving(ModelServer(options).answer, host=host, port=port) as url:
        yield f"{url}/v1"


async def _serve(arguments: argparse.Namespace) -> None:
    options = ServerOptions(
        models=tuple(arguments.models.split(",")),
        context_window=arguments.context_window,
        words=arguments.words,
        first_token_s=arguments.first_token_ms / 1000,
        interval_s=arguments.interval_ms / 1000,
        dimensions=arguments.dimensions,
        api_key=arguments.api_key,
    )
    async with scripted_model_server(options, host=arguments.host, port=arguments.port) as url:
        print(url, flush=True)  # noqa: T201 - the one line that tells a caller where it listens
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible model server.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=18010, help="0 takes a free port")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--context-window", type=int, default=128_000, help="in tokens")
    parser.add_argument("--words", type=int, default=12, help="of an answer, one chunk each")
    parser.add_argument("--first-token-ms", type=float, default=0.0)
    parser.add_argument("--interval-ms", type=float, default=0.0, help="between chunks")
    parser.add_argument("--dimensions", type=int, default=1536, help="of embeddings")
    parser.add_argument("--api-key", default=None, help="refuse requests without this key")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
