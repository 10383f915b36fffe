"""Agents made over HTTP, read with the official client's types."""

from secrets import token_hex

import pytest
from letta_client.types import AgentState

from eunoe.domain.messages import Json, text_of
from eunoe.ids import DEFAULT_USER
from eunoe.store import lists
from eunoe.store.db import Actor
from tests.fixtures.apis import EMBEDDING, MODEL, Api, names

pytestmark = pytest.mark.anyio


@pytest.mark.rule("api-6.1", "api-6.5", "api-6.9", "api-6.10")
async def test_an_agent_made_of_nothing_has_every_default(api: Api) -> None:
    made = await api.agent()

    read = AgentState.model_validate(made)
    assert read.name.isalpha()
    assert (read.agent_type, read.timezone) == ("letta_v1_agent", "UTC")
    assert (read.model, read.embedding) == (MODEL, EMBEDDING)
    assert names(made) == ["conversation_search", "memory_replace", "memory_insert"]
    assert made["tool_rules"] == []
    assert (read.blocks, read.memory.blocks, read.tags) == ([], [], [])
    assert len(made["message_ids"]) == 1
    assert (read.max_files_open, read.per_file_view_window_char_limit) == (10, 25_000)
    assert read.compaction_settings is not None
    assert read.compaction_settings.mode == "sliding_window"
    assert read.compaction_settings.prompt
    assert made["created_at"].endswith("Z")


@pytest.mark.rule("api-4.4")
async def test_deprecated_twins_are_equal(api: Api) -> None:
    made = await api.agent(memory_blocks=[{"label": "human", "value": "Ada"}])
    assert made["memory"]["blocks"] == made["blocks"]
    assert made["secrets"] == made["tool_exec_environment_variables"]
    assert made["managed_group"] == made["multi_agent_group"]
    assert made["llm_config"]["handle"] == made["model"]
    assert made["embedding_config"]["handle"] == made["embedding"]


@pytest.mark.rule("api-6.3", "api-6.8", "A10")
async def test_given_blocks_come_before_made_ones_and_are_described(api: Api) -> None:
    shared = await api.block("project", "Eunoe")
    made = await api.agent(
        block_ids=[shared["id"]],
        memory_blocks=[{"label": "human", "value": "Ada"}, {"label": "notes", "value": ""}],
    )
    assert [block["label"] for block in made["blocks"]] == ["project", "human", "notes"]
    assert made["blocks"][0]["id"] == shared["id"]
    assert made["blocks"][1]["description"]
    assert made["blocks"][2]["description"] is None


@pytest.mark.rule("api-6.8")
@pytest.mark.parametrize("labels", [["human", "human"], ["project", "human"]])
async def test_two_blocks_of_one_label_are_a_conflict_and_leave_nothing(
    api: Api, labels: list[str]
) -> None:
    shared = await api.block("project")
    body = {
        "block_ids": [shared["id"]],
        "memory_blocks": [{"label": label, "value": ""} for label in [*labels, labels[0]]],
    }
    reply = await api.sdk.post("/v1/agents/", json=body)
    assert reply.status_code == 409
    assert reply.headers["x-should-retry"] == "false"
    assert await api.got("/v1/agents/count") == 0
    assert await api.got("/v1/blocks/count") == 1


@pytest.mark.rule("api-6.13", "api-9.14")
async def test_the_first_message_is_the_compiled_system_message(api: Api) -> None:
    made = await api.agent(
        system="Be kind. {CORE_MEMORY}",
        memory_blocks=[{"label": "human", "value": "Ada"}],
        initial_message_sequence=[
            {"role": "user", "content": "Hello."},
            {"role": "assistant", "content": "Hi, Ada."},
            {"role": "system", "content": [{"type": "text", "text": "It rains."}]},
        ],
    )
    async with api.db.read(Actor()) as tx:
        window = await lists.window(tx, made["id"])
    assert [message.id for message in window] == made["message_ids"]
    assert [message.role for message in window] == ["system", "user", "assistant", "system"]
    texts = [text_of(message) for message in window]
    assert "Be kind. <memory_blocks>" in texts[0]
    assert '"type": "user_message"' in texts[1]
    assert texts[2] == "Hi, Ada."
    assert '"type": "system_alert"' in texts[3]


