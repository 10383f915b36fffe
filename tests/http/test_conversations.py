"""Conversations beside an agent's own list: what they are, share and keep apart (streaming 6)."""

from datetime import datetime, timedelta, timezone
from typing import Any, Final

import anyio
import httpx
import pytest
from letta_client import AsyncLetta, NotFoundError

from eunoe.ids import is_id, new
from tests.http.conversing import OTHER, SCRIPTED, SUM_UP, Talks, spoken
from tests.runs.conftest import ACTOR, World

pytestmark = pytest.mark.anyio

_REFUSED: Final[list[tuple[str, str, dict[str, Any] | None, int]]] = [
    ("POST", "?agent_id={unknown}", {}, 404),
    ("POST", "", {}, 422),
    ("POST", "?agent_id={agent}", {"isolated_block_labels": ["none"]}, 400),
    ("POST", "?agent_id={agent}", {"model": "scripted-1"}, 400),
    ("POST", "?agent_id={agent}", {"model": "openai/none"}, 404),
    ("PATCH", "{conv}", {"model": "none"}, 400),
    ("PATCH", "{conv}", {"last_message_at": "0001-01-01T00:00:00+14:00"}, 422),
    ("PATCH", "{conv}", {"model": "openai/none"}, 404),
    ("GET", "conv-1", None, 422),
    ("GET", "default", None, 422),
    ("DELETE", "{agent}", None, 422),
    ("POST", "default/fork", None, 422),
    ("POST", "default/cancel", None, 422),
    ("POST", "default/compact", None, 422),
    ("POST", "default/recompile", {}, 422),
    ("POST", "default/stream", {}, 422),
    ("POST", "default/messages", {"input": "x"}, 422),
    ("GET", "default/messages", None, 422),
    ("GET", "other/messages", None, 422),
    ("POST", "{conv}/messages", {"messages": []}, 422),
    ("POST", "{conv}/messages", {"input": "x", "override_model": "openai/none"}, 404),
    ("POST", "default/messages", {"input": "x", "agent_id": "{unknown}"}, 404),
    ("GET", "default/messages?agent_id={unknown}", None, 404),
    ("POST", "{conv}/compact", None, 400),
    ("POST", "{conv}/cancel", None, 409),
    ("POST", "{conv}/stream", None, 400),
    ("POST", "{conv}/stream", {"run_id": "{run}"}, 404),
    ("POST", "{conv}/fork?message_id={message}", None, 404),
]
_ROUTES: Final = {
    "GET": ("", "/messages"),
    "PATCH": ("",),
    "POST": ("/fork", "/recompile", "/compact", "/cancel", "/messages", "/stream"),
    "DELETE": ("",),
}


@pytest.fixture
async def talks(world: World, http: httpx.AsyncClient) -> Talks:
    letta = AsyncLetta(
        base_url="http://server",
        http_client=http,
        max_retries=0,
        api_key="any",
        _strict_response_validation=True,
    )
    return Talks(world=world, letta=letta, http=http, agent=await world.agent())


@pytest.mark.rule("streaming-6.1", "api-11.2")
async def test_a_conversation_is_made_changed_and_read(talks: Talks) -> None:
    settings = {"provider_type": "openai", "temperature": 0.1}
    made = await talks.begin(
        summary="Tea", description="On tea.", model=OTHER, model_settings=settings
    )
    assert is_id("conversation", made.id)
    assert (made.summary, made.description, made.model) == ("Tea", "On tea.", OTHER)
    assert made.api_model_settings is not None
    assert made.api_model_settings.temperature == 0.1
    (system,) = made.in_context_message_ids or []
    assert (made.archived, made.last_message_at) == (False, None)
    assert await talks.letta.conversations.retrieve(made.id) == made

    when = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    changed = await talks.letta.conversations.update(
        made.id, summary="Coffee", model=None, last_message_at=when, context_window_limit=9_000
    )
    assert (changed.summary, changed.model, changed.last_message_at) == ("Coffee", OTHER, when)
    assert (changed.context_window_limit, changed.in_context_message_ids) == (9_000, [system])
    assert changed.updated_at != made.updated_at
    cleared = await talks.letta.conversations.update(made.id, context_window_limit=None)
    assert cleared.context_window_limit is None
    assert cleared == replace_updated(changed, cleared)


