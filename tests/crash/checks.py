"""What must be true after the servers died: of the streams, the windows, the calls and the rows."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from eunoe.domain.messages import Message, text_of
from eunoe.store import lists
from eunoe.store.database import opened
from eunoe.store.db import Actor
from tests.crash.invariants import faults
from tests.crash.load import DONE, Load, Turn, frames_of

T = TypeVar("T")

_AT_ONCE: Final = 16


def batched(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[place : place + _AT_ONCE] for place in range(0, len(items), _AT_ONCE))


async def check(load: Load, database_url: str) -> str:
    """Hold everything that clients were told against what is stored; return what was found.

    Ends the server: the rows are looked at when nobody changes them.
    """
    for turns in batched(load.turns):
        await asyncio.gather(*(check_stream(load, turn) for turn in turns))
    for agents in batched(load.agents):
        await asyncio.gather(*(check_agent_goes_on(load, agent_id) for agent_id in agents))
    await load.client.aclose()
    await load.servers.signal(signal.SIGTERM)
    async with opened(database_url) as db:
        assert await faults(db) == []
        async with db.read(Actor()) as tx:
            windows = {one: (await lists.window(tx, one))[0] for one in load.agents}
    check_inputs(load.turns, windows)
    counted = load.servers.counted.read_text().splitlines() if load.servers.counted.exists() else []
    unknown = check_calls(load.turns, windows, counted)
    return f"{len(counted)} calls ran, {unknown} have an unknown outcome"


async def check_stream(load: Load, turn: Turn) -> None:
    """What the client pieced together is what is on record, byte for byte (G-4, G-8)."""
    if turn.run_id is None:
        return
    run = (await load.client.get(f"/v1/runs/{turn.run_id}")).json()
    if run["status"] != "completed":
        # The one proper reason to fail: it lost owner after owner and got nowhere (G-1).
        assert run["metadata"]["error"]["error_type"] == "server_restart", run
    if not turn.frames:
        return
    assert sum(b'"message_type":"stop_reason"' in frame for frame in turn.frames) == 1
    assert turn.frames.count(DONE) == 1
    assert turn.frames == await frames_of(load, turn.run_id)


async def check_agent_goes_on(load: Load, agent_id: str) -> None:
    """The next ordinary message is answered (G-14)."""
    reply = await load.client.post(
        f"/v1/agents/{agent_id}/messages", json={"input": "SAY all is well"}
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["stop_reason"]["stop_reason"] == "end_turn"


def check_inputs(turns: list[Turn], windows: dict[str, list[Message]]) -> None:
    """Every message that was acknowledged is in the window, once and in order (G-3)."""
    for agent_id, window in windows.items():
        # What the server says to an agent in a user's place belongs to a step.
        said = [one for one in window if one.role == "user" and one.step_id is None]
        stored = [text_of(message) for message in said][:-1]
        assert len(set(stored)) == len(stored)
        own = [turn for turn in turns if turn.agent_id == agent_id]
        assert {turn.text for turn in own if turn.told} <= set(stored)
        assert [turn.text for turn in own if turn.text in stored] == stored


def check_calls(turns: list[Turn], windows: dict[str, list[Message]], counted: list[str]) -> int:
    """Every call ran once at most, and is said to have run only if it did (G-17).

    Returns how many have an unknown outcome.
    """
    assert [line for line, times in Counter(counted).items() if times > 1] == []
    assert set(counted) <= {line for turn in turns for line in turn.lines}
    unknown = 0
    for window in windows.values():
        calls = {call.id: call for message in window for call in message.calls}
        for returned in (one for message in window for one in message.returns):
            if returned.name != "append_counter":
                continue
            ran = any(f'"{line}"' in calls[returned.call_id].arguments for line in counted)
            assert ran or not returned.ok
            unknown += not returned.ok
    return unknown
