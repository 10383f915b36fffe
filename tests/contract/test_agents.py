"""Agents through the official clients: made, found, changed, removed (api 6)."""

from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, ConflictError, Letta, NotFoundError
from letta_client.types import AgentState

from eunoe.ids import is_id, new
from tests.contract.conftest import EMBEDDING, MODEL, MakeAgent

UNKNOWN = "00000000-0000-4000-8000-000000000009"
RELATIONS: Any = [
    "agent.blocks",
    "agent.tools",
    "agent.sources",
    "agent.tags",
    "agent.identities",
    "agent.managed_group",
    "agent.secrets",
    "agent.pending_approval",
]


@pytest.mark.rule("api-6.1", "api-6.3", "api-6.5", "api-6.9", "api-2.1", "api-2.6", "api-4.1")
def test_create_answers_with_what_it_wrote(client: Letta, tag: str) -> None:
    made = client.agents.create(
        memory_blocks=[{"label": "human", "value": "Name: Ada"}],
        tags=[tag],
        metadata={"answer": 42},
        extra_body={"id": new("agent")},
    )
    assert is_id("agent", made.id)
    assert (made.agent_type, made.model, made.embedding) == ("letta_v1_agent", MODEL, EMBEDDING)
    assert [block.value for block in made.blocks] == ["Name: Ada"]
    assert made.memory.blocks == made.blocks
    assert (made.tags, made.metadata) == ([tag], {"answer": 42})
    assert client.tags.list(query_text=tag) == [tag]
    assert {tool.name for tool in made.tools} == {
        "conversation_search",
        "memory_replace",
        "memory_insert",
    }
    assert made.message_ids is not None
    assert len(made.message_ids) == 1
    assert made.created_at is not None
    assert made.created_at.tzinfo is not None
    assert client.agents.retrieve(made.id, include=RELATIONS) == made


@pytest.mark.rule("api-6.3", "api-1.12")
def test_relations_come_only_when_asked_for(client: Letta, make_agent: MakeAgent, tag: str) -> None:
    made = make_agent(memory_blocks=[{"label": "human", "value": ""}], tags=[tag])
    bare = client.agents.retrieve(made.id)
    assert (bare.blocks, bare.tools, bare.tags, bare.sources) == ([], [], [], [])
    for relation, count in (("agent.tools", 3), ("agent.blocks", 1), ("agent.tags", 1)):
        (one,) = client.agents.list(tags=[tag], include=[relation]).items  # pyright: ignore[reportArgumentType] -- a literal in a loop
        found = {"agent.tools": one.tools, "agent.blocks": one.blocks, "agent.tags": one.tags}
        assert {name: len(items) for name, items in found.items()} == {
            name: count if name == relation else 0 for name in found
        }
    with pytest.raises(APIStatusError) as refused:
        client.agents.retrieve(made.id, include=["agent.nothing"])  # pyright: ignore[reportArgumentType] -- wrong on purpose
    assert refused.value.status_code == 422


@pytest.mark.rule("api-5.3", "api-5.4", "api-5.11")
def test_paging_meets_each_agent_once_in_either_direction(
    client: Letta, make_agent: MakeAgent, tag: str
) -> None:
    ids = [make_agent(tags=[tag]).id for _ in range(5)]
    for order, expected in (("asc", ids), ("desc", ids[::-1])):
        walked = [one.id for one in client.agents.list(tags=[tag], limit=2, order=order)]  # pyright: ignore[reportArgumentType] -- a literal in a loop
        assert walked == expected
    before = client.agents.list(tags=[tag], order="asc", before=ids[3], limit=2)
    assert [one.id for one in before.items] == ids[1:3]
    window = client.agents.list(tags=[tag], order="asc", after=ids[0], before=ids[4])
    assert [one.id for one in window.items] == ids[1:4]
    assert [one.id for one in client.agents.list(tags=[tag]).items] == ids[::-1]


@pytest.mark.rule("api-6.4", "api-1.4")
def test_filters_and_the_count_agree(
    client: Letta, http: httpx.Client, make_agent: MakeAgent, tag: str
) -> None:
    first = make_agent(name=f"First {tag}", tags=[tag, "red"])
    second = make_agent(name=f"Second {tag}", tags=[tag, "blue"])
    make_agent(name=f"Hidden {tag}", tags=[tag], hidden=True)

    def found(**filters: Any) -> list[str]:
        listed = [one.id for one in client.agents.list(order="asc", **filters)]
        assert http.get("/v1/agents/count", params=filters).json() == len(listed)
        return listed

    assert found(tags=[tag]) == [first.id, second.id]
    assert found(tags=[tag, "red"], match_all_tags=True) == [first.id]
    assert found(name=first.name) == [first.id]
    assert found(query_text=f"SECOND {tag}") == [second.id]
    assert found(tags=[tag], identity_id="identity-of-nobody") == []


