"""Clients that talk to a server which dies under them, and remember all that they were told."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import httpx
import orjson

from eunoe.domain.messages import Json
from eunoe.domain.runs import ACTIVE
from tests.crash.servers import Servers

Kind = Literal["blocking", "steps", "tokens", "background", "async", "conversation"]
RECOVERY_S: Final = 60
DONE: Final = b"data: [DONE]"
_REQUEST_S: Final = 30


@dataclass(kw_only=True)
class Turn:
    """One message and what came of it. `told` says that the client saw a success byte."""

    agent_id: str
    number: int
    kind: Kind
    text: str
    lines: tuple[str, ...] = ()
    told: bool = False
    run_id: str | None = None
    frames: list[bytes] = field(default_factory=list[bytes])
    readings: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the client has seen more than the first event."""

    @property
    def seen(self) -> int:
        """The place of the last event that the client can name."""
        return max((place_of(frame) or 0 for frame in self.frames), default=0)

    def resume(self) -> None:
        """Forget what came after the last event with a place: it will come again."""
        while self.frames and place_of(self.frames[-1]) is None:
            self.frames.pop()


def place_of(frame: bytes) -> int | None:
    _, _, body = frame.partition(b"data: ")
    if body == b"[DONE]":
        return None
    place: int | None = orjson.loads(body).get("seq_id")
    return place


