"""An agent's own list from outside a run: recompile, reset, rearrange, sum up, look."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eunoe import ids
from eunoe.domain.messages import Json, Message, Text, text_of
from eunoe.domain.runs import Run
from eunoe.store import lists, messages, runs
from eunoe.store.db import Actor
from eunoe.store.runs import Origin
from tests.fixtures.apis import Api

pytestmark = pytest.mark.anyio


async def said(api: Api, agent_id: str, *texts: str) -> list[str]:
    """Put messages into the agent's list, the user's and the agent's in turn."""
    made = [
        Message(
            id=ids.new("message"),
            role="user" if place % 2 == 0 else "assistant",
            agent_id=agent_id,
            content=(Text(text=text),),
            created_at=datetime.now(UTC),
        )
        for place, text in enumerate(texts)
    ]
    async with api.db.write(Actor()) as tx:
        await lists.append(tx, agent_id, made)
    return [message.id for message in made]


async def system_of(api: Api, agent: Json) -> str:
    async with api.db.read(Actor()) as tx:
        message = await messages.get(tx, agent["message_ids"][0])
    assert message is not None
    return text_of(message)


async def window_of(api: Api, agent_id: str) -> list[str]:
    found: Json = await api.got(f"/v1/agents/{agent_id}")
    return found["message_ids"]


async def claim(api: Api, agent_id: str) -> str:
    """Make a run hold the agent's list, as one that goes on does."""
    run = Run(id=ids.new("run"), agent_id=agent_id, list_id=agent_id, created_at=datetime.now(UTC))
    async with api.db.write(Actor()) as tx:
        await runs.insert(tx, run, Origin())
    return run.id


@pytest.mark.rule("L22", "FIX-4b", "api-6.80")
async def test_only_a_recompile_rewrites_the_stored_prompt(api: Api) -> None:
    made = await api.agent(system="Old.")
    path = f"/v1/agents/{made['id']}"
    block = await api.block("human", "Ada")
    await api.sdk.patch(path, json={"system": "New."})
    await api.sdk.patch(f"{path}/core-memory/blocks/attach/{block['id']}")
    assert "Old." in await system_of(api, made)

    dry = await api.sdk.post(f"{path}/recompile", params={"dry_run": True})
    assert dry.headers["content-type"] == "application/json"
    assert "New." in dry.json()
    assert "Old." in await system_of(api, made)
    wet = (await api.sdk.post(f"{path}/recompile")).json()
    assert "Ada" in wet
    assert await system_of(api, made) == wet
    assert await window_of(api, made["id"]) == made["message_ids"]
    alias = await api.sdk.post(f"{path}/system-prompt/recompile")
    assert alias.json() == wet


@pytest.mark.rule("api-6.80", "L23")
async def test_a_recompile_keeps_the_time_unless_told_otherwise(api: Api) -> None:
    made = await api.agent()
    path = f"/v1/agents/{made['id']}/recompile"
    system = await system_of(api, made)
    line = next(row for row in system.splitlines() if "last recompiled" in row)
    old = system.replace(line, "- The system prompt was last recompiled at: long ago")
    async with api.db.write(Actor()) as tx:
        stored = await messages.get(tx, made["message_ids"][0])
        assert stored is not None

        await lists.rewrite_system(tx, made["id"], replace(stored, content=(Text(text=old),)))
    assert "at: long ago\n" in (await api.sdk.post(path)).json()
    assert "long ago" not in (await api.sdk.post(path, params={"update_timestamp": True})).json()


@pytest.mark.rule("api-8.12")
async def test_a_reset_shrinks_the_window_and_deletes_nothing(api: Api) -> None:
    made = await api.agent(system="Old.")
    first = await said(api, made["id"], "one", "two")
    path = f"/v1/agents/{made['id']}"
    await api.sdk.patch(path, json={"system": "New."})
    reply = await api.sdk.patch(
        f"{path}/reset-messages", json={"add_default_initial_messages": False}
    )
    assert reply.json()["message_ids"] == made["message_ids"]
    assert "New." in await system_of(api, made)
    async with api.db.read(Actor()) as tx:
        assert set(await messages.many(tx, first)) == set(first)
    later = await said(api, made["id"], "three")
    assert await window_of(api, made["id"]) == [*made["message_ids"], *later]
    assert (await api.sdk.patch(f"{path}/reset-messages")).status_code == 422


@pytest.mark.rule("api-6.30")
async def test_message_ids_can_be_taken_out_put_back_and_moved(api: Api) -> None:
    made = await api.agent()
    system = made["message_ids"][0]
    one, two, three = await said(api, made["id"], "one", "two", "three")
    path = f"/v1/agents/{made['id']}"
    for wanted in ([system, three, one], [system], [system, one, two, three]):
        changed = await api.sdk.patch(path, json={"message_ids": wanted})
        assert changed.json()["message_ids"] == wanted
    four = (await said(api, made["id"], "four"))[0]
    assert (await window_of(api, made["id"]))[-1] == four

    stranger = (await api.agent())["message_ids"][0]
    for refused, status in (
        ([], 400),
        ([one, system], 400),
        ([system, one, one], 400),
        ([system, stranger], 404),
        (["nonsense"], 422),
    ):
        assert (await api.sdk.patch(path, json={"message_ids": refused})).status_code == status
    assert await window_of(api, made["id"]) == [system, one, two, three, four]


