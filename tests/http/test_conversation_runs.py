"""Running in conversations: streams, locks, cancelling, following, searching (streaming 1, 6)."""

from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from letta_client import ConflictError, NotFoundError

from eunoe.domain.messages import Json
from eunoe.domain.recall import MessageQuery
from eunoe.ids import new
from eunoe.store import search
from tests.http.conversing import Talks, kinds, spoken
from tests.http.reading import Client
from tests.http.reading import kinds as frame_kinds
from tests.http.test_conversations import talks
from tests.runs.conftest import ACTOR

__all__ = ["talks"]

pytestmark = pytest.mark.anyio


@pytest.mark.rule("streaming-1.1", "api-8.4", "api-8.6", "L44")
async def test_a_send_streams_unless_told_otherwise(talks: Talks) -> None:
    made = await talks.begin()
    events = await talks.say(made.id, "SAY hi")
    assert kinds(events) == ["ping", "assistant_message", "stop_reason", "usage_statistics"]
    assert spoken(events) == ["hi"]
    whole: Any = {"input": "SAY hello", "streaming": False}
    answer = await talks.ask("POST", f"{made.id}/messages", json=whole)
    assert answer.headers["content-type"] == "application/json"
    assert [one["content"] for one in answer.json()["messages"]] == ["hello"]
    runs = [run async for run in talks.letta.runs.list(conversation_id=made.id)]
    assert [run.status for run in runs] == ["completed"] * 2
    assert {run.conversation_id for run in runs} == {made.id}
    assert all((run.metadata or {})["run_type"] == "send_conversation_message" for run in runs)
    own = await talks.say(talks.agent.id, "SAY hi")
    run = await talks.letta.runs.retrieve(own[0].run_id)
    assert (run.conversation_id, (run.metadata or {})["run_type"]) == (None, "send_message")
    stored = await talks.letta.agents.messages.list(talks.agent.id, conversation_id=made.id)
    assert {m.run_id for m in stored.items} - {None} == {run.id for run in runs}


@pytest.mark.rule("streaming-1.3", "G-26")
async def test_the_fields_of_a_send_count_here_too(talks: Talks) -> None:
    made = await talks.begin()
    events = await talks.say(
        made.id,
        "CALL look {}",
        stream_tokens=True,
        include_pings=False,
        include_return_message_types=["tool_return_message"],
        override_system="You are somebody else.",
    )
    assert kinds(events) == ["tool_return_message", "stop_reason", "usage_statistics"]
    assert talks.prompt() == "You are somebody else."
    events = await talks.say(made.id, "STEPS 5", max_steps=2)
    assert events[-2].stop_reason == "max_steps"
    steps = await talks.letta.runs.steps.list(events[0].run_id)
    assert [step.stop_reason for step in steps.items] == ["max_steps", None]
    blocking = {"input": "SAY x", "streaming": False, "stream_tokens": True, "background": True}
    answer = await talks.ask("POST", f"{made.id}/messages", json=blocking)
    assert answer.status_code == 200
    wrong: list[Json] = [{"max_steps": 0}, {"return_logprobs": True}, {"messages": []}]
    for refused in wrong:
        answer = await talks.ask("POST", f"{made.id}/messages", json={"input": "x", **refused})
        assert answer.status_code == 422


@pytest.mark.rule("G-26", "streaming-2.12", "G-24")
async def test_compaction_shows_in_a_conversations_stream_when_asked_for(talks: Talks) -> None:
    made = await talks.begin(context_window_limit=700)
    other = await talks.begin()
    await talks.say(other.id, "SAY hi")
    untouched = await talks.window(other.id), await talks.window("default")
    seen: set[str] = set()
    for number in range(12):
        text = f"turn {number}: SAY {'word ' * 60}"
        # The client's own union of a stream's events knows of no `event_message`.
        body = {"input": text, "include_compaction_messages": True}
        seen.update(
            frame_kinds((await talks.ask("POST", f"{made.id}/messages", json=body)).content)
        )
    assert {"event_message", "summary_message"} <= seen
    assert (await talks.window(other.id), await talks.window("default")) == untouched
    listed = talks.letta.conversations.messages.list(made.id, order="asc", limit=1000)
    said = [m.content async for m in listed if m.message_type == "user_message"]
    assert [text for text in said if str(text).startswith("turn")] == [
        f"turn {number}: SAY {'word ' * 60}" for number in range(12)
    ]


@pytest.mark.rule("L9", "streaming-6.2")
async def test_an_agent_that_clears_its_buffer_does_so_in_each_conversation(talks: Talks) -> None:
    await talks.letta.agents.update(talks.agent.id, extra_body={"message_buffer_autoclear": True})
    made = await talks.begin()
    await talks.say(made.id, "SAY one")
    await talks.say(made.id, "SAY two")
    assert [m["role"] for m in talks.asked()["messages"]] == ["system", "user"]
    assert len(await talks.texts(made.id)) == 4
    assert len(await talks.window(made.id)) == 3


