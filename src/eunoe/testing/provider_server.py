"""What the scripted servers of the vendors' own wires have in common.

Each follows the script language of `script`. A prompt whose stable part was seen before counts as
read from the cache, so that a test can tell whether a request began like the last one.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

import orjson

from eunoe.testing.chat_wire import text_of
from eunoe.testing.http_server import (
    STREAM_END,
    STREAM_HEAD,
    Answer,
    ConnectionCut,
    Request,
    chunk,
    json_response,
    response,
)
from eunoe.testing.script import Json, Plan, unpacked

_KEPT_REQUESTS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what is to be answered; tokens are a quarter of the bytes.

    `fresh_tokens` is what no cache holds, `stable_tokens` the part that one could, and `known`
    whether it did. `number` counts the replies.
    """

    wanted: Json
    plan: Plan
    number: int
    fresh_tokens: int
    stable_tokens: int
    known: bool

    @property
    def said_tokens(self) -> int:
        plan = self.plan
        return len(f"{plan.thinking} {plan.text}".split()) + 4 * len(plan.calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How one vendor writes.

    `streams` is null for a request that is none for a reply, `stable` the part of a request that
    stays the same from turn to turn, `refusal` the body of an error.
    """

    streams: Callable[[Request, Json], bool | None]
    planned: Callable[[Json], Plan]
    stable: Callable[[Json], object]
    content: Callable[[Exchange], list[bytes]]
    closing: Callable[[Exchange], bytes]
    whole: Callable[[Exchange], Json]
    refusal: Callable[[int, str], Json]
    models: Callable[[Sequence[str]], Json]


class ProviderServer:
    """The state of one running server. `failures` are answered first, one a request."""

    def __init__(self, wire: Wire, *, models: Sequence[str]) -> None:
        self.models = tuple(models)
        self.stats: Counter[str] = Counter()
        self.requests: deque[Json] = deque(maxlen=_KEPT_REQUESTS)
        self.bodies: deque[bytes] = deque(maxlen=_KEPT_REQUESTS)
        self.headers: deque[dict[str, str]] = deque(maxlen=_KEPT_REQUESTS)
        self.failures: deque[tuple[int, dict[str, str]]] = deque()
        self._wire = wire
        self._seen: set[bytes] = set()

    def answer(self, request: Request) -> Answer:
        self.stats[request.path] += 1
        if request.method == "GET" and request.path.endswith("/models"):
            return json_response(self._wire.models(self.models))
        wanted = cast("Json", orjson.loads(request.body or b"{}"))
        streams = self._wire.streams(request, wanted)
        if streams is None:
            return self._refused(404, f"no route {request.path}")
        self.requests.append(wanted)
        self.bodies.append(request.body)
        self.headers.append(request.headers)
        if self.failures:
            status, headers = self.failures.popleft()
            return self._refused(status, f"scripted failure {status}", headers=headers)
        plan = self._wire.planned(wanted)
        if plan.fail_status is not None:
            return self._refused(plan.fail_status, f"scripted failure {plan.fail_status}")
        exchange = self._exchange(request, wanted, plan)
        if streams:
            return _streamed(self._wire, exchange)
        return json_response(self._wire.whole(exchange))

    def _exchange(self, request: Request, wanted: Json, plan: Plan) -> Exchange:
        stable = orjson.dumps(self._wire.stable(wanted))
        known = stable in self._seen
        self._seen.add(stable)
        self.stats["replies"] += 1
        return Exchange(
            wanted=wanted,
            plan=plan,
            number=self.stats["replies"],
            fresh_tokens=max(0, len(request.body) - len(stable)) // 4,
            stable_tokens=len(stable) // 4,
            known=known,
        )

    def _refused(
        self, status: int, message: str, *, headers: dict[str, str] | None = None
    ) -> bytes:
        return response(status, orjson.dumps(self._wire.refusal(status, message)), headers=headers)


async def _streamed(wire: Wire, exchange: Exchange) -> AsyncIterator[bytes]:
    plan = exchange.plan
    yield STREAM_HEAD
    for number, event in enumerate(wire.content(exchange)):
        if plan.fault is not None and number >= plan.fault_after:
            break
        await asyncio.sleep(plan.interval_s)
        yield chunk(event)
    if plan.fault == "hang":
        await asyncio.Event().wait()
    if plan.fault == "drop":
        raise ConnectionCut
    if plan.fault is None:
        yield chunk(wire.closing(exchange))
    yield STREAM_END


def last_said(messages: Sequence[Json], *, content: str) -> tuple[str, int]:
    """Return the last text of the user, and how many messages of tool results came after it.

    `content` is the key under which a message has its parts.
    """
    turns = 0
    for message in reversed(messages):
        if message.get("role") != "user":
            continue
        text = text_of(message[content])
        if text:
            return unpacked(text), turns
        turns += 1
    return "", turns
