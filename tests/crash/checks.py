"""What must be true after the servers failed: of the streams, the windows, the calls and the rows."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from eunoe.domain.messages import Json, Message, text_of
from eunoe.store import lists
from eunoe.store.database import opened
from eunoe.store.db import Actor
from tests.crash.invariants import faults
from tests.crash.load import DONE, RECOVERY_S, Clients, Turn
from tests.http.calling import Receiver

_ON: Final = "SAY all is well"


async def check_turns(clients: Clients, turns: Iterable[Turn]) -> None:
    """Hold what clients were told against what is on record; and every agent goes on."""
    await asyncio.gather(*(_check_turn(clients, turn) for turn in turns))


async def _check_turn(clients: Clients, turn: Turn) -> None:
    """What the client pieced together is what is on record, byte for byte (G-4, G-8, G-10)."""
    run = (await clients.http.get(f"/v1/runs/{turn.run_id}")).json()
    assert (run["status"], run["stop_reason"]) == ("completed", "end_turn"), f"{turn.label} {run}"
    record = await clients.record_of(str(turn.run_id))
    assert _ends_well(record), turn.label
    match turn.entry:
        case "blocking":
            assert turn.answer["stop_reason"]["stop_reason"] == "end_turn", turn.label
        case "openai":
            assert sum(b'"finish_reason":"stop"' in frame for frame in turn.frames) == 1
        case _:
            assert turn.frames == record, turn.label
    await _follow(clients, _bodies(record))
    await _check_goes_on(clients, turn)


def _ends_well(frames: Sequence[bytes]) -> bool:
    reasons = sum(b'"message_type":"stop_reason"' in frame for frame in frames)
    return reasons == 1 and frames.count(DONE) == 1 and frames[-1] == DONE


def _bodies(frames: Sequence[bytes]) -> list[Json]:
    return [orjson.loads(frame.partition(b"data: ")[2]) for frame in frames[:-1]]


async def _follow(clients: Clients, said: Sequence[Json]) -> None:
    """See what follows a run to its end (G-9)."""
    for used in (one for one in said if one["message_type"] == "usage_statistics"):
        for run_id in used["run_ids"] or ():
            run: Json = {"status": None}
            async with asyncio.timeout(RECOVERY_S):
                while run["status"] != "completed":
                    run = (await clients.http.get(f"/v1/runs/{run_id}")).json()
                    assert run.get("status", "created") in {"created", "running", "completed"}
                    run.setdefault("status", None)


async def _check_goes_on(clients: Clients, turn: Turn) -> None:
    """The next ordinary message is answered (G-14)."""
    kind = "agents" if turn.list_id == turn.agent_id else "conversations"
    body = {"input": _ON, "streaming": False}
    reply = await clients.http.post(f"/v1/{kind}/{turn.list_id}/messages", json=body)
    assert reply.status_code == 200, f"{turn.label}: {reply.text}"
    assert reply.json()["stop_reason"]["stop_reason"] == "end_turn", turn.label


async def check_callbacks(receiver: Receiver, turns: Iterable[Turn]) -> None:
    """Whoever asked for it has been told of the end, at least once (G-20)."""
    due = {str(turn.run_id) for turn in turns if turn.callback_url is not None}
    async with asyncio.timeout(RECOVERY_S):
        while not all(any(one.encode() in told.body for told in receiver.told) for one in due):
            receiver.called.clear()
            await receiver.called.wait()


async def check_rows(database_url: str, turns: Sequence[Turn], counted: Sequence[str]) -> str:
    """Look at the rows, which nobody changes any more; return what was found."""
    async with opened(database_url) as db:
        assert await faults(db) == []
        async with db.read(Actor()) as tx:
            windows = {one.list_id: await lists.window(tx, one.list_id) for one in turns}
    assert [line for line, times in Counter(counted).items() if times > 1] == []
    assert set(counted) <= {line for turn in turns for line in turn.lines}
    unknown = 0
    for turn in turns:
        _check_input(turn, windows[turn.list_id])
        unknown += _check_calls(turn, windows[turn.list_id], counted)
    return f"{len(counted)} calls ran, {unknown} have an unknown outcome"


def _check_input(turn: Turn, window: Sequence[Message]) -> None:
    """What was said is in the window, once and in order (G-3)."""
    # What the server says to an agent in a user's place belongs to a step.
    said = [text_of(m) for m in window if m.role == "user" and m.step_id is None]
    if turn.text is None:
        assert sum(bool(m.approvals) for m in window) == 1, turn.label
        assert said[1:] == [_ON], turn.label
    elif any(m.role == "summary" for m in window):
        assert said[-1:] == [_ON], turn.label
    else:
        assert said == [turn.text, _ON], turn.label


def _check_calls(turn: Turn, window: Sequence[Message], counted: Sequence[str]) -> int:
    """Every call that is said to have run has run (G-17); return how many outcomes are unknown."""
    calls = {call.id: call for message in window for call in message.calls}
    unknown = 0
    for returned in (one for message in window for one in message.returns):
        if returned.name != "append_counter":
            continue
        said = calls[returned.call_id].arguments
        if not any(f'"{line}"' in said for line in turn.lines):
            assert not returned.ok, turn.label  # It was not approved of.
            continue
        assert returned.ok or "unknown" in str(returned.output), turn.label
        assert not returned.ok or any(f'"{line}"' in said for line in counted), turn.label
        unknown += not returned.ok
    return unknown