@pytest.mark.rule("api-6.5", "api-6.6", "R9")
async def test_model_fields_are_merged(api: Api) -> None:
    made = await api.agent(
        model=MODEL,
        context_window_limit=9_000,
        max_tokens=500,
        model_settings={"provider_type": "openai", "temperature": 0.1},
        parallel_tool_calls=True,
        compaction_settings={"mode": "all", "clip_chars": None},
    )
    config, settings = made["llm_config"], made["model_settings"]
    assert (config["context_window"], config["max_tokens"]) == (9_000, 500)
    assert (config["temperature"], settings["temperature"]) == (0.1, 0.1)
    assert (settings["max_output_tokens"], settings["provider_type"]) == (500, "openai")
    assert settings["parallel_tool_calls"] is True
    assert made["compaction_settings"]["mode"] == "all"
    assert made["compaction_settings"]["clip_chars"] is None
    assert (
        made["compaction_settings"]["prompt"]
        != (await api.agent())["compaction_settings"]["prompt"]
    )


@pytest.mark.rule("api-6.6")
async def test_an_old_configuration_wins_over_the_handle(api: Api) -> None:
    made = await api.agent(
        model="openai/gpt-4.1",
        llm_config={
            "model": "gpt-4o-mini",
            "model_endpoint_type": "openai",
            "model_endpoint": "http://elsewhere.invalid",
            "context_window": 7_000,
        },
    )
    assert (made["model"], made["llm_config"]["context_window"]) == (MODEL, 7_000)
    assert "elsewhere" not in made["llm_config"]["model_endpoint"]


@pytest.mark.rule("api-6.9", "api-6.10", "api-6.11")
async def test_tools_by_name_and_id_bring_their_rules(api: Api) -> None:
    send = (await api.got("/v1/tools/", name="send_message"))[0]
    made = await api.agent(
        tools=["memory_insert"],
        tool_ids=[send["id"]],
        tool_rules=[
            {"type": "max_count_per_step", "tool_name": "send_message", "max_count_limit": 1}
        ],
    )
    assert set(names(made)) == {
        "conversation_search",
        "memory_replace",
        "memory_insert",
        "send_message",
    }
    rules = {(rule["type"], rule["tool_name"]) for rule in made["tool_rules"]}
    assert rules == {
        ("max_count_per_step", "send_message"),
        ("exit_loop", "send_message"),
        ("continue_loop", "conversation_search"),
        ("continue_loop", "memory_replace"),
        ("continue_loop", "memory_insert"),
    }
    AgentState.model_validate(made)


@pytest.mark.rule("api-6.9")
async def test_without_base_tools_there_are_none(api: Api) -> None:
    assert (await api.agent(include_base_tools=False))["tools"] == []


