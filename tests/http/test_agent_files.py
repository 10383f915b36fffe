"""Agents as files: what is in one, and what a round trip keeps (api 7.1)."""

import json
from datetime import timedelta
from typing import Any

import pytest

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.domain.runs import Run, Step, Usage
from eunoe.store import runs, search, steps
from tests.fixtures.apis import Api
from tests.http.filing import ACTOR, BEGINNING, exported, imported, sent, talk, without_time

pytestmark = pytest.mark.anyio

RULES = [
    {"type": "run_first", "tool_name": "wipe_disk", "args": {"all": True}},
    {"type": "max_count_per_step", "tool_name": "wipe_disk", "max_count_limit": 2},
    {"type": "conditional", "tool_name": "wipe_disk", "child_output_mapping": {"a": "wipe_disk"}},
]
ENTITIES = ("agents", "groups", "blocks", "files", "sources", "tools", "mcp_servers", "skills")


async def furnished(api: Api, agent_type: str = "letta_v1_agent", **fields: Any) -> Json:
    """Return an agent with tools, rules, a shared block, and two hundred messages."""
    shared = await api.block("shared", "Both see this.", limit=5000, metadata={"b": 1, "a": 2})
    agent = await api.agent(
        name="Ada's own",
        agent_type=agent_type,
        include_base_tools=False,
        tools=["wipe_disk", "send_message"],
        tool_rules=RULES,
        block_ids=[shared["id"]],
        memory_blocks=[{"label": "human", "value": "Ada"}, {"label": "a first", "value": ""}],
        tags=["z", "a"],
        metadata={"z": [1, 2], "a": None},
        timezone="Europe/Rome",
        model_settings={
            "provider_type": "openai",
            "temperature": 0.2,
            "reasoning": {"reasoning_effort": "low"},
        },
        response_format={"type": "json_object"},
        secrets={"TOKEN": "hunter2", "A_URL": "http://x"},
        compaction_settings={"mode": "all", "clip_chars": None},
        **fields,
    )
    await talk(api, agent)
    return agent


async def again(api: Api, agent_id: str, **asked: Any) -> tuple[str, str, Json]:
    """Return the file of an agent, the file of what it becomes, and the import's answer."""
    first = await exported(api, agent_id, **asked)
    made = await imported(api, first, append_copy_suffix=False)
    second = await exported(api, made["agent_ids"][0], **asked)
    return without_time(first), without_time(second), made


@pytest.mark.rule("api-7.1", "api-7.2")
@pytest.mark.parametrize(
    "agent_type",
    ["letta_v1_agent", "memgpt_agent", "memgpt_v2_agent", "react_agent", "sleeptime_agent"],
)
async def test_a_round_trip_gives_the_same_bytes(api: Api, agent_type: str) -> None:
    agent = await furnished(api, agent_type)
    for everything in (False, True):
        first, second, made = await again(api, agent["id"], everything=everything)
        assert '"id": "message-200"' in first
        assert "hunter2" not in first
        (entry,) = json.loads(await exported(api, agent["id"]))["agents"]
        assert entry["secrets"] == {"A_URL": "", "TOKEN": ""}
        assert made["warnings"] == []
        assert made["agent_ids"] != [agent["id"]]
        assert second == first


@pytest.mark.rule("api-7.1", "H1")
async def test_policies_of_calls_come_along_and_nobody_else_is_told(api: Api) -> None:
    agent = await furnished(api)
    policies = [
        {
            "effect": "deny",
            "tool": "wipe_*",
            "arguments": {"/path": "/etc/*"},
            "reason": "Too much.",
        },
        {"effect": "ask", "expires_after_s": 60.0, "then": "approve"},
        {"effect": "allow", "tool": "send_message"},
    ]
    where = "/v1/agents/{}/call-policies"
    body = {"policies": policies, "webhook_url": "http://a.example/told"}
    put = await api.sdk.put(where.format(agent["id"]), json=body)
    first, second, made = await again(api, agent["id"])
    assert (first == second, "a.example" in first) == (True, False)
    copied = await api.got(where.format(made["agent_ids"][0]))
    assert copied == put.json() | {"webhook_url": None}
    broken = first.replace('"effect": "deny"', '"effect": "maybe"')
    assert (await sent(api, broken)).status_code == 400


