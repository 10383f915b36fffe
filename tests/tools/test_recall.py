"""The two searches as a model sees them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from eunoe.domain.recall import MessageQuery, PassageQuery
from tests.tools.boxes import AGENT, Memory, box, hit, kept, result

pytestmark = pytest.mark.anyio


@pytest.mark.rule("M27", "M25", "M24")
async def test_what_a_conversation_search_gives() -> None:
    memory = Memory(said=[hit("Hello")] * 9)
    found = await result(
        box(memory=memory),
        "conversation_search",
        query="greeting",
        roles=["user", "tool"],
        start_date="2024-07-01",
        end_date="2024-07-01",
    )
    assert memory.asked == [
        MessageQuery(
            text="greeting",
            agent_id=AGENT.id,
            roles=("user", "tool"),
            since=datetime(2024, 6, 30, 22, tzinfo=UTC),
            until=datetime(2024, 7, 1, 21, 59, 59, 999_999, tzinfo=UTC),
            limit=5,
        )
    ]
    assert isinstance(found.output, dict)
    assert found.output.keys() == {"message", "results"}
    assert len(found.output["results"]) == 5
    first = found.output["results"][0]
    assert first.pop("time_ago").endswith("d ago")
    assert first == {
        "timestamp": "2024-07-01T12:00:00+02:00",
        "role": "user",
        "relevance": {
            "rrf_score": 0.5123,
            "vector_rank": 2,
            "fts_rank": 1,
            "search_mode": "hybrid",
        },
        "content": "Hello",
    }


@pytest.mark.rule("G23")
async def test_a_search_of_memory_looks_into_a_stretch_of_time_and_into_the_archive() -> None:
    memory = Memory(said=[hit("Hello")] * 9, kept=[kept("tea")] * 9)
    asked = {
        "convo_keyword_queries": ["green", "tea"],
        "start_minutes_ago": 60,
        "end_minutes_ago": 5,
    }
    found = await result(box(memory=memory), "search_memory", **asked)
    said, archive = memory.asked
    assert isinstance(said, MessageQuery)
    assert (said.text, said.agent_id) == ("green tea", AGENT.id)
    assert said.since is not None
    assert said.until is not None
    assert said.until - said.since == timedelta(minutes=55)
    assert archive == PassageQuery(text="green tea")
    assert isinstance(found.output, dict)
    assert {key: len(rows) for key, rows in found.output.items()} == {
        "conversation": 5,
        "archive": 5,
    }

    memory.asked.clear()
    await result(box(memory=memory), "search_memory")
    assert memory.asked == [MessageQuery(agent_id=AGENT.id)]


@pytest.mark.rule("M27")
async def test_no_hits_are_said() -> None:
    found = await result(box(), "conversation_search", query="greeting")
    assert found.output == {"message": "No results found.", "results": []}


@pytest.mark.rule("M22", "M23")
async def test_what_an_archival_search_gives() -> None:
    memory = Memory(kept=[kept("tea")])
    found = await result(
        box(memory=memory),
        "archival_memory_search",
        query="tea",
        tags=["a"],
        tag_match_mode="all",
        top_k="3",
        end_datetime="2024-07-01T08:00",
    )
    assert memory.asked == [
        PassageQuery(
            text="tea",
            tags=("a",),
            tag_match="all",
            until=datetime(2024, 7, 1, 6, tzinfo=UTC),
            limit=3,
        )
    ]
    relevance = {"rrf_score": 0.5, "vector_rank": None, "fts_rank": 3}
    timestamp = "2024-07-01T12:00:00+02:00"
    entry = {"id": "passage-1", "timestamp": timestamp, "content": "tea", "tags": ["a"]}
    assert found.output == str([{**entry, "relevance": relevance}])
    assert (await result(box(memory=memory), "archival_memory_search", query=" ")).output == "[]"


@pytest.mark.rule("M31", "X12")
async def test_search_results_bound_themselves() -> None:
    """They are not cut afterwards, so that many long hits must share the room."""
    memory = Memory(said=[hit("y" * 8_000)] * 80, kept=[kept("x" * 900_000)])
    found = await result(box(memory=memory), "conversation_search", limit=1_000)
    assert isinstance(found.output, dict)
    assert len(found.output["results"]) == 50
    assert len(json.dumps(found.output)) < 75_000
    assert (
        len(str((await result(box(memory=memory), "archival_memory_search", query="x")).output))
        < 51_000
    )


@pytest.mark.rule("M24")
@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("conversation_search", {"start_date": "soon"}, "`start_date`"),
        ("conversation_search", {"roles": ["system"]}, "`system`"),
        ("conversation_search", {"limit": "many"}, "`limit`"),
        ("conversation_search", {"query": ["a"]}, "`query`"),
        ("archival_memory_search", {"query": "x", "tag_match_mode": "some"}, "any, all"),
        ("archival_memory_search", {"query": "x", "tags": [1]}, "`tags`"),
        ("archival_memory_search", {"query": "x", "top_k": True}, "`top_k`"),
    ],
)
async def test_bad_search_arguments_are_named(
    name: str, arguments: dict[str, object], said: str
) -> None:
    failed = await result(box(), name, **arguments)
    assert not failed.ok
    assert said in str(failed.output)
