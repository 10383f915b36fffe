"""Archives and passages through the official clients (api 6.70, 14)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from letta_client import APIStatusError, ConflictError, Letta, NotFoundError
from letta_client.types import AgentState

from eunoe.ids import new
from tests.contract.conftest import EMBEDDING, MakeAgent


@pytest.mark.rule("api-14.4", "api-14.1", "M22")
def test_an_agent_keeps_and_finds_texts(client: Letta, agent: AgentState) -> None:
    assert client.archives.list(agent_id=agent.id).items == []
    texts = ["Ada drinks green tea.", "The cellar is damp.", "Trains leave at nine."]
    ids = [
        made.id
        for text in texts
        for made in client.agents.passages.create(agent.id, text=text, tags=["fact"])
    ]
    (archive,) = client.archives.list(agent_id=agent.id).items
    listed = client.agents.passages.list(agent.id)
    assert [(one.id, one.text, one.archive_id) for one in listed] == [
        (passage_id, text, archive.id) for passage_id, text in zip(ids, texts, strict=True)
    ]
    found = client.agents.passages.search(agent.id, query="green tea", top_k=1)
    assert (found.count, [one.content for one in found.results]) == (1, texts[:1])
    assert client.agents.passages.search(agent.id, query="tea", tags=["other"]).count == 0
    client.agents.passages.delete(ids[0] or "", agent_id=agent.id)
    assert len(client.agents.passages.list(agent.id)) == 2
    with pytest.raises(NotFoundError):
        client.agents.passages.delete(ids[0] or "", agent_id=agent.id)


@pytest.mark.rule("api-14.4", "api-5.4", "api-5.11")
def test_passages_are_listed_oldest_first_page_by_page(client: Letta, agent: AgentState) -> None:
    for number in range(5):
        client.agents.passages.create(agent.id, text=f"text {number}")
    whole = [one.id or "" for one in client.agents.passages.list(agent.id)]
    first = [one.id for one in client.agents.passages.list(agent.id, limit=2)]
    then = [one.id for one in client.agents.passages.list(agent.id, limit=9, after=whole[1])]
    newest = client.agents.passages.list(agent.id, limit=2, ascending=False)
    assert first + then == whole
    assert [one.id for one in newest] == whole[:2:-1]
    assert [one.text for one in client.agents.passages.list(agent.id, search="text 3")] == [
        "text 3"
    ]


@pytest.mark.rule("api-14.1", "api-14.2", "api-14.3", "api-5.6")
def test_the_life_of_an_archive(client: Letta, tag: str) -> None:
    made = client.archives.create(name=tag, description="old", embedding=EMBEDDING)
    assert client.archives.retrieve(made.id) == made
    assert client.archives.update(made.id, description="new").description == "new"
    assert [one.id for one in client.archives.list(name=tag)] == [made.id]
    one = client.archives.passages.create(made.id, text="Tea is good.", tags=["drink"])
    many = client.archives.passages.create_many(
        made.id, passages=[{"text": "Coffee is good."}, {"text": "Rain falls."}]
    )
    found = client.passages.search(archive_id=made.id, query="tea", limit=1)
    assert [hit.passage.id for hit in found] == [one.id]
    client.archives.passages.delete(many[0].id or "", archive_id=made.id)
    client.archives.delete(made.id)
    calls: list[Any] = [
        lambda: client.archives.retrieve(made.id),
        lambda: client.archives.delete(made.id),
        lambda: client.archives.passages.create(made.id, text="late"),
        lambda: client.archives.list(after=new("archive")),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            call()


@pytest.mark.rule("api-6.70", "api-2.2", "api-1.7")
def test_an_agent_has_one_archive(client: Letta, make_agent: MakeAgent) -> None:
    first, second = (client.archives.create(name="mine", embedding=EMBEDDING) for _ in "12")
    agent, friend = make_agent(), make_agent()
    for _ in range(2):
        assert client.agents.archives.attach(first.id, agent_id=agent.id) is None
    with pytest.raises(ConflictError) as refused:
        client.agents.archives.attach(second.id, agent_id=agent.id)
    assert refused.value.response.headers["x-should-retry"] == "false"
    client.agents.archives.attach(first.id, agent_id=friend.id)
    client.agents.passages.create(agent.id, text="We share this.")
    assert client.agents.passages.search(friend.id, query="share").count == 1
    for _ in range(2):
        assert client.agents.archives.detach(first.id, agent_id=agent.id) is None
    assert client.agents.passages.list(agent.id) == []
    with pytest.raises(NotFoundError):
        client.agents.archives.attach(new("archive"), agent_id=agent.id)
    with pytest.raises(APIStatusError) as malformed:
        client.agents.archives.attach("archive-1", agent_id=agent.id)
    assert malformed.value.status_code == 400


@pytest.mark.rule("M24")
def test_a_search_between_two_dates(client: Letta, agent: AgentState) -> None:
    now = datetime.now(UTC)
    for days in (1, 10, 100):
        at = (now - timedelta(days=days)).isoformat()
        client.agents.passages.create(agent.id, text=f"tea {days} days ago", created_at=at)

    def found(**when: Any) -> set[str]:
        results = client.agents.passages.search(agent.id, query="tea", **when).results
        return {one.content for one in results}

    assert found(start_datetime=now - timedelta(days=20)) == {"tea 1 days ago", "tea 10 days ago"}
    assert found(end_datetime=now - timedelta(days=20)) == {"tea 100 days ago"}