@pytest.mark.rule("G-12", "api-3.2")
@pytest.mark.parametrize(
    ("method", "route", "body"),
    [
        ("PATCH", "/reset-messages", {"add_default_initial_messages": False}),
        ("POST", "/recompile", None),
        ("POST", "/summarize", None),
        ("PATCH", "", {"message_ids": []}),
    ],
)
async def test_while_a_run_works_on_the_list_it_is_left_alone(
    api: Api, method: str, route: str, body: Json | None
) -> None:
    made = await api.agent()
    await said(api, made["id"], "one", "two")
    run_id = await claim(api, made["id"])
    reply = await api.sdk.request(method, f"/v1/agents/{made['id']}{route}", json=body)
    assert (reply.status_code, reply.json()["run_id"]) == (409, run_id)


@pytest.mark.rule("api-8.12", "C23", "C26")
async def test_summing_up_puts_a_summary_in_the_place_of_what_was_said(api: Api) -> None:
    made = await api.agent(compaction_settings={"mode": "all"})
    path = f"/v1/agents/{made['id']}/summarize"
    nothing = (await api.sdk.post(path)).json()
    assert nothing == {"summary": "", "num_messages_before": 1, "num_messages_after": 1}

    spoken = await said(api, made["id"], *(f"Turn {number}." for number in range(8)))
    done = (await api.sdk.post(path, json={})).json()
    assert done["summary"]
    assert (done["num_messages_before"], done["num_messages_after"]) == (9, 2)
    window = await window_of(api, made["id"])
    assert (len(window), window[0]) == (2, made["message_ids"][0])
    async with api.db.read(Actor()) as tx:
        summary = await messages.get(tx, window[1])
        assert summary is not None
        assert summary.role == "summary"
        assert set(await messages.many(tx, spoken)) == set(spoken)

    again = (await api.sdk.post(path)).json()
    assert again == {"summary": done["summary"], "num_messages_before": 2, "num_messages_after": 2}


@pytest.mark.rule("C23")
async def test_a_window_that_would_not_get_smaller_is_left_alone(api: Api) -> None:
    made = await api.agent(compaction_settings={"mode": "all"})
    spoken = await said(api, made["id"], "Only this.")
    reply = await api.sdk.post(f"/v1/agents/{made['id']}/summarize")
    assert reply.status_code == 400
    assert await window_of(api, made["id"]) == [*made["message_ids"], *spoken]


@pytest.mark.rule("C4", "api-6.80")
async def test_the_overview_adds_up(api: Api) -> None:
    made = await api.agent(memory_blocks=[{"label": "human", "value": "Ada"}])
    await said(api, made["id"], "Hello there.", "Hello, Ada.")
    path = f"/v1/agents/{made['id']}"
    seen = await api.got(f"{path}/context")
    parts = [name for name in seen if name.startswith("num_tokens_")]
    assert seen["context_window_size_current"] == sum(seen[name] for name in parts)
    assert (seen["num_messages"], seen["num_recall_memory"]) == (3, 3)
    assert "Ada" in seen["core_memory"]
    assert [message["role"] for message in seen["messages"]] == ["system", "user", "assistant"]
    assert len(seen["functions_definitions"]) == 3
    assert await api.got(f"{path}/context", conversation_id="default") == seen
    texts = ("system_prompt", "core_memory", "external_memory_summary", "functions_definitions")
    assert all(seen[name] and seen[f"num_tokens_{name.removesuffix('_prompt')}"] for name in texts)
    talk = await api.made(f"/v1/conversations/?agent_id={made['id']}")
    there = await api.got(f"{path}/context", conversation_id=talk["id"])
    assert ([message["role"] for message in there["messages"]], there["core_memory"]) == (
        ["system"],
        seen["core_memory"],
    )
    other = await api.agent()
    for conversation in ("conv-00000000-0000-4000-8000-000000000009", talk["id"]):
        reply = await api.sdk.get(
            f"/v1/agents/{other['id']}/context", params={"conversation_id": conversation}
        )
        assert reply.status_code == 404


@pytest.mark.rule("api-6.80")
async def test_there_is_nothing_to_recompile_without_a_system_message(api: Api) -> None:
    made = await api.agent()
    async with api.db.write(Actor()) as tx:
        await lists.arrange(tx, made["id"], [])
    for way in ("recompile", "recompile?dry_run=true", "system-prompt/recompile"):
        reply = await api.sdk.post(f"/v1/agents/{made['id']}/{way}")
        assert reply.status_code == 404