REFUSED: list[tuple[Json, int, str]] = [
    (
                {"agent_type": "split_thread_agent", "include_base_tools": False},
                400,
                "split_thread_agent",
            ),
    ({"agent_type": "nonsense"}, 422, "agent_type"),
    ({"model": "no-slash"}, 400, "no-slash"),
    ({"model": "nobody/model"}, 404, "nobody"),
    ({"embedding": "no-slash"}, 422, "embedding"),
    ({"embedding": "nobody/model"}, 400, "nobody"),
    ({"tools": ["no_such_tool"]}, 400, "no_such_tool"),
    ({"tool_ids": ["tool-00000000-0000-4000-8000-000000000009"]}, 400, "tool-0000"),
    ({"tool_ids": ["nonsense"]}, 422, "tool-"),
    ({"block_ids": ["block-00000000-0000-4000-8000-000000000009"]}, 404, "block-0000"),
    ({"name": "bad/name"}, 422, "name"),
    ({"name": ""}, 422, "name"),
    ({"max_files_open": -(2**70)}, 422, "max_files_open"),
    ({"timezone": "Mars/Olympus"}, 422, "timezone"),
    ({"max_files_open": 1_001}, 400, "max_files_open"),
    ({"secrets": {"A=B": "hunter2"}}, 422, "secrets"),
    ({"tool_exec_environment_variables": {"KEY": ["hunter2"]}}, 422, "environment"),
    ({"identity_ids": ["identity-00000000-0000-4000-8000-000000000009"]}, 404, "identity-0000"),
    ({"identity_ids": ["nonsense"]}, 422, "identity-"),
    ({"folder_ids": ["source-00000000-0000-4000-8000-000000000009"]}, 404, "folders"),
    ({"enable_sleeptime": True, "agent_type": "sleeptime_agent"}, 400, "enable_sleeptime"),
    ({"tool_rules": [{"type": "unheard_of", "tool_name": "x"}]}, 422, "tool_rules"),
    ({"tool_rules": [{"type": "conditional", "tool_name": "x", "child_output_mapping": {}}]}, 422, "child"),
    ({"memory_blocks": [{"label": "human", "value": "12345", "limit": 4}]}, 422, "human"),
    ({"model_settings": {"provider_type": "unheard_of"}}, 422, "provider_type"),
    ({"max_tokens": 100, "max_reasoning_tokens": 200}, 400, "max_reasoning_tokens"),
]  # fmt: skip


@pytest.mark.rule("api-3.2", "api-3.4", "api-6.2", "api-6.5", "api-6.11", "FIX-25")
@pytest.mark.parametrize(("body", "status", "named"), REFUSED)
async def test_what_cannot_be_made_is_refused_by_name(
    api: Api, body: Json, status: int, named: str
) -> None:
    reply = await api.sdk.post("/v1/agents/", json=body)
    assert (reply.status_code, named in reply.json()["detail"]) == (status, True), reply.text
    assert "hunter2" not in reply.text
    assert await api.got("/v1/agents/count") == 0


@pytest.mark.rule("api-3.4")
async def test_empty_requests_for_what_is_not_served_and_unknown_fields_pass(api: Api) -> None:
    made = await api.agent(
        secrets={}, identity_ids=[], folder_ids=None, enable_sleeptime=False, colour="red"
    )
    assert made["secrets"] == []


@pytest.mark.rule("api-6.5", "api-3.4")
@pytest.mark.parametrize("name", ["Анна", "नमस्ते", "สวัสดี", "e\u0301", "O'Hara-2 _"])
async def test_a_name_may_be_of_any_script(api: Api, name: str) -> None:
    made = await api.agent(name=name)
    renamed = await api.sdk.patch(f"/v1/agents/{made['id']}", json={"name": f"{name} 2"})
    assert (made["name"], renamed.json()["name"]) == (name, f"{name} 2")


@pytest.mark.rule("A9", "api-6.12")
async def test_a_subagent_is_hidden(api: Api) -> None:
    made = await api.agent(tags=["role:subagent"])
    assert made["hidden"] is True
    assert await api.got("/v1/agents/") == []
    assert len(await api.got("/v1/agents/", show_hidden_agents=True)) == 1


@pytest.mark.rule("api-3.2", "api-3.4")
@pytest.mark.parametrize(("depth", "status"), [(200, 200), (254, 200), (255, 400)])
async def test_what_was_stored_can_be_read_however_deep(api: Api, depth: int, status: int) -> None:
    metadata = '{"a":' * depth + "1" + "}" * depth
    made = await api.sdk.post(
        "/v1/agents/",
        content=f'{{"metadata": {metadata}}}',
        headers={"content-type": "application/json"},
    )
    assert made.status_code == status
    if status == 200:
        again = await api.got(f"/v1/agents/{made.json()['id']}")
        assert again["metadata"] == made.json()["metadata"]


LONG = token_hex(1_001)