@pytest.mark.rule("api-6.30", "api-6.40", "api-4.6", "api-4.7")
def test_patch_sets_what_is_given_and_null_changes_nothing(
    client: Letta, make_agent: MakeAgent, tag: str
) -> None:
    made = make_agent(tags=[tag], description="old", metadata={"a": 1, "b": 2}, max_tokens=500)
    changed = client.agents.update(made.id, name="Ada Two", metadata={"c": 3})
    assert (changed.name, changed.metadata, changed.tags) == ("Ada Two", {"c": 3}, [tag])
    assert changed.description == "old"
    kept = client.agents.update(made.id, name=None, description=None, tags=None, metadata=None)
    assert (kept.name, kept.description, kept.tags) == ("Ada Two", "old", [tag])
    assert kept.metadata == {"c": 3}
    cleared = client.agents.update(made.id, description="", tags=[], metadata={}, max_tokens=None)
    assert (cleared.description, cleared.tags, cleared.metadata) == ("", [], {})
    assert client.agents.update(made.id).name == "Ada Two"
    assert {tool.name for tool in client.agents.update(made.id, tool_ids=[]).tools} == set()


@pytest.mark.rule("api-6.45", "api-2.8", "api-3.2")
def test_delete_takes_the_agent_and_leaves_its_blocks(client: Letta, make_agent: MakeAgent) -> None:
    made = make_agent(memory_blocks=[{"label": "human", "value": "kept"}])
    client.agents.messages.create(made.id, input="Hello.")
    answer: Any = client.agents.delete(made.id)
    assert made.id in answer["message"]
    for call in (
        lambda: client.agents.retrieve(made.id),
        lambda: client.agents.delete(made.id),
        lambda: client.agents.messages.list(made.id),
        lambda: client.agents.messages.create(made.id, input="Hello?"),
    ):
        with pytest.raises(NotFoundError):
            call()
    assert client.blocks.retrieve(str(made.blocks[0].id)).value == "kept"


@pytest.mark.rule("api-2.2", "api-3.1", "api-3.4")
def test_a_malformed_id_is_refused_with_a_sample(client: Letta) -> None:
    with pytest.raises(APIStatusError) as refused:
        client.agents.retrieve("agent-1")
    body: Any = refused.value.body
    assert refused.value.status_code == 422
    assert isinstance(body["detail"], str)
    assert "string_pattern_mismatch" in body["detail"]
    (sample,) = body["examples"]
    assert is_id("agent", sample)


@pytest.mark.rule("api-6.5", "api-6.6", "api-3.2")
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "a/b"}, 422),
        ({"timezone": "Mars/Base"}, 422),
        ({"agent_type": "split_thread_agent"}, 400),
        ({"model": "no-handle"}, 400),
        ({"model": "openai/nothing"}, 404),
        ({"embedding": "openai/nothing"}, 400),
        ({"tools": ["no_such_tool"]}, 400),
        ({"tool_ids": [f"tool-{UNKNOWN}"]}, 400),
        ({"block_ids": [f"block-{UNKNOWN}"]}, 404),
        ({"block_ids": ["block-1"]}, 422),
    ],
)
def test_create_refuses_with_a_reason_and_leaves_nothing(
    letta: Letta, tag: str, fields: dict[str, Any], status: int
) -> None:
    with pytest.raises(APIStatusError) as refused:
        letta.agents.create(tags=[tag], **fields)
    body: Any = refused.value.body
    assert (refused.value.status_code, isinstance(body["detail"], str)) == (status, True)
    assert letta.agents.list(tags=[tag]).items == []


@pytest.mark.rule("api-6.80")
def test_the_context_adds_up(client: Letta, agent: AgentState, http: httpx.Client) -> None:
    client.agents.messages.create(agent.id, input="Hello.")
    context = http.get(f"/v1/agents/{agent.id}/context").json()
    parts = ("system", "core_memory", "summary_memory", "functions_definitions", "messages")
    counts = [context[f"num_tokens_{part}"] for part in parts]
    assert all(isinstance(count, int) for count in counts)
    assert context["context_window_size_max"] == 128_000
    assert 0 < context["context_window_size_current"] <= 128_000
    assert "Name: Ada" in context["core_memory"]
    assert context["num_messages"] == 3