def replace_updated(one: Any, other: Any) -> Any:
    """Return `one` with what a change of the bound alone makes of it."""
    return one.model_copy(update={"updated_at": other.updated_at, "context_window_limit": None})


@pytest.mark.rule("streaming-6.1", "api-11.2", "api-5.6")
async def test_conversations_are_listed_in_three_orders(talks: Talks) -> None:
    one, two, three = [await talks.begin(summary=name) for name in ("Tea", "tea", "Cocoa")]
    hidden = await talks.begin(hidden=True)
    elsewhere = await talks.world.agent()
    other = await talks.letta.conversations.create(agent_id=elsewhere.id)
    await talks.say(two.id, "SAY hi")
    await talks.say(one.id, "SAY hi")

    async def listed(**fields: Any) -> list[str]:
        found = await talks.letta.conversations.list(**fields)
        assert all(item.in_context_message_ids == [] for item in found)
        return [item.id for item in found]

    mine = {"agent_id": talks.agent.id}
    assert await listed(**mine) == [three.id, two.id, one.id]
    assert await listed() == [other.id, three.id, two.id, one.id]
    assert await listed(**mine, limit=1, after=three.id) == [two.id]
    assert await listed(**mine, order="asc", after=one.id) == [two.id, three.id]
    for order_by in ("last_message_at", "last_run_completion"):
        assert await listed(**mine, order_by=order_by) == [one.id, two.id, three.id]
        assert await listed(**mine, order_by=order_by, order="asc") == [two.id, one.id, three.id]
    assert await listed(summary_search="ea") == [two.id, one.id]
    assert await listed(summary_search="Te") == [one.id]
    await talks.letta.conversations.update(one.id, archived=True)
    assert await listed(**mine) == [three.id, two.id]
    assert await listed(**mine, archive_status="archived") == [one.id]
    assert await listed(**mine, archive_status="all") == [three.id, two.id, one.id]
    assert (await talks.letta.conversations.retrieve(hidden.id)).id == hidden.id
    with pytest.raises(NotFoundError):
        await listed(after=new("conversation"))


@pytest.mark.rule("streaming-6.1", "streaming-6.3", "api-11.2", "api-2.2", "api-2.4")
async def test_what_is_refused(talks: Talks) -> None:
    made = await talks.begin()
    words = {"unknown": new("agent"), "agent": talks.agent.id, "conv": made.id}
    words |= {"run": new("run"), "message": new("message")}
    for method, path, body, status in _REFUSED:
        given = {
            name: value.format_map(words) if isinstance(value, str) else value
            for name, value in (body or {}).items()
        }
        answer = await talks.ask(method, path.format_map(words), json=given if body else None)
        assert answer.status_code == status, (path, answer.text)
        assert isinstance(answer.json()["detail"], str)
    assert len(await talks.window(made.id)) == 1


@pytest.mark.rule("streaming-6.1", "api-11.2")
async def test_a_deleted_conversation_is_gone_everywhere(talks: Talks) -> None:
    made = await talks.begin()
    assert await talks.letta.conversations.delete(made.id) is None
    for method, rests in _ROUTES.items():
        for rest in rests:
            body = {"input": "x"} if method != "GET" else None
            answer = await talks.ask(method, f"{made.id}{rest}", json=body)
            assert answer.status_code == 404, (method, rest)
    assert await talks.letta.conversations.list(agent_id=talks.agent.id) == []


@pytest.mark.rule("streaming-6.2", "L8", "L18", "G-24")
async def test_each_list_has_its_own_window_and_prompt(talks: Talks) -> None:
    one, two = await talks.begin(), await talks.begin()
    await talks.say(one.id, "SAY first")
    assert f"CONVERSATION_ID: {one.id}" in talks.prompt()
    await talks.say(two.id, "SAY second")
    assert [said["content"] for said in talks.asked()["messages"][1:]] == ["SAY second"]
    await talks.say("default", "SAY third")
    assert [said["content"] for said in talks.asked()["messages"][1:]] == ["SAY third"]
    assert "CONVERSATION_ID: default" in talks.prompt()

    assert await talks.texts(one.id) == ["SAY first", "first"]
    assert await talks.texts(talks.agent.id) == ["SAY third", "third"]
    everything = [m async for m in talks.letta.agents.messages.list(talks.agent.id)]
    assert len([m for m in everything if m.message_type == "user_message"]) == 3
    outside = await talks.letta.agents.messages.list(talks.agent.id, conversation_id="default")
    assert len([m for m in outside.items if m.message_type == "user_message"]) == 1
    windows = [set(await talks.window(place)) for place in (one.id, two.id, "default")]
    assert [len(window) for window in windows] == [3, 3, 3]
    assert len(windows[0] | windows[1] | windows[2]) == 9