@pytest.mark.rule("G-12", "L3", "FIX-2", "streaming-6.4")
async def test_a_list_is_locked_and_its_neighbours_are_not(talks: Talks) -> None:
    busy, free = await talks.begin(), await talks.begin()
    held: Any = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(talks.say, busy.id, "CALL wait {}")
        await talks.world.tools.entered.wait()
        held = await talks.letta.conversations.retrieve(busy.id)
        for streaming in (True, False):
            body = {"input": "SAY no", "streaming": streaming}
            answer = await talks.ask("POST", f"{busy.id}/messages", json=body)
            assert answer.status_code == 409
            assert answer.headers["x-should-retry"] == "false"
            assert answer.json()["run_id"].startswith("run-")
        for path in (f"{busy.id}/compact", f"{busy.id}/recompile"):
            assert (await talks.ask("POST", path)).status_code == 409
        assert (await talks.ask("DELETE", busy.id)).status_code == 409
        assert await talks.letta.conversations.retrieve(busy.id) == held
        assert spoken(await talks.say(free.id, "SAY yes")) == ["yes"]
        assert spoken(await talks.say("default", "SAY yes")) == ["yes"]
        talks.world.tools.gate.set()
    assert held.last_message_at is not None
    assert "SAY no" not in await talks.texts(busy.id)
    assert spoken(await talks.say(busy.id, "SAY again")) == ["again"]


@pytest.mark.rule("G-12", "G-3")
async def test_many_requests_at_once_lose_nothing_that_was_accepted(talks: Talks) -> None:
    made = await talks.begin()
    accepted: list[str] = []

    async def send(number: int) -> None:
        body = {"input": f"SAY {number}", "streaming": False}
        # A loser tries again, so that sends meet runs that are just ending.
        for _ in range(20):
            answer = await talks.ask("POST", f"{made.id}/messages", json=body)
            assert answer.status_code in {200, 409}, answer.text
            if answer.status_code == 200:
                accepted.extend(one["content"] for one in answer.json()["messages"])
                return

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(send, number)
    texts = await talks.texts(made.id)
    assert sorted(texts[1::2]) == sorted(accepted)
    assert [f"SAY {text}" for text in texts[1::2]] == texts[::2]


@pytest.mark.rule("G-12", "streaming-6.3", "api-2.4")
async def test_the_agents_own_list_is_one_whatever_way_it_is_addressed(talks: Talks) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(talks.say, "default", "CALL wait {}")
        await talks.world.tools.entered.wait()
        for address in ("default", talks.agent.id):
            with pytest.raises(ConflictError):
                await talks.say(address, "SAY no")
        with pytest.raises(ConflictError):
            await talks.letta.agents.messages.create(talks.agent.id, input="SAY no")
        talks.world.tools.gate.set()


@pytest.mark.rule("G-5", "streaming-1.10")
async def test_the_same_otids_are_one_run_on_every_entrance_to_a_list(talks: Talks) -> None:
    made = await talks.begin()
    said: Any = [{"role": "user", "content": "SAY hi", "otid": "o-1"}]
    create = talks.letta.conversations.messages.create

    async def run_of(address: str) -> str:
        stream: Any = await create(address, messages=said, agent_id=talks.agent.id)
        events = [event async for event in stream]
        return str(events[0].run_id)

    first = await run_of(made.id)
    assert await run_of(made.id) == first
    own = await run_of("default")
    assert own != first
    direct = await talks.http.post(f"/v1/agents/{talks.agent.id}/messages", json={"messages": said})
    assert direct.headers["x-letta-run-id"] == own
    assert await talks.texts(made.id) == ["SAY hi", "hi"]


@pytest.mark.rule("G-24", "G-11", "streaming-4.7", "api-11.4")
async def test_cancelling_a_conversation_leaves_the_others_alone(talks: Talks) -> None:
    one, two = await talks.begin(), await talks.begin()
    ended: dict[str, str] = {}
    over = anyio.Event()

    async def wait(address: str) -> None:
        events = await talks.say(address, "CALL wait {}")
        ended[address] = next(e.stop_reason for e in events if e.message_type == "stop_reason")
        over.set()

    async with anyio.create_task_group() as tasks:
        for address in (one.id, two.id, "default"):
            talks.world.tools.entered.clear()
            tasks.start_soon(wait, address)
            await talks.world.tools.entered.wait()
        assert len(await talks.letta.conversations.cancel(one.id)) == 1
        with anyio.fail_after(30):
            await over.wait()
        assert set(ended) == {one.id}
        stopped = await talks.letta.conversations.cancel("default", agent_id=talks.agent.id)
        assert set(stopped.values()) == {"cancelled"}
        assert len(stopped) == 2
    assert ended == dict.fromkeys((one.id, two.id, "default"), "cancelled")
    assert spoken(await talks.say(one.id, "SAY on")) == ["on"]


