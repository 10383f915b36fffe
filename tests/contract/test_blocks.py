"""Blocks through the official clients, alone and on agents (api 6.60, 12)."""

from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, Letta, NotFoundError
from letta_client.types import AgentState

from eunoe.ids import new
from tests.contract.conftest import MakeAgent


@pytest.mark.rule("api-12.1", "api-12.20", "api-12.30", "api-4.6")
def test_the_life_of_a_block(client: Letta, tag: str) -> None:
    made = client.blocks.create(
        label="project", value="Eunoe", tags=[tag], description="What we build", limit=100
    )
    assert client.blocks.retrieve(made.id) == made
    changed = client.blocks.update(made.id, value="Eunoe 2", description=None)
    assert (changed.value, changed.description, changed.tags) == ("Eunoe 2", "What we build", [tag])
    with pytest.raises(APIStatusError) as refused:
        client.blocks.update(made.id, value="x" * 101)
    assert refused.value.status_code == 422
    assert client.blocks.retrieve(made.id).value == "Eunoe 2"
    client.blocks.delete(made.id)
    for call in (client.blocks.retrieve, client.blocks.delete):
        with pytest.raises(NotFoundError):
            call(made.id)


@pytest.mark.rule("api-12.2", "api-5.3", "api-5.11")
def test_blocks_are_listed_oldest_first(client: Letta, tag: str, http: httpx.Client) -> None:
    ids = [client.blocks.create(label=f"l{n}", value=f"v{n}", tags=[tag]).id for n in range(5)]
    assert [one.id for one in client.blocks.list(tags=[tag], limit=2)] == ids
    newest = client.blocks.list(tags=[tag], limit=2, order="desc")
    assert [one.id for one in newest] == ids[::-1]
    assert [one.id for one in client.blocks.list(tags=[tag], label="l3").items] == [ids[3]]
    assert [one.id for one in client.blocks.list(tags=[tag], value_search="V4").items] == [ids[4]]
    assert http.get("/v1/blocks/count", params={"tags": tag}).json() == 5


@pytest.mark.rule("api-6.60")
def test_a_shared_block_is_one_for_all_its_agents(client: Letta, make_agent: MakeAgent) -> None:
    shared = client.blocks.create(label="team", value="two people")
    first, second = make_agent(), make_agent(block_ids=[shared.id])
    attached = client.agents.blocks.attach(shared.id, agent_id=first.id)
    assert [one.label for one in attached.blocks] == ["team"]
    assert client.agents.blocks.attach(shared.id, agent_id=first.id).blocks == attached.blocks
    client.agents.blocks.update("team", agent_id=first.id, value="three people")
    seen = client.agents.blocks.retrieve("team", agent_id=second.id)
    assert (seen.id, seen.value) == (shared.id, "three people")
    assert {one.id for one in client.blocks.agents.list(shared.id)} == {first.id, second.id}
    assert client.agents.blocks.detach(shared.id, agent_id=first.id).blocks == []
    with pytest.raises(NotFoundError):
        client.agents.blocks.detach(shared.id, agent_id=first.id)
    with pytest.raises(NotFoundError):
        client.agents.blocks.retrieve("team", agent_id=first.id)
    assert client.agents.blocks.retrieve("team", agent_id=second.id).value == "three people"


@pytest.mark.rule("api-6.60", "api-5.11")
def test_blocks_of_an_agent_by_label(client: Letta, make_agent: MakeAgent) -> None:
    labels = ["human", "persona", "notes/today"]
    made = make_agent(memory_blocks=[{"label": label, "value": label} for label in labels])
    listed = [one.label or "" for one in client.agents.blocks.list(made.id, order="asc", limit=2)]
    assert sorted(listed) == sorted(labels)
    for label in labels:
        assert client.agents.blocks.retrieve(label, agent_id=made.id).value == label
    changed = client.agents.blocks.update("notes/today", agent_id=made.id, value="rain")
    assert changed.value == "rain"


@pytest.mark.rule("api-6.60", "api-2.8")
def test_unknown_ones_are_missing(client: Letta, agent: AgentState) -> None:
    calls: list[Any] = [
        lambda: client.agents.blocks.attach(new("block"), agent_id=agent.id),
        lambda: client.agents.blocks.attach(str(agent.blocks[0].id), agent_id=new("agent")),
        lambda: client.agents.blocks.detach(new("block"), agent_id=agent.id),
        lambda: client.agents.blocks.list(new("agent")),
        lambda: client.agents.blocks.retrieve("nothing", agent_id=agent.id),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            call()


@pytest.mark.rule("api-1.6", "M1")
def test_text_that_cannot_be_stored_is_cleaned(http: httpx.Client, letta: Letta) -> None:
    body = rb'{"label": "odd", "value": "a\u0000b\ud800c\ud83d\ude00d"}'
    made = http.post("/v1/blocks/", content=body, headers={"content-type": "application/json"})
    assert made.json()["value"] == "abc\N{GRINNING FACE}d"
    assert letta.blocks.retrieve(made.json()["id"]).value == "abc\N{GRINNING FACE}d"