class Load:
    """Turns of every kind on many agents, at most `at_once` that have not lost their server."""

    def __init__(self, servers: Servers, *, seed: int, at_once: int = 8) -> None:
        self.turns: list[Turn] = []
        self.servers = servers
        self._random = random.Random(seed)  # noqa: S311 -- what is said is no secret
        self._at_once = asyncio.Semaphore(at_once)
        self._idle: list[str] = []
        self._counts: dict[str, int] = {}
        self._stopping = False
        # No connection is used twice: a kept one may belong to a server that is dead.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.AsyncClient(
            base_url=servers.url, timeout=_REQUEST_S, limits=limits, trust_env=False
        )

    @property
    def agents(self) -> list[str]:
        return list(self._counts)

    async def run(self) -> None:
        """Take turns until `stop`; then see every turn to its end."""
        async with asyncio.TaskGroup() as tasks:
            while not self._stopping:
                await self._at_once.acquire()
                tasks.create_task(self._take())

    def stop(self) -> None:
        self._stopping = True

    async def _take(self) -> None:
        free = _Once(self._at_once)
        try:
            agent_id = self._idle.pop() if self._idle else await self.agent()
            turn = self._turn(agent_id)
            self.turns.append(turn)
            await self.see_to_the_end(turn, lost=free)
            self._idle.append(agent_id)
        except httpx.TransportError:
            await asyncio.sleep(0)
        finally:
            free()

    async def see_to_the_end(self, turn: Turn, *, lost: Callable[[], None] | None = None) -> None:
        """Send the turn and follow it over as many servers as it takes; call `lost` with the first."""
        try:
            await self.send(turn)
        except httpx.TransportError:
            # Recovery takes its time; others go on talking meanwhile.
            if lost is not None:
                lost()
            await self._recover(turn)

    async def agent(self, *, plain: bool = False) -> str:
        """Make an agent: one that answers in text, or one in three that acts by heartbeats."""
        body: Json = {
            "name": "Ada",
            "agent_type": "letta_v1_agent",
            "model": "openai/scripted-1",
            "model_settings": {"provider_type": "openai", "parallel_tool_calls": True},
            "tools": ["append_counter", "memory_insert", "conversation_search"],
            "include_base_tools": False,
            "memory_blocks": [{"label": "human", "value": "Bob"}],
        }
        if self._random.randrange(3) == 0 and not plain:
            tools = [*body["tools"], "send_message"]
            body |= {"agent_type": "memgpt_agent", "tools": tools, "initial_message_sequence": []}
        reply = await self.client.post("/v1/agents/", json=body)
        assert reply.status_code == 200, reply.text
        agent_id: str = reply.json()["id"]
        self._counts[agent_id] = 0
        return agent_id

    def _turn(self, agent_id: str) -> Turn:
        number = self._counts[agent_id] = self._counts[agent_id] + 1
        name = f"{agent_id}:{number}"
        kind = self._random.choice(get_args(Kind))
        words = " ".join(f"w{place}" for place in range(self._random.randint(2, 40)))
        lines: tuple[str, ...] = ()
        match self._random.randrange(4):
            case 0:
                said = f"SAY {words}"
            case 1:
                lines = (name,)
                said = f"CALL append_counter {_json({'line': name})}"
            case 2:
                lines = tuple(f"{name}.{place}" for place in range(3))
                calls = [{"name": "append_counter", "arguments": {"line": one}} for one in lines]
                insert = {"label": "human", "new_str": name}
                said = f"CALLS {_json([*calls, {'name': 'memory_insert', 'arguments': insert}])}"
            case _:
                said = "STEPS 3"
        text = f"{name} {said}"
        return Turn(agent_id=agent_id, number=number, kind=kind, text=text, lines=lines)

    async def send(self, turn: Turn) -> None:
        body: Json = {"messages": [{"role": "user", "content": turn.text}]}
        path = f"/v1/agents/{turn.agent_id}/messages"
        match turn.kind:
            case "blocking":
                reply = await self.client.post(path, json=body)
                self._accepted(turn, reply)
            case "async":
                reply = await self.client.post(f"{path}/async", json=body)
                self._accepted(turn, reply)
                turn.run_id = reply.json()["id"]
                await self._rest(turn)
            case "conversation":
                # The agent's own list by its other address, where streaming is the default.
                body["agent_id"] = turn.agent_id
                await self._read(turn, "/v1/conversations/default/messages", body)
            case "steps" | "tokens" | "background":
                body |= {
                    "stream_tokens": turn.kind != "steps",
                    "background": turn.kind == "background",
                }
                await self._read(turn, f"{path}/stream", body)

    def _accepted(self, turn: Turn, reply: httpx.Response) -> None:
        assert reply.status_code == 200, f"{turn.text}: {reply.status_code} {reply.text}"
        turn.told = True
        turn.run_id = reply.headers.get("x-letta-run-id")

    async def _read(self, turn: Turn, path: str, body: Json) -> None:
        """Read a stream to its end; what came is kept whatever happens."""
        turn.readings += 1
        turn.resume()
        async with self.client.stream("POST", path, json=body) as reply:
            if reply.status_code != 200:
                await reply.aread()
            self._accepted(turn, reply)
            async for frame in _frames(reply):
                turn.frames.append(frame)
                if turn.seen > 1:
                    turn.begun.set()
        assert turn.frames[-1] == DONE, f"{turn.run_id}: a stream without its end"
        run = await self.client.get(f"/v1/runs/{turn.run_id}")
        assert run.json()["status"] not in ACTIVE, f"{turn.run_id}: its stream ended before it"

    async def _rest(self, turn: Turn) -> None:
        await self._read(turn, f"/v1/runs/{turn.run_id}/stream", {"starting_after": turn.seen})

    async def _recover(self, turn: Turn) -> None:
        """See the turn to its end on whichever server lives; fail where that takes too long (G-1)."""
        asked_at = time.monotonic()
        while True:
            since = max(asked_at, self.servers.started_at)
            over = time.monotonic() - since
            assert over < RECOVERY_S, f"{turn.run_id or turn.agent_id} did not end in {over:.0f} s"
            try:
                if turn.run_id is None:
                    await self._until_free(turn)
                else:
                    async with asyncio.timeout(RECOVERY_S):
                        await self._rest(turn)
            except httpx.TransportError:
                # The next server has the same address: until it listens, a request waits for it.
                continue
            return

    async def _until_free(self, turn: Turn) -> None:
        """Wait until no run holds the agent: the client does not know whether its message got in."""
        while True:
            reply = await self.client.get(
                "/v1/runs/", params={"agent_id": turn.agent_id, "active": True}
            )
            if not (active := reply.json()):
                return
            # Nobody told the client of this run, but it can be followed like any other.
            body = {"starting_after": 0}
            async with self.client.stream(
                "POST", f"/v1/runs/{active[0]['id']}/stream", json=body
            ) as followed:
                async for _ in _frames(followed):
                    pass


class _Once:
    """Gives a place back, however often it is asked to."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places: asyncio.Semaphore | None = places

    def __call__(self) -> None:
        if self._places is not None:
            self._places.release()
            self._places = None


async def _frames(reply: httpx.Response) -> AsyncGenerator[bytes]:
    buffer = b""
    async for data in reply.aiter_raw():
        *whole, buffer = (buffer + data).split(b"\n\n")
        for frame in whole:
            yield frame


async def frames_of(load: Load, run_id: str) -> list[bytes]:
    """Return all that is on record of a run, as a client that comes late gets it."""
    async with load.client.stream("POST", f"/v1/runs/{run_id}/stream") as reply:
        return [frame async for frame in _frames(reply)]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