@pytest.mark.rule("api-7.1", "api-7.2", "api-6.15")
@pytest.mark.parametrize("everything", [False, True])
async def test_a_group_comes_along_and_stays_one(api: Api, everything: bool) -> None:
    main = await api.agent(
        agent_type="letta_v1_agent",
        include_base_tools=False,
        memory_blocks=[{"label": "human", "value": "Ada"}],
    )
    others = [
        await api.agent(name=f"other {at}", include_base_tools=False, block_ids=[])
        for at in range(2)
    ]
    only_shared = await api.block("of the group", "x")
    await api.made(
        "/v1/groups/",
        agent_ids=[one["id"] for one in others],
        description="They help.",
        manager_config={"manager_type": "supervisor", "manager_agent_id": main["id"]},
        shared_block_ids=[only_shared["id"]],
    )
    await api.made(
        "/v1/groups/",
        agent_ids=[others[1]["id"]],
        description="It tidies up.",
        manager_config={
            "manager_type": "sleeptime",
            "manager_agent_id": main["id"],
            "sleeptime_agent_frequency": 4,
        },
    )
    first, second, made = await again(api, main["id"], everything=everything)
    assert second == first
    assert len(made["agent_ids"]) == 3
    states = [
        await api.got(f"/v1/agents/{one}", include=["agent.blocks", "agent.managed_group"])
        for one in made["agent_ids"]
    ]
    assert states[0]["enable_sleeptime"] is True
    assert states[0]["managed_group"]["agent_ids"] == [made["agent_ids"][2]]
    held = [{block["label"]: block["id"] for block in one["blocks"]} for one in states]
    assert len({block["of the group"] for block in held}) == 1
    assert held[0]["of the group"] != only_shared["id"]


@pytest.mark.rule("api-7.1")
async def test_everything_is_kept_where_everything_is_asked_for(api: Api) -> None:
    agent = await furnished(api)
    aside = await api.made(
        f"/v1/conversations/?agent_id={agent['id']}",
        summary="Aside",
        isolated_block_labels=["human"],
        model="openai/gpt-4o-mini",
    )
    await talk(api, agent, aside["id"], turns=2)
    await api.made(f"/v1/conversations/{aside['id']}/fork")
    await api.sdk.patch(f"/v1/blocks/{agent['blocks'][0]['id']}", json={"value": "It changed."})
    for text in ("The sea is blue.", "The wood is green."):
        reply = await api.sdk.post(
            f"/v1/agents/{agent['id']}/archival-memory", json={"text": text, "tags": ["colour"]}
        )
        assert reply.status_code == 200, reply.text
    await api.sdk.patch(f"/v1/agents/{agent['id']}", json={"message_ids": agent["message_ids"][:1]})
    await _worked(api, agent["id"], aside["id"])

    first, second, made = await again(api, agent["id"], everything=True)
    assert second == first
    (copy,) = made["agent_ids"]
    talks = await api.got("/v1/conversations/", agent_id=copy)
    assert sorted(one["summary"] or "" for one in talks) == ["", "Aside"]
    (one,) = [one for one in talks if one["summary"] == "Aside"]
    assert (one["model"], len(one["isolated_block_ids"])) == ("openai/gpt-4o-mini", 1)
    assert len(await api.got(f"/v1/conversations/{one['id']}/messages", limit=100)) > 20
    kept = await api.got(f"/v1/agents/{copy}/archival-memory")
    assert {passage["text"] for passage in kept} == {"The sea is blue.", "The wood is green."}
    found = await api.got(f"/v1/agents/{copy}/archival-memory/search", query="green wood", top_k=1)
    assert found["results"][0]["content"] == "The wood is green."
    async with api.db.read(ACTOR) as tx:
        # No vector travels; whoever embeds finds what has none.
        (pending,) = await search.pending_archives(tx)
        assert len(await search.unembedded_passages(tx, pending.split(" ")[1], limit=9)) == 2
    listed = await api.got(f"/v1/agents/{copy}/messages", limit=500, conversation_id="default")
    assert len({message["id"] for message in listed}) == 201
    (state,) = [await api.got(f"/v1/agents/{copy}", include=["agent.blocks"])]
    assert len(state["message_ids"]) == 1
    history = await api.got(f"/v1/blocks/{state['blocks'][0]['id']}/history")
    assert [version["value"] for version in history] == ["Both see this.", "It changed."]
    (run,) = await api.got("/v1/runs/", agent_id=copy)
    assert (run["stop_reason"], run["conversation_id"]) == ("end_turn", one["id"])
    (step,) = await api.got(f"/v1/runs/{run['id']}/steps")
    assert (step["prompt_tokens"], step["model"]) == (11, "gpt-4o-mini")


async def _worked(api: Api, agent_id: str, conversation_id: str) -> None:
    """Let a run with one step have ended in a conversation, and one still be under way."""
    run = Run(
        id=ids.new("run"),
        agent_id=agent_id,
        list_id=conversation_id,
        conversation_id=conversation_id,
        status="completed",
        stop_reason="end_turn",
        usage=Usage(prompt_tokens=11, completion_tokens=2, total_tokens=13),
        step_count=1,
        created_at=BEGINNING,
        completed_at=BEGINNING + timedelta(seconds=1),
        total_duration_ns=10**9,
    )
    step = Step(
        id=ids.new("step"),
        run_id=run.id,
        agent_id=agent_id,
        status="success",
        model="gpt-4o-mini",
        usage=run.usage,
        created_at=BEGINNING,
    )
    active = Run(id=ids.new("run"), agent_id=agent_id, list_id=agent_id, created_at=BEGINNING)
    async with api.db.write(ACTOR) as tx:
        await runs.insert_ended(tx, [run])
        await steps.insert(tx, step)
        await runs.insert(tx, active, runs.Origin())