@pytest.mark.rule("FIX-5", "L23", "L24")
async def test_an_edit_of_a_block_shows_in_every_conversation_at_its_next_step(
    talks: Talks,
) -> None:
    made = await talks.begin()
    await talks.say(made.id, "SAY hi")
    before = await talks.window(made.id)
    await talks.letta.agents.blocks.update("human", agent_id=talks.agent.id, value="Name: Eve")
    await talks.say(made.id, "SAY hi")
    assert "Name: Eve" in talks.prompt()
    assert (await talks.window(made.id))[: len(before)] == before


@pytest.mark.rule("M8", "L10", "streaming-6.5", "api-11.6")
async def test_an_isolated_block_stands_for_the_agents_in_its_conversation(talks: Talks) -> None:
    apart = await talks.begin(isolated_block_labels=["human", "human"])
    plain = await talks.begin()
    found = (await talks.ask("GET", apart.id)).json()
    (copy_id,) = found["isolated_block_ids"]
    assert (await talks.ask("GET", plain.id)).json()["isolated_block_ids"] == []
    copy = await talks.letta.blocks.retrieve(copy_id)
    assert (copy.label, copy.value) == ("human", "Name: Bob")

    edit = 'CALL core_memory_append {"label": "human", "content": "Likes tea."}'
    await talks.say(apart.id, edit)
    assert "Likes tea." in talks.prompt()
    assert "Likes tea." in (await talks.letta.blocks.retrieve(copy_id)).value
    shared = await talks.letta.agents.blocks.retrieve("human", agent_id=talks.agent.id)
    assert shared.value == "Name: Bob"
    await talks.say(plain.id, edit.replace("tea", "cocoa"))
    assert "Likes cocoa." in talks.prompt()
    assert "tea" not in talks.prompt()
    await talks.say(apart.id, "SAY hi")
    assert "Likes cocoa." not in talks.prompt()
    await talks.letta.blocks.update(copy_id, value="Name: Kim")
    await talks.say(apart.id, "SAY hi")
    assert "Name: Kim" in talks.prompt()

    await talks.letta.conversations.delete(apart.id)
    with pytest.raises(NotFoundError):
        await talks.letta.blocks.retrieve(copy_id)
    assert (await talks.letta.agents.blocks.retrieve("human", agent_id=talks.agent.id)).value


@pytest.mark.rule("M8", "api-6.45", "api-11.6")
async def test_isolated_blocks_are_as_guarded_as_the_agents_and_go_with_it(talks: Talks) -> None:
    guarded = {"approve_writes": True}
    path = f"/v1/agents/{talks.agent.id}/core-memory/blocks/human"
    assert (await talks.http.patch(path, json=guarded)).status_code == 200
    made = (await talks.ask("GET", (await talks.begin(isolated_block_labels=["human"])).id)).json()
    copy = await talks.http.get(f"/v1/blocks/{made['isolated_block_ids'][0]}")
    assert copy.json()["approve_writes"] is True
    await talks.letta.agents.delete(talks.agent.id)
    answer = await talks.http.get(f"/v1/blocks/{made['isolated_block_ids'][0]}")
    assert answer.status_code == 404


