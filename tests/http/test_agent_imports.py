"""Agents brought in from files: what is taken, how it can be had otherwise, what is refused (7.2)."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from eunoe.domain.messages import Json, text_of
from eunoe.store import lists
from tests.fixtures.apis import EMBEDDING, MODEL, Api
from tests.http import v1_files
from tests.http.filing import ACTOR, exported, imported, sent
from tests.http.mutations import mutated

pytestmark = pytest.mark.anyio

INCLUDED = [f"agent.{one}" for one in ("blocks", "tools", "tags", "managed_group", "secrets")]


async def state(api: Api, agent_id: str) -> Json:
    found: Json = await api.got(f"/v1/agents/{agent_id}", include=INCLUDED)
    return found


async def counts(api: Api) -> list[int]:
    """Return how many there are of all that an import makes."""
    async with api.db.read(ACTOR) as tx:
        return [
            await tx.fetch_value(f"SELECT COUNT(*) FROM {table}")  # noqa: S608 -- names of ours
            for table in ("agents", "blocks", "tools", "messages", "agent_groups", "archives")
        ]


@pytest.mark.rule("api-7.2", "L58", "api-9.6")
async def test_a_file_of_the_first_servers_is_taken(api: Api) -> None:
    made = await imported(api, json.dumps(v1_files.legacy()))
    (agent_id,) = made["agent_ids"]
    agent = await state(api, agent_id)
    assert agent["name"] == "Dungeon Master _v2__copy"
    assert {block["label"]: block["value"] for block in agent["blocks"]} == {
        "human": "Ada plays.",
        "persona": "I roll dice.",
    }
    assert [block["limit"] for block in agent["blocks"]] == [10, 12]
    assert [tool["name"] for tool in agent["tools"]] == ["roll_d20", "send_message"]
    dice = agent["tools"][0]
    assert (dice["tool_type"], dice["return_char_limit"]) == ("custom", 6000)
    assert dice["json_schema"]["parameters"]["properties"] == {}
    assert [rule["type"] for rule in agent["tool_rules"]] == [
        "exit_loop",
        "run_first",
        "constrain_child_tools",
    ]
    assert (agent["tags"], agent["metadata"]) == (["game"], {"table": 4})
    assert agent["llm_config"]["context_window"] == 64_000
    assert (agent["model"], agent["embedding"]) == (MODEL, EMBEDDING)
    told = "\n".join(made["warnings"])
    for place in ("agents[0].moon_phase", "core_memory_dream", "agents[0].name"):
        assert place in told

    async with api.db.read(ACTOR) as tx:
        window = await lists.window(tx, agent_id)
        listed = await lists.recent(tx, agent_id, limit=100)
    assert [message.role for message in listed] == [
        "system", "assistant", "tool", "user", "assistant", "tool", "user",
    ]  # fmt: skip
    assert [message.id for message in window] == [listed[at].id for at in (0, 3, 4, 5, 6)]
    (greeting,), (roll,) = listed[1].calls, listed[4].calls
    assert (greeting.thinking, greeting.heartbeat) == ("Somebody is here.", False)
    assert json.loads(greeting.arguments) == {"message": "Hello."}
    assert (roll.thinking, roll.heartbeat, roll.arguments) == ("I roll.", True, "{}")
    (rolled,) = listed[5].returns
    assert (rolled.call_id, rolled.name, rolled.output) == ("call_b", "roll_d20", "7")
    assert (rolled.stdout, rolled.time) == (("rolled",), "2024-11-05 03:04:05 PM PST-0800")
    assert text_of(listed[6]) == "Thanks."
    shown = await api.got(f"/v1/agents/{agent_id}/messages")
    thoughts = [(one["reasoning"], one["source"]) for one in shown if "reasoning" in one]
    assert thoughts[1:3] == [("A die.", "reasoner_model"), ("It is time.", "non_reasoner_model")]
    assert listed[6].created_at.isoformat() == "2024-11-05T23:04:06.500000+00:00"


@pytest.mark.rule("api-7.2", "api-6.15")
async def test_a_file_of_the_later_servers_is_taken(api: Api) -> None:
    made = await imported(api, json.dumps(json.dumps(v1_files.graph())), append_copy_suffix=False)
    main, partner = [await state(api, agent_id) for agent_id in made["agent_ids"]]
    assert (main["name"], partner["name"]) == ("Master", "Master-sleeptime")
    assert main["enable_sleeptime"] is True
    assert main["managed_group"]["agent_ids"] == [partner["id"]]
    assert main["managed_group"]["sleeptime_agent_frequency"] == 3
    shared = {block["id"] for block in main["blocks"]}
    assert shared < {block["id"] for block in partner["blocks"]}
    assert len(partner["message_ids"]) == 1
    assert main["timezone"] == "America/Los_Angeles"
    told = "\n".join(made["warnings"])
    assert "external_composio" in told
    (folder,) = (await api.sdk.get("/v1/folders/")).json()
    assert folder["name"] == "rules"
    async with api.db.read(ACTOR) as tx:
        window = await lists.window(tx, main["id"])
    asked, answered = window[-2:]
    assert answered.request_id == asked.id
    assert [one.call_id for one in answered.approvals] == ["call_c"]


@pytest.mark.rule("api-7.2")
async def test_the_caller_can_have_it_otherwise(api: Api) -> None:
    file = v1_files.graph()
    file["agents"][1]["name"] = "नमस्ते"
    for entry in file["agents"]:
        entry["llm_config"] |= {"handle": "nowhere/m", "provider_name": "nowhere"}
    text = json.dumps(file)
    made = await imported(api, text, name="Guide", strip_messages=True)
    main, partner = [await state(api, agent_id) for agent_id in made["agent_ids"]]
    assert (main["name"], partner["name"]) == ("Guide", "नमस्ते_copy")
    assert len(main["message_ids"]) == 1
    assert main["model"] == "nowhere/m"
    assert "nobody serves nowhere/m here" in "\n".join(made["warnings"])

    served = await imported(
        api,
        text,
        override_model_handle=MODEL,
        embedding=EMBEDDING,
        secrets='{"DICE_KEY": "x", "OTHER": "y"}',
        project_id="p1",
        headers={"X-Project-Id": "p2"},
    )
    assert not any("nobody serves" in one for one in served["warnings"])
    agent = await state(api, served["agent_ids"][0])
    assert (agent["model"], agent["project_id"]) == (MODEL, "p2")
    assert [(one["key"], one["value"]) for one in agent["secrets"]] == [("DICE_KEY", "x")]
    unfilled = await state(api, made["agent_ids"][0])
    assert [(one["key"], one["value"]) for one in unfilled["secrets"]] == [("DICE_KEY", "")]
    assert agent["compaction_settings"]["model"] == "openai/gpt-5-mini"

    for form, status in (
        ({"model": "openai/nothing"}, 404),
        ({"embedding": "openai/nothing"}, 400),
        ({"headers": {"x-override-embedding-model": "openai/nothing"}}, 400),
        ({"secrets": "[1]"}, 400),
        ({"secrets": json.dumps(_deep(700))}, 400),
        ({"env_vars_json": "{"}, 400),
        ({"name": "a/b"}, 400),
    ):
        assert (await sent(api, text, **form)).status_code == status, form


@pytest.mark.rule("api-7.2", "api-13.2")
async def test_tools_are_matched_by_name(api: Api) -> None:
    first = v1_files.graph()
    first["tools"][1]["description"] = "Ours to say."
    await imported(api, json.dumps(first))
    second = v1_files.graph()
    second["tools"][0]["description"] = "Another die."
    kept = await imported(api, json.dumps(second), override_existing_tools=False)
    (tool, *_) = (await state(api, kept["agent_ids"][0]))["tools"]
    assert tool["description"] == "Roll a die with twenty sides."
    changed = await imported(api, json.dumps(second))
    (again, own) = (await state(api, changed["agent_ids"][0]))["tools"]
    assert (again["id"], again["description"]) == (tool["id"], "Another die.")
    assert again["pip_requirements"] == [{"name": "dice", "version": "4.0.0"}]
    assert (own["name"], own["description"]) == ("send_message", "What send_message does.")


@pytest.mark.rule("api-7.2")
async def test_a_file_that_names_no_model_gets_the_servers(api: Api) -> None:
    file = {"agents": [{"id": "a", "memory_blocks": [{"label": "human", "value": "Ada"}]}]}
    made = await imported(api, json.dumps(file))
    agent = await state(api, made["agent_ids"][0])
    assert (agent["model"], agent["embedding"]) == (MODEL, EMBEDDING)
    assert agent["compaction_settings"]["model"] == "openai/gpt-5-mini"
    assert [block["value"] for block in agent["blocks"]] == ["Ada"]


def _without(*path: Any) -> Callable[[Json], None]:
    def change(file: Json) -> None:
        held: Any = file
        for step in path[:-1]:
            held = held[step]
        del held[path[-1]]

    return change


def _with(value: object, *path: Any) -> Callable[[Json], None]:
    def change(file: Json) -> None:
        held: Any = file
        for step in path[:-1]:
            held = held[step]
        held[path[-1]] = value

    return change


def _deep(levels: int) -> Json:
    value: Json = {}
    for _ in range(levels):
        value = {"a": value}
    return value


BAD: dict[str, tuple[Callable[[Json], None], str]] = {
    "no agents": (_without("agents"), "agents"),
    "no agent": (_with([], "agents"), "agents"),
    "no id": (_without("agents", 1, "id"), "agents[1].id"),
    "a role": (_with("king", "agents", 0, "messages", 3, "role"), "agents[0].messages[3].role"),
    "a rule": (_with([{"type": "x"}], "agents", 0, "tool_rules"), "agents[0].tool_rules"),
    "a time": (_with("soon", "agents", 0, "messages", 2, "created_at"), "messages[2].created_at"),
    "a far time": (_with("9999-12-31T23:59:59-05:00", "agents", 0, "messages", 2, "created_at"), "created_at"),
    "twice": (_with("block-0", "blocks", 1, "id"), "blocks[1].id"),
    "two labels": (_with("human", "blocks", 1, "label"), "agents[0].block_ids"),
    "no block": (_with(["block-9"], "agents", 1, "block_ids"), "agents[1].block_ids"),
    "no tool": (_with(["tool-9"], "agents", 1, "tool_ids"), "agents[1].tool_ids"),
    "no message": (_with(["x"], "agents", 0, "in_context_message_ids"), "in_context_message_ids"),
    "a message twice": (_with(["message-0"] * 2, "agents", 0, "in_context_message_ids"), "twice"),
    "no member": (_with(["agent-7"], "groups", 0, "agent_ids"), "groups[0].agent_ids"),
    "no manager": (_with({"manager_type": "dynamic"}, "groups", 0, "manager_config"), "groups[0].manager_config"),
    "a deep value": (_with(_deep(600), "blocks", 0, "metadata"), ""),
    "a deep value of a tool": (_with(_deep(900), "tools", 0, "json_schema", "parameters"), ""),
    "a deep value of an agent": (_with(_deep(300), "agents", 0, "metadata"), ""),
    "a context window": (_with(0, "agents", 0, "llm_config", "context_window"), "context_window"),
    "no base64": (_with([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}}], "agents", 0, "messages", 3, "content"), "base64"),
    "an unknown format": (_with({"format": 7, "said": []}, "eunoe"), "eunoe.format"),
}  # fmt: skip


@pytest.mark.rule("api-7.2")
async def test_a_bad_file_is_refused_by_its_place_and_changes_nothing(api: Api) -> None:
    before = await counts(api)
    for name, (change, place) in BAD.items():
        file = v1_files.graph()
        change(file)
        reply = await sent(api, json.dumps(file))
        assert reply.status_code == 400, f"{name}: {reply.text}"
        assert place in reply.json()["detail"], name
    for text in (b"", b"{", b"[]", b"null", b'"{"', b"\xff\xfe", b"[" * 100_000):
        reply = await sent(api, text)
        assert reply.status_code == 400, reply.text
        assert "INVALID_ARGUMENT" in reply.json()["detail"]
    assert await counts(api) == before


@pytest.mark.rule("api-7.2", "api-1.6")
async def test_text_that_cannot_be_stored_is_cleaned(api: Api) -> None:
    file = v1_files.graph()
    file["blocks"][0]["value"] = "a\x00b\ud800c"
    made = await imported(api, json.dumps(file).encode(), name="Gu\x00ide", project_id="p\x00")
    agent = await state(api, made["agent_ids"][0])
    assert agent["blocks"][0]["value"] == "abc"
    assert (agent["name"], agent["project_id"]) == ("Guide", "p")


@pytest.mark.rule("api-7.1", "api-7.2")
async def test_what_can_be_stored_can_be_filed(api: Api) -> None:
    file = v1_files.graph()
    file["tools"][0]["json_schema"]["parameters"] = _deep(251)
    first = await imported(api, json.dumps(file))
    again = await imported(api, await exported(api, first["agent_ids"][0]))
    (tool, _) = (await state(api, again["agent_ids"][0]))["tools"]
    assert tool["json_schema"]["parameters"] == _deep(251)


@pytest.mark.rule("api-7.2")
async def test_whatever_is_changed_in_a_file_the_server_does_not_fail(api: Api) -> None:
    agent = await api.agent(
        include_base_tools=False, memory_blocks=[{"label": "human", "value": "Ada"}]
    )
    aside = await api.made(
        f"/v1/conversations/?agent_id={agent['id']}", isolated_block_labels=["human"]
    )
    assert aside["isolated_block_ids"]
    await api.sdk.post(f"/v1/agents/{agent['id']}/archival-memory", json={"text": "A fact."})
    whole = json.loads(await exported(api, agent["id"], everything=True))
    chance = random.Random(7)  # noqa: S311 -- the same files each time
    statuses: set[int] = set()
    for file in (v1_files.legacy(), v1_files.graph(), whole):
        for _ in range(25):
            before = await counts(api)
            reply = await sent(api, json.dumps(mutated(file, chance)))
            assert reply.status_code < 500, reply.text
            if reply.status_code != 200:
                assert await counts(api) == before
            statuses.add(reply.status_code)
    assert {200, 400} <= statuses