@pytest.mark.rule("streaming-4.6", "G-4", "api-10.10")
async def test_a_conversations_run_is_followed_by_id_by_otid_or_as_the_newest(
    talks: Talks, app: FastAPI
) -> None:
    made, other = await talks.begin(), await talks.begin()
    path = f"{made.id}/messages"
    said = {"role": "user", "content": "SAY hi", "otid": "o-1"}
    live = await talks.ask("POST", path, json={"messages": [said]})
    run_id = live.headers["x-letta-run-id"]
    for chosen in ({"run_id": run_id}, {"otid": "o-1"}):
        again = await talks.ask("POST", f"{made.id}/stream", json=chosen)
        assert again.content == live.content
        agents = {**chosen, "agent_id": talks.agent.id}
        assert (await talks.ask("POST", "default/stream", json=agents)).content == live.content
        elsewhere = await talks.ask("POST", f"{other.id}/stream", json=chosen)
        assert elsewhere.status_code == 404
    rest = await talks.letta.conversations.messages.stream(made.id, run_id=run_id, starting_after=2)
    assert kinds([event async for event in rest]) == ["stop_reason", "usage_statistics"]

    followed: list[httpx.Response] = []
    first = b""

    async def follow(otid: str) -> None:
        chosen = {"otid": otid}
        followed.append(await talks.ask("POST", f"{made.id}/stream", json=chosen))

    async with anyio.create_task_group() as tasks:
        # Asked for before its message has come.
        tasks.start_soon(follow, "o-2")
        await anyio.lowlevel.checkpoint()
        said = {"role": "user", "content": "CALL wait {}", "otid": "o-2"}
        body = {"messages": [said], "background": True}
        tasks.start_soon(partial(talks.ask, "POST", path, json=body))
        await talks.world.tools.entered.wait()
        assert (await talks.ask("POST", f"{other.id}/stream")).status_code == 400
        newest = Client(
            app,
            {"method": "POST", "path": f"/v1/conversations/{made.id}/stream", "query_string": b""}
            | {"type": "http", "http_version": "1.1", "headers": []},
        )
        tasks.start_soon(newest.run)
        first = await newest.read()
        talks.world.tools.gate.set()
    assert followed[0].content.startswith(first)
    assert b"[DONE]" in followed[0].content


@pytest.mark.rule("M30", "api-8.20", "streaming-6.1")
async def test_a_search_meets_all_conversations_and_what_a_fork_shares(talks: Talks) -> None:
    made = await talks.begin()
    await talks.say(made.id, "SAY The heron is grey")
    await talks.say("default", "SAY The ibis is red")
    fork = await talks.letta.conversations.fork(made.id)

    async def found(text: str, **given: Any) -> set[str]:
        query = replace(MessageQuery(text=text, agent_id=talks.agent.id, limit=20), **given)
        async with talks.world.db.read(ACTOR, long=True) as tx:
            hits = await search.find_messages(tx, query, vector=None)
        return {hit.text for hit in hits if hit.role == "assistant"}

    both = {"The heron is grey", "The ibis is red"}
    assert await found("heron ibis") == both
    for place in (made.id, fork.id):
        assert await found("heron ibis", conversation_id=place) == {"The heron is grey"}
    assert await found("heron ibis", conversation_id="default") == {"The ibis is red"}
    asked = {"query": "heron", "conversation_id": fork.id}
    answer = await talks.http.post("/v1/messages/search", json=asked)
    assert {one["conversation_id"] for one in answer.json()} == {made.id}
    await talks.letta.conversations.delete(made.id)
    assert await found("heron ibis") == both
    await talks.letta.conversations.delete(fork.id)
    assert await found("heron ibis") == {"The ibis is red"}
    with pytest.raises(NotFoundError):
        await talks.letta.conversations.retrieve(fork.id)


@pytest.mark.rule("C4", "streaming-6.2")
async def test_the_overview_of_a_conversation_is_of_its_own_window(talks: Talks) -> None:
    made = await talks.begin(isolated_block_labels=["human"])
    await talks.say("default", "SAY hi")
    path = f"/v1/agents/{talks.agent.id}/context"
    seen = (await talks.http.get(path, params={"conversation_id": made.id})).json()
    assert (seen["num_messages"], seen["num_recall_memory"]) == (1, 4)
    stranger = await talks.world.agent()
    elsewhere = await talks.http.get(
        f"/v1/agents/{stranger.id}/context", params={"conversation_id": made.id}
    )
    assert elsewhere.status_code == 404
    gone = await talks.http.get(path, params={"conversation_id": new("conversation")})
    assert gone.status_code == 404
