"""Clients that talk to servers which die under them, and remember all that they were told."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import httpx
import orjson

from eunoe.domain.messages import Json
from eunoe.domain.runs import ACTIVE
from tests.crash.servers import Servers

Entry = Literal["blocking", "steps", "tokens", "background", "async", "conversation", "openai"]
ENTRIES: Final[tuple[Entry, ...]] = get_args(Entry)
RECOVERY_S: Final = 60
DONE: Final = b"data: [DONE]"
_REQUEST_S: Final = 30
_CUT: Final = b'"stream_incomplete"'
_UNAVAILABLE: Final = 503


@dataclass(kw_only=True)
class Turn:
    """One message, or answer to a request for approval, and what came of it.

    `list_id` is the conversation's, where it is said in one; `lines` are what its calls count.
    What is sent again is known by its otid where it has one, else by the SDK's header.
    """

    label: str
    agent_id: str
    entry: Entry
    item: Json
    list_id: str
    lines: tuple[str, ...] = ()
    callback_url: str | None = None
    tries: int = 0
    readings: int = 0
    run_id: str | None = None
    frames: list[bytes] = field(default_factory=list[bytes])
    answer: Json = field(default_factory=dict[str, object])

    @property
    def text(self) -> str | None:
        """What is said, null for an answer to a request."""
        return self.item.get("content")

    @property
    def seen(self) -> int:
        """The place of the last event that the client can name."""
        return max((place_of(frame) or 0 for frame in self.frames), default=0)

    def resume(self) -> None:
        """Forget what came after the last event with a place: it will come again."""
        while self.frames and (_CUT in self.frames[-1] or place_of(self.frames[-1]) is None):
            self.frames.pop()


def place_of(frame: bytes) -> int | None:
    _, _, body = frame.partition(b"data: ")
    if body == b"[DONE]":
        return None
    place: int | None = orjson.loads(body).get("seq_id")
    return place


class Clients:
    """Who sends turns, and sees each of them to its end over as many servers as it takes."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self._lost = asyncio.Event()
        # No connection is used twice: a kept one may belong to a server that is dead.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.AsyncClient(
            base_url=servers.url, timeout=_REQUEST_S, limits=limits, trust_env=False
        )

    def lose(self) -> None:
        """Break every connection off, as the network does where a machine hangs."""
        lost, self._lost = self._lost, asyncio.Event()
        lost.set()

    async def made(self, path: str, body: Json) -> Json:
        reply = await self.http.post(path, json=body)
        assert reply.status_code in {200, 201}, reply.text
        made: Json = reply.json()
        return made

    async def see_to_the_end(self, turn: Turn) -> None:
        """Send the turn and follow it until a living server has answered it to its end (G-1)."""
        asked_at = time.monotonic()
        for turn.tries in itertools.count():
            over = time.monotonic() - max(asked_at, self.servers.started_at)
            assert over < RECOVERY_S, f"{turn.label} {turn.run_id} did not end in {over:.0f} s"
            try:
                if await self._unless_lost(self._try(turn)):
                    return
            except httpx.TransportError:
                # The next server has the same address: until it listens, a request waits for it.
                continue

    async def _unless_lost(self, trying: Awaitable[bool]) -> bool:
        """Return what comes of a try, false where the connection is lost meanwhile."""
        work = asyncio.ensure_future(trying)
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({work, lost}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else False
        finally:
            lost.cancel()
            work.cancel()
            await asyncio.wait({work, lost})

    async def _try(self, turn: Turn) -> bool:
        """Send the turn, or read on; whether that was all of it."""
        path, body = f"/v1/agents/{turn.agent_id}/messages", self._body(turn)
        match turn.entry:
            case "openai":
                return await self._complete(turn)
            case "blocking":
                reply = await self.http.post(path, json=body, headers=self._again(turn))
                if self._accepted(turn, reply):
                    turn.answer = reply.json()
                return bool(turn.answer)
            case _ if turn.run_id is not None:
                rest = {"starting_after": turn.seen}
                return await self._read(turn, f"/v1/runs/{turn.run_id}/stream", rest)
            case "async":
                reply = await self.http.post(f"{path}/async", json=body, headers=self._again(turn))
                if self._accepted(turn, reply):
                    turn.run_id = reply.json()["id"]
                return False
            case "conversation":
                return await self._read(turn, f"/v1/conversations/{turn.list_id}/messages", body)
            case "steps" | "tokens" | "background":
                return await self._read(turn, f"{path}/stream", body)

    def _body(self, turn: Turn) -> Json:
        body: Json = {"messages": [turn.item]}
        if turn.callback_url is not None:
            body["callback_url"] = turn.callback_url
        if turn.entry in {"steps", "tokens", "background"}:
            body["stream_tokens"] = turn.entry != "steps"
            body["background"] = turn.entry == "background"
        return body

    def _again(self, turn: Turn) -> dict[str, str]:
        known = "otid" in turn.item and turn.entry != "openai"
        return {} if known else {"x-stainless-retry-count": str(turn.tries)}

    def _accepted(self, turn: Turn, reply: httpx.Response) -> bool:
        """Whether the request was taken in; a server may say that it cannot just now, and why."""
        if reply.status_code == _UNAVAILABLE:
            assert {"detail", "error"} & reply.json().keys(), f"{turn.label}: {reply.text}"
            return False
        assert reply.status_code == 200, f"{turn.label}: {reply.status_code} {reply.text}"
        known = turn.run_id
        turn.run_id = reply.headers.get("x-letta-run-id", known)
        assert known in {None, turn.run_id}, f"{turn.label}: {known} has become {turn.run_id}"
        return True

    async def _read(self, turn: Turn, path: str, body: Json) -> bool:
        """Read a stream; what came is kept whatever happens. Whether it was to the run's end."""
        turn.readings += 1
        turn.resume()
        async with self.http.stream("POST", path, json=body, headers=self._again(turn)) as reply:
            if reply.status_code != 200:
                await reply.aread()
            if not self._accepted(turn, reply):
                return False
            async for frame in _frames(reply):
                turn.frames.append(frame)
        assert turn.frames[-1] == DONE, f"{turn.label}: a stream without its end"
        if len(turn.frames) > 1 and _CUT in turn.frames[-2]:
            return False
        with suppress(httpx.TransportError):  # A server that is told to stop may be gone by now.
            run = await self.http.get(f"/v1/runs/{turn.run_id}")
            assert run.status_code == _UNAVAILABLE or run.json()["status"] not in ACTIVE, turn.label
        return True

    async def _complete(self, turn: Turn) -> bool:
        """Ask as OpenAI's clients do, who cannot read on and have it all told again."""
        turn.frames.clear()
        body = {
            "model": turn.agent_id,
            "messages": [{"role": "user", "content": turn.text}],
            "stream": True,
        }
        headers = self._again(turn)
        async with self.http.stream(
            "POST", "/v1/chat/completions", json=body, headers=headers
        ) as reply:
            if reply.status_code != 200:
                await reply.aread()
            if not self._accepted(turn, reply):
                return False
            async for frame in _frames(reply):
                turn.frames.append(frame)
        assert turn.frames[-1] == DONE, f"{turn.label}: a stream without its end"
        return not any(b'"error"' in frame for frame in turn.frames)

    async def record_of(self, run_id: str) -> list[bytes]:
        """Return all that is on record of a run, as a client that comes late gets it."""
        async with self.http.stream("POST", f"/v1/runs/{run_id}/stream") as reply:
            return [frame async for frame in _frames(reply)]


async def _frames(reply: httpx.Response) -> AsyncGenerator[bytes]:
    buffer = b""
    async for data in reply.aiter_raw():
        *whole, buffer = (buffer + data).split(b"\n\n")
        for frame in whole:
            yield frame