@pytest.mark.rule("api-3.2", "api-27")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("agents", {"tags": [LONG]}),
        ("blocks", {"label": LONG, "value": ""}),
        ("folders", {"name": LONG, "embedding": EMBEDDING}),
        ("identities", {"identifier_key": LONG, "name": "n", "identity_type": "user"}),
    ],
)
async def test_what_an_index_cannot_hold_is_refused_on_both_engines(
    api: Api, path: str, body: Json
) -> None:
    reply = await api.sdk.post(f"/v1/{path}/", json=body)
    assert reply.status_code == 422, reply.text
    assert "2,000 bytes" in reply.json()["detail"]


PROVIDER = {"name": "p", "provider_type": "openai", "api_key": "k"}
TYPES = (
    "letta_v1_agent", "memgpt_agent", "memgpt_v2_agent", "react_agent", "workflow_agent",
    "sleeptime_agent", "voice_sleeptime_agent",
)  # fmt: skip


@pytest.mark.rule("api-6.2", "api-4.8")
async def test_agents_are_made_of_every_type_and_say_by_whom_and_when(api: Api) -> None:
    for kind in TYPES:
        made = await api.agent(agent_type=kind, include_base_tools=False)
        assert made["agent_type"] == made["memory"]["agent_type"] == kind
        assert made["created_by_id"] == made["last_updated_by_id"] == DEFAULT_USER
        assert made["created_at"] <= made["updated_at"]


@pytest.mark.rule("api-4.8")
@pytest.mark.parametrize(
    ("path", "body", "change", "dated"),
    [
        ("blocks", {"label": "human", "value": "x"}, {"value": "y"}, ""),
        ("tools", {"source_code": "def roll():\n    '''Roll.'''"}, {"tags": ["x"]}, ""),
        ("folders", {"name": "f", "embedding": EMBEDDING}, {"name": "g"}, "created_at updated_at"),
        ("archives", {"name": "a"}, {"name": "b"}, "created_at updated_at"),
        ("providers", PROVIDER, {"api_key": "k"}, "updated_at"),
    ],
)
async def test_what_is_made_says_by_whom_and_what_is_dated_when(
    api: Api, path: str, body: Json, change: Json, dated: str
) -> None:
    made = await api.made(f"/v1/{path}/", **body)
    changed = await api.sdk.patch(f"/v1/{path}/{made['id']}", json=change)
    assert changed.status_code == 200, changed.text
    for shown in (made, changed.json()):
        if path != "providers":
            assert shown["created_by_id"] == shown["last_updated_by_id"] == DEFAULT_USER
        assert [name for name in ("created_at", "updated_at") if shown.get(name)] == dated.split()


@pytest.mark.rule("api-6.12")
async def test_tags_are_a_set_that_a_patch_replaces(api: Api) -> None:
    made = await api.agent(tags=["b", "a", "b"])
    assert made["tags"] == ["a", "b"]
    path = f"/v1/agents/{made['id']}"
    assert (await api.sdk.patch(path, json={"tags": None})).json()["tags"] == made["tags"]
    assert (await api.sdk.patch(path, json={"tags": ["c", "c"]})).json()["tags"] == ["c"]
    assert await api.got("/v1/tags/") == ["c"]
    assert (await api.sdk.patch(path, json={"tags": []})).json()["tags"] == []


@pytest.mark.rule("api-2.5")
async def test_ids_to_filter_by_are_any_text_but_for_two(api: Api) -> None:
    await api.agent()
    for path, name in (
        ("agents", "identity_id"), ("agents", "template_id"), ("agents", "created_by_id"),
        ("agents", "project_id"), ("blocks", "project_id"), ("runs", "agent_id"),
        ("runs", "conversation_id"), ("steps", "agent_id"), ("conversations", "agent_id"),
        ("groups", "project_id"), ("identities", "project_id"), ("jobs", "source_id"),
    ):  # fmt: skip
        assert await api.got(f"/v1/{path}/", **{name: "whatever"}) == [], (path, name)
    for path, name, method in (
        ("blocks", "identity_id", "GET"),
        ("admin/users", "user_id", "DELETE"),
    ):
        reply = await api.sdk.request(method, f"/v1/{path}/", params={name: "whatever"})
        assert reply.status_code == 422, (path, name)