@pytest.mark.rule("L5", "streaming-1.6", "api-11.10")
async def test_a_conversations_model_comes_before_the_agents(talks: Talks) -> None:
    settings = {"provider_type": "openai", "temperature": 0.3, "max_output_tokens": 77}
    own = await talks.begin(model=OTHER, model_settings=settings)
    mute = await talks.begin(model_settings=settings)
    await talks.say(own.id, "SAY hi")
    asked = talks.asked()
    assert (asked["model"], asked["temperature"]) == ("gpt-4.1", 0.3)
    assert 77 in {asked.get("max_tokens"), asked.get("max_completion_tokens")}
    page = await talks.letta.steps.list(agent_id=talks.agent.id)
    (step,) = page.items
    own_window = talks.agent.model.context_window
    assert (step.model, step.context_window_limit) == ("gpt-4.1", own_window)
    await talks.say(own.id, "SAY hi", override_model="openai/gpt-4o-mini")
    assert talks.asked()["model"] == "gpt-4o-mini"
    async with talks.world.db.write(ACTOR) as tx:
        await tx.execute("UPDATE conversations SET model = 'gone/m' WHERE id = $1", own.id)
    await talks.say(own.id, "SAY hi", override_model="openai/gpt-4o-mini")
    steps = (await talks.letta.steps.list(agent_id=talks.agent.id)).items
    assert [(step.model, step.status) for step in steps[:2]] == [("gpt-4o-mini", "success")] * 2
    await talks.say(mute.id, "SAY hi")
    assert (talks.asked()["model"], talks.asked().get("temperature")) == ("scripted-1", None)
    await talks.say("default", "SAY hi")
    assert talks.asked()["model"] == "scripted-1"
    assert (await talks.letta.agents.retrieve(talks.agent.id)).model == SCRIPTED


@pytest.mark.rule("streaming-1.6")
@pytest.mark.parametrize(("asked", "got"), [(9_000, 9_000), (900_000, 128_000)])
async def test_a_conversations_window_is_capped_by_its_model(
    talks: Talks, asked: int, got: int
) -> None:
    made = await talks.begin(model=OTHER, context_window_limit=asked)
    await talks.say(made.id, "SAY hi")
    page = await talks.letta.steps.list(agent_id=talks.agent.id)
    assert page.items[0].context_window_limit == got


@pytest.mark.rule("streaming-6.6", "G-24", "G-16")
async def test_a_fork_shares_what_was_said_and_nothing_after_it(talks: Talks) -> None:
    source = await talks.begin(isolated_block_labels=["human"], summary="Old", model=OTHER)
    await talks.say(source.id, "SAY one")
    first = await talks.window(source.id)
    copy_id = (await talks.ask("GET", source.id)).json()["isolated_block_ids"][0]
    await talks.letta.blocks.update(copy_id, value="Name: Kim")

    fork = await talks.letta.conversations.fork(source.id)
    window = fork.in_context_message_ids or []
    assert (window[0] != first[0], window[1:]) == (True, first[1:])
    assert (fork.summary, fork.model) == (None, OTHER)
    own_id = (await talks.ask("GET", fork.id)).json()["isolated_block_ids"][0]
    assert own_id != copy_id
    assert (await talks.letta.blocks.retrieve(own_id)).value == "Name: Kim"

    await talks.say(source.id, "SAY two")
    await talks.say(fork.id, "SAY three")
    said = [one["content"] for one in talks.asked()["messages"]]
    assert said[1:] == ["SAY one", "one", "SAY three"]
    assert "Name: Kim" in said[0]
    assert await talks.texts(fork.id) == ["SAY one", "one", "SAY three", "three"]
    before = await talks.window(fork.id)
    assert before[: len(window)] == window

    await talks.letta.conversations.messages.compact(source.id, compaction_settings=SUM_UP)
    assert await talks.window(fork.id) == before
    await talks.letta.conversations.delete(source.id)
    assert await talks.texts(fork.id) == ["SAY one", "one", "SAY three", "three"]
    assert spoken(await talks.say(fork.id, "SAY four")) == ["four"]
    assert len(talks.asked()["messages"]) == 6


@pytest.mark.rule("streaming-6.6", "api-11.2", "api-11.4")
async def test_the_agents_own_list_is_forked_up_to_a_message(talks: Talks) -> None:
    await talks.say("default", "CALL look {}")
    await talks.say("default", "SAY two")
    window = await talks.window("default")
    called = window[2]
    fork = await talks.letta.conversations.fork(
        "default", agent_id=talks.agent.id, message_id=called, hidden=True
    )
    assert (fork.in_context_message_ids or [])[1:] == window[1:4]
    assert fork.model is None
    assert await talks.letta.conversations.list(agent_id=talks.agent.id) == []
    whole = await talks.letta.conversations.fork(talks.agent.id)
    assert (whole.in_context_message_ids or [])[1:] == window[1:]
    only = await talks.letta.conversations.fork(talks.agent.id, message_id=window[1])
    assert (only.in_context_message_ids or [])[1:] == window[1:2]
    assert await talks.window("default") == window