@pytest.mark.rule("api-6.80", "api-1.8", "api-6.60", "L23")
def test_recompile_answers_the_new_text(client: Letta, agent: AgentState) -> None:
    client.agents.update(agent.id, system="You count sheep.")
    told = client.agents.recompile(agent.id, dry_run=True)
    assert "You count sheep." in told
    assert "You count sheep." in client.agents.recompile(agent.id)
    client.agents.blocks.update("human", agent_id=agent.id, value="Name: Grace")
    client.agents.messages.create(agent.id, input="Who am I?")
    system = client.agents.messages.list(agent.id, order="asc", limit=1).items[0]
    assert system.message_type == "system_message"
    assert "You count sheep." in str(system.content)
    assert "Name: Grace" in str(system.content)


@pytest.mark.rule("api-8.12")
def test_reset_empties_the_window_and_keeps_the_history(client: Letta, agent: AgentState) -> None:
    client.agents.messages.create(agent.id, input="Remember 4711.")
    after: Any = client.agents.messages.reset(agent.id, add_default_initial_messages=False)
    assert len(after.message_ids) == 1
    said = [one.message_type for one in client.agents.messages.list(agent.id).items]
    assert said == ["system_message", "user_message", "assistant_message"]
    assert client.agents.messages.create(agent.id, input="Hello.").usage.step_count == 1


@pytest.mark.rule("api-8.12", "api-9.12", "C26")
def test_compaction_shrinks_the_window_and_loses_no_history(
    client: Letta, agent: AgentState, http: httpx.Client
) -> None:
    for number in range(6):
        client.agents.messages.create(agent.id, input=f"This is turn {number}.")
    before = http.get(f"/v1/agents/{agent.id}/context").json()["num_messages"]
    done = client.agents.messages.compact(agent.id, compaction_settings={"mode": "all"})
    assert done.summary
    assert done.num_messages_before == before == 13
    assert done.num_messages_after < before
    listed = client.agents.messages.list(agent.id, limit=200).items
    said = [str(one.content) for one in listed if one.message_type == "user_message"]
    assert [f"This is turn {n}." in said for n in range(6)] == [True] * 6
    assert client.agents.messages.create(agent.id, input="Hello.").usage.step_count == 1


@pytest.mark.rule("api-6.50", "api-13.3", "api-5.11", "api-6.11")
def test_tools_of_an_agent(client: Letta, make_agent: MakeAgent) -> None:
    (tool,) = client.tools.list(name="memory_rethink").items
    assert client.tools.retrieve(tool.id).json_schema == tool.json_schema
    made = make_agent(include_base_tools=False)
    assert client.agents.tools.list(made.id).items == []
    for _ in range(2):
        assert client.agents.tools.attach(tool.id, agent_id=made.id) is None
    assert [one.id for one in client.agents.tools.list(made.id).items] == [tool.id]
    for _ in range(2):
        assert client.agents.tools.detach(tool.id, agent_id=made.id) is None
    assert client.agents.tools.list(made.id).items == []
    with pytest.raises(NotFoundError):
        client.agents.tools.attach(new("tool"), agent_id=made.id)
    with pytest.raises(NotFoundError):
        client.tools.retrieve(new("tool"))
    for required in (True, False):
        client.agents.tools.update_approval(
            "memory_rethink", agent_id=made.id, body_requires_approval=required
        )
        rules = client.agents.retrieve(made.id).tool_rules or []
        assert [one.tool_name for one in rules] == ["memory_rethink"] * required


@pytest.mark.rule("api-13.3", "api-5.4")
def test_tools_are_listed_page_by_page(client: Letta) -> None:
    whole = [one.id for one in client.tools.list(limit=200).items]
    walked = [one.id for one in client.tools.list(limit=3)]
    assert walked == whole
    assert len(set(walked)) == len(walked) > 3
    names = client.tools.list(names=["memory_insert", "memory_replace"]).items
    assert {one.name for one in names} == {"memory_insert", "memory_replace"}
    assert [one.tool_type for one in client.tools.list(tool_types=["custom"]).items] == []


@pytest.mark.rule("api-6.8", "api-6.60", "api-1.7", "api-12.1")
def test_two_blocks_of_one_label_are_a_conflict_not_to_be_retried(
    client: Letta, agent: AgentState
) -> None:
    other = client.blocks.create(label="human", value="")
    with pytest.raises(ConflictError) as refused:
        client.agents.blocks.attach(other.id, agent_id=agent.id)
    assert refused.value.response.headers["x-should-retry"] == "false"
    with pytest.raises(ConflictError):
        client.agents.create(block_ids=[other.id, str(agent.blocks[0].id)])