@pytest.mark.rule("api-7.1")
async def test_a_file_has_the_documented_form(api: Api) -> None:
    agent = await furnished(api)
    file = json.loads(await exported(api, agent["id"]))
    assert [*file][:8] == list(ENTITIES)
    assert file["metadata"].keys() == {"revision_id"}
    assert file["created_at"].endswith("Z")
    (entry,) = file["agents"]
    assert entry["id"] == "agent-0"
    assert [block["label"] for block in file["blocks"]] == ["a first", "human", "shared"]
    assert [tool["name"] for tool in file["tools"]] == ["send_message", "wipe_disk"]
    assert entry["block_ids"] == ["block-2", "block-1", "block-0"]
    assert entry["tool_ids"] == ["tool-1", "tool-0"]
    assert entry["in_context_message_ids"] == [f"message-{at}" for at in range(201)]
    assert [one["id"] for one in entry["messages"]] == entry["in_context_message_ids"]
    for name in ("include_base_tools", "include_base_tool_rules", "enable_sleeptime"):
        assert entry[name] is False
    assert (entry["model"], entry["embedding"], entry["project_id"]) == (None, None, None)
    assert entry["llm_config"]["handle"] == agent["model"]
    assert entry["embedding_config"]["handle"] == agent["embedding"]
    assert all(one["otid"] is None and one["sender_id"] is None for one in entry["messages"])
    assert {one["agent_id"] for one in entry["messages"]} == {"agent-0"}
    answered = next(one for one in entry["messages"] if one["approvals"])
    assert answered["approval_request_id"].startswith("message-")
    # The compiled prompt names the agent; the next run compiles it anew.
    text = json.dumps(file | {"agents": [entry | {"messages": entry["messages"][1:]}]})
    assert agent["id"] not in text
    assert ids.DEFAULT_USER not in text


@pytest.mark.rule("api-7.1")
async def test_what_was_said_is_left_out_or_is_a_conversations(api: Api) -> None:
    agent = await furnished(api)
    aside = await api.made(f"/v1/conversations/?agent_id={agent['id']}")
    await talk(api, agent, aside["id"], turns=1)
    scrubbed = json.loads(await exported(api, agent["id"], scrub_messages=True))["agents"][0]
    assert (scrubbed["messages"], scrubbed["in_context_message_ids"]) == ([], [])
    there = json.loads(await exported(api, agent["id"], conversation_id=aside["id"]))["agents"][0]
    assert len(there["messages"]) == 11
    mine = json.loads(await exported(api, agent["id"]))["agents"]
    for own in ("default", agent["id"]):
        assert json.loads(await exported(api, agent["id"], conversation_id=own))["agents"] == mine
    other = await api.agent(include_base_tools=False)
    stranger = await api.made(f"/v1/conversations/?agent_id={other['id']}")
    path = f"/v1/agents/{agent['id']}/export"
    for conversation_id in (stranger["id"], ids.new("conversation")):
        refused = await api.sdk.get(path, params={"conversation_id": conversation_id})
        assert refused.status_code == 404


@pytest.mark.rule("api-7.1")
async def test_a_file_can_bring_skills_along(api: Api) -> None:
    agent = await api.agent(include_base_tools=False)
    path = f"/v1/agents/{agent['id']}/export"
    skill = {"name": "tea", "files": {"SKILL.md": "Boil."}, "source_url": None}
    reply = await api.sdk.post(path, json={"skills": [skill]})
    assert reply.json()["skills"] == [skill]
    assert (await api.sdk.post(path)).json()["skills"] == []
    wrongs: list[Json] = [{"name": "tea"}, {"name": "tea", "files": {"a.md": ""}}, {"files": {}}]
    for wrong in wrongs:
        assert (await api.sdk.post(path, json={"skills": [wrong]})).status_code == 422


@pytest.mark.rule("api-7.1", "api-1.11")
async def test_what_cannot_be_exported_is_refused(api: Api) -> None:
    agent = await api.agent(include_base_tools=False)
    path = f"/v1/agents/{agent['id']}/export"
    assert (await api.sdk.get(path, params={"use_legacy_format": True})).status_code == 400
    both = {"everything": True, "scrub_messages": True}
    assert (await api.sdk.get(path, params=both)).status_code == 400
    assert (await api.sdk.get(f"/v1/agents/{ids.new('agent')}/export")).status_code == 404
    async with api.db.write(ACTOR) as tx:
        await tx.execute(
            "INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, 0)",
            "org-10000000-0000-4000-8000-000000000000",
            "Elsewhere",
        )
        user_id = "user-10000000-0000-4000-8000-000000000000"
        await tx.execute(
            "INSERT INTO users (id, organization_id, name, created_at) VALUES ($1, $2, $3, 0)",
            user_id,
            "org-10000000-0000-4000-8000-000000000000",
            "Eve",
        )
    assert (await api.sdk.get(path, headers={"user_id": user_id})).status_code == 404