@pytest.mark.rule("streaming-6.6", "G-2")
async def test_a_fork_leaves_out_the_turn_that_goes_on(talks: Talks) -> None:
    made = await talks.begin()
    await talks.say(made.id, "SAY one")
    window = await talks.window(made.id)
    fork: Any = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(talks.say, made.id, "CALL wait {}")
        await talks.world.tools.entered.wait()
        fork = await talks.letta.conversations.fork(made.id)
        talks.world.tools.gate.set()
    assert (fork.in_context_message_ids or [])[1:] == window[1:]


@pytest.mark.rule("G-24", "streaming-6.1", "C23")
async def test_compacting_and_recompiling_touch_only_their_list(talks: Talks) -> None:
    one, two = await talks.begin(), await talks.begin()
    for place in (one.id, two.id, "default"):
        for number in range(3):
            await talks.say(place, f"SAY {number}")
    others = [await talks.window(two.id), await talks.window("default")]
    done = await talks.letta.conversations.messages.compact(one.id, compaction_settings=SUM_UP)
    assert (done.num_messages_before, done.num_messages_after) == (7, 2)
    again = await talks.letta.conversations.messages.compact(one.id)
    assert (again.summary, again.num_messages_before) == (done.summary, 2)
    assert [await talks.window(two.id), await talks.window("default")] == others
    assert len(await talks.window(one.id)) == 2

    recompile = talks.letta.conversations.recompile
    await talks.letta.agents.blocks.update("human", agent_id=talks.agent.id, value="Name: Eve")
    dry = await recompile(one.id, dry_run=True)
    assert ("Name: Eve" in dry, f"CONVERSATION_ID: {one.id}" in dry) == (True, True)
    assert "Name: Eve" in await recompile(one.id)
    shown = [m async for m in talks.letta.conversations.messages.list(one.id, order="asc")]
    assert "Name: Eve" in getattr(shown[0], "content", "")
    for place in (two.id, "default"):
        page = await talks.letta.conversations.messages.list(
            place, agent_id=talks.agent.id, order="asc", limit=1
        )
        assert "Name: Eve" not in getattr(page.items[0], "content", "")
    assert "CONVERSATION_ID: default" in await recompile("default", agent_id=talks.agent.id)


@pytest.mark.rule("G-16", "streaming-6.7", "api-11.8", "api-5.7", "api-5.8")
async def test_paging_meets_each_message_once_before_and_after_a_compaction(talks: Talks) -> None:
    made = await talks.begin()
    for number in range(3):
        await talks.say(made.id, f"SAY {number}")
    messages = talks.letta.conversations.messages
    before = [m.id async for m in messages.list(made.id, order="asc", limit=2)]
    assert len(before) == len(set(before)) == 7
    await messages.compact(made.id, compaction_settings=SUM_UP)
    after = [m.id async for m in messages.list(made.id, order="asc", limit=3)]
    assert (after[:7], len(after)) == (before, 8)
    newest = await messages.list(made.id, limit=3)
    assert [m.id for m in newest.items] == after[:4:-1]
    older = await messages.list(made.id, limit=3, before=after[5])
    assert [m.id for m in older.items] == after[4:1:-1]
    unknown = await messages.list(made.id, order="asc", after=new("message"))
    assert [m.id for m in unknown.items] == after
    only = await messages.list(made.id, include_return_message_types=["user_message"])
    assert {m.message_type for m in only.items} == {"user_message"}


@pytest.mark.rule("api-11.8", "api-9.4")
async def test_the_parts_of_a_message_stay_in_order_where_the_newest_is_first(talks: Talks) -> None:
    made = await talks.begin()
    await talks.say(made.id, "THINK Hm. CALL look {}")
    page = await talks.letta.conversations.messages.list(made.id, limit=3)
    assert [m.message_type for m in page.items] == [
        "assistant_message", "tool_return_message", "reasoning_message", "tool_call_message",
    ]  # fmt: skip
