"""Archives and passages over HTTP: kept whole, found by words and meaning."""

import pytest
from letta_client.types import AgentState, Archive, Passage

from eunoe.domain.messages import Json
from eunoe.domain.recall import PassageQuery
from eunoe.service import archives
from eunoe.service.models import Defaults
from eunoe.store.db import Actor
from tests.fixtures.apis import EMBEDDING, Api

pytestmark = pytest.mark.anyio

UNKNOWN = "archive-00000000-0000-4000-8000-000000000009"


async def remembered(api: Api, agent_id: str, text: str, **body: object) -> Json:
    reply = await api.sdk.post(
        f"/v1/agents/{agent_id}/archival-memory", json={"text": text, **body}
    )
    assert reply.status_code == 200, reply.text
    made: list[Json] = reply.json()
    assert len(made) == 1
    return made[0]


@pytest.mark.rule("api-1.9", "api-14.1")
async def test_an_archive_is_made_changed_and_deleted(api: Api) -> None:
    made = await api.made("/v1/archives/", name="Letters", description="old")
    Archive.model_validate(made)
    assert made["embedding_config"]["handle"] == EMBEDDING
    assert (made["vector_db_provider"], made["metadata"]) == ("native", None)
    path = f"/v1/archives/{made['id']}"
    changed = (await api.sdk.patch(path, json={"name": "Post", "description": None})).json()
    assert (changed["name"], changed["description"]) == ("Post", "old")
    assert await api.got(path) == changed | {"updated_at": (await api.got(path))["updated_at"]}
    reply = await api.sdk.delete(path)
    assert (reply.status_code, reply.content) == (204, b"")
    assert (await api.sdk.get(path)).status_code == 404
    assert (await api.sdk.delete(path)).status_code == 404
    bad = await api.sdk.post("/v1/archives/", json={"name": "x", "embedding": "nobody/e"})
    assert bad.status_code == 400


@pytest.mark.rule("api-14.1", "api-5.6")
async def test_archives_are_listed_by_name_and_agent(api: Api) -> None:
    one = await api.made("/v1/archives/", name="Same")
    two = await api.made("/v1/archives/", name="Same")
    agent = await api.agent()
    await api.sdk.patch(f"/v1/agents/{agent['id']}/archives/attach/{one['id']}")
    assert [a["id"] for a in await api.got("/v1/archives/", name="Same")] == [two["id"], one["id"]]
    assert [a["id"] for a in await api.got("/v1/archives/", agent_id=agent["id"])] == [one["id"]]
    unknown_agent = {"agent_id": "agent-00000000-0000-4000-8000-000000000009"}
    assert (await api.sdk.get("/v1/archives/", params=unknown_agent)).status_code == 404
    assert (await api.sdk.get("/v1/archives/", params={"after": UNKNOWN})).status_code == 404


@pytest.mark.rule("api-6.70", "api-27")
async def test_an_agent_has_one_archive(api: Api) -> None:
    one = await api.made("/v1/archives/", name="One")
    two = await api.made("/v1/archives/", name="Two")
    agent = await api.agent()
    path = f"/v1/agents/{agent['id']}/archives"
    for _ in range(2):
        reply = await api.sdk.patch(f"{path}/attach/{one['id']}")
        assert (reply.status_code, reply.json()) == (200, None)
    assert (await api.sdk.patch(f"{path}/attach/{two['id']}")).status_code == 409
    assert (await api.sdk.patch(f"{path}/attach/{UNKNOWN}")).status_code == 404
    assert (await api.sdk.patch(f"{path}/attach/nonsense")).status_code == 400
    found = await api.got(f"/v1/archives/{one['id']}/agents")
    AgentState.model_validate(found[0])
    assert [a["id"] for a in found] == [agent["id"]]
    assert await api.got(f"/v1/archives/{UNKNOWN}/agents") == []
    for _ in range(2):
        assert (await api.sdk.patch(f"{path}/detach/{one['id']}")).json() is None
    assert (await api.sdk.patch(f"{path}/detach/{UNKNOWN}")).status_code == 404
    assert (await api.sdk.patch(f"{path}/attach/{two['id']}")).status_code == 200


@pytest.mark.rule("api-14.2", "api-14.3")
async def test_passages_go_into_an_archive_one_by_one_or_together(api: Api) -> None:
    archive = await api.made("/v1/archives/", name="Letters")
    path = f"/v1/archives/{archive['id']}/passages"
    made = await api.made(
        path,
        text="Tea at five.",
        tags=["a", "b", "a"],
        metadata={"k": 1},
        created_at="2020-01-02T03:04:05+01:00",
    )
    Passage.model_validate(made)
    assert (made["tags"], made["metadata"]) == (["a", "b"], {"k": 1})
    assert made["created_at"] == "2020-01-02T02:04:05.000000Z"
    assert len(made["embedding"]) == made["embedding_config"]["embedding_dim"] == 1536
    batch = await api.sdk.post(f"{path}/batch", json={"passages": [{"text": "x"}, {"text": "y"}]})
    assert [one["text"] for one in batch.json()] == ["x", "y"]
    assert (await api.sdk.post(f"{path}/batch", json={"passages": []})).json() == []
    bad = await api.sdk.post(path, json={"text": "x", "created_at": "yesterday"})
    assert bad.status_code == 400
    assert (
        await api.sdk.post(f"/v1/archives/{UNKNOWN}/passages", json={"text": "x"})
    ).status_code == 404

    other = await api.made("/v1/archives/", name="Other")
    wrong = await api.sdk.delete(f"/v1/archives/{other['id']}/passages/{made['id']}")
    assert wrong.status_code == 400
    gone = await api.sdk.delete(f"{path}/{made['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.sdk.delete(f"{path}/{made['id']}")).status_code == 404


@pytest.mark.rule("api-14.4")
async def test_an_agents_archive_is_made_on_first_use(api: Api) -> None:
    agent = await api.agent(name="Ada")
    path = f"/v1/agents/{agent['id']}/archival-memory"
    assert await api.got(path) == []
    assert await api.got(f"{path}/search", query="tea") == {"results": [], "count": 0}
    first = await remembered(api, agent["id"], "Ada drinks tea.")
    second = await remembered(api, agent["id"], "Ada hates rain.")
    archives = await api.got("/v1/archives/")
    assert [(one["name"], one["id"]) for one in archives] == [("Ada", first["archive_id"])]
    ids = [first["id"], second["id"]]
    assert [one["id"] for one in await api.got(path)] == ids
    assert [one["id"] for one in await api.got(path, ascending=False)] == ids[::-1]
    assert [one["id"] for one in await api.got(path, search="TEA")] == ids[:1]
    assert [one["id"] for one in await api.got(path, after=ids[0], limit=5)] == ids[1:]
    reply = await api.sdk.delete(f"{path}/{ids[0]}")
    assert (reply.status_code, ids[0] in reply.json()["message"]) == (200, True)
    assert (await api.sdk.delete(f"{path}/{ids[0]}")).status_code == 404
    assert (await api.sdk.delete(f"{path}/nonsense")).status_code == 400
    long = await api.sdk.post(path, json={"text": "x" * 40_000})
    assert long.status_code == 400


@pytest.mark.rule("api-14.4", "FIX-39", "FIX-40", "M22", "M24")
async def test_a_search_filters_before_it_counts(api: Api) -> None:
    agent = await api.agent(timezone="Europe/Rome")
    path = f"/v1/agents/{agent['id']}/archival-memory/search"
    for day in range(1, 8):
        await remembered(
            api,
            agent["id"],
            f"Tea number {day}.",
            tags=["odd" if day % 2 else "even", "tea"],
            created_at=f"2024-05-0{day}T12:00:00Z",
        )
    assert (await api.got(path, query=" "))["results"] == []
    assert (await api.got(path, query="tea"))["count"] == 5
    found = await api.got(path, query="tea", tags=["even"], top_k=3)
    assert found["count"] == 3
    assert all("even" in one["tags"] for one in found["results"])
    assert found["results"][0]["timestamp"].endswith("+02:00")
    both = await api.got(path, query="tea", tags=["even", "tea"], tag_match_mode="all", top_k=9)
    assert both["count"] == 3
    until = await api.got(
        path, query="tea", top_k=9, start_datetime="2024-05-03", end_datetime="2024-05-04"
    )
    assert {one["content"] for one in until["results"]} == {"Tea number 3.", "Tea number 4."}
    bad = await api.sdk.get(path, params={"query": "tea", "end_datetime": "soon"})
    assert (bad.status_code, "end_datetime" in bad.json()["detail"]) == (400, True)
    assert (await api.sdk.get(path)).status_code == 422


@pytest.mark.rule("api-14.5")
async def test_a_search_everywhere_scores_and_keeps_to_what_it_is_given(api: Api) -> None:
    ada, bob = await api.agent(name="Ada"), await api.agent(name="Bob")
    await remembered(api, ada["id"], "Ada grows tomatoes on the balcony.")
    await remembered(api, ada["id"], "The train leaves at noon.")
    mine = await remembered(api, bob["id"], "Bob sells tomatoes.")

    async def find(**body: object) -> list[Json]:
        reply = await api.sdk.post("/v1/passages/search", json=body)
        assert reply.status_code == 200, reply.text
        found: list[Json] = reply.json()
        return found

    everywhere = await find(query="tomatoes", limit=2)
    assert all("tomatoes" in one["passage"]["text"] for one in everywhere)
    assert everywhere[0]["score"] >= everywhere[1]["score"] > 0
    only = await find(query="tomatoes", agent_id=bob["id"], archive_id=UNKNOWN)
    assert [one["passage"]["id"] for one in only] == [mine["id"]]
    assert len(await find(archive_id=mine["archive_id"])) == 1
    assert len(await find()) == 3
    assert await find(agent_id=(await api.agent())["id"]) == []
    assert (
        await api.sdk.post("/v1/passages/search", json={"archive_id": UNKNOWN})
    ).status_code == 404
    assert (await api.sdk.post("/v1/passages/search", json={"limit": 101})).status_code == 422


@pytest.mark.rule("api-14.5")
async def test_a_search_everywhere_is_one_by_meaning_where_no_embedder_is_the_default(
    api: Api,
) -> None:
    agent = await api.agent()
    kept = await remembered(api, agent["id"], "Bob sells tomatoes.")
    await api.made("/v1/archives/", name="Later")
    actor = Actor()
    (hit,) = await archives.find(
        api.db,
        actor,
        PassageQuery(text="vegetables"),
        agent_id=None,
        models=api.runtime.models_of(actor),
        defaults=Defaults(),
    )
    assert (hit.passage.id, hit.vector_rank) == (kept["id"], 1)


@pytest.mark.rule("FIX-43", "P44")
async def test_an_embedder_that_is_down_loses_nothing(api: Api) -> None:
    agent = await api.agent()
    await api.runtime.registry.drop("openai")
    made = await remembered(api, agent["id"], "The key is under the mat.")
    assert made["embedding"] is None
    found = await api.got(f"/v1/agents/{agent['id']}/archival-memory/search", query="key mat")
    assert [one["id"] for one in found["results"]] == [made["id"]]


@pytest.mark.rule("api-14.4", "M21")
async def test_what_became_of_a_passage_is_told_after_its_end(api: Api) -> None:
    agent = await api.agent()
    path = f"/v1/agents/{agent['id']}/archival-memory"
    made = (await api.sdk.post(path, json={"text": "Tea at five.", "tags": ["tea"]})).json()[0]
    history = f"/v1/passages/{made['id']}/history"
    (created,) = await api.got(history)
    assert (created["deed"], created["text"], created["tags"]) == (
        "created",
        "Tea at five.",
        ["tea"],
    )
    assert (await api.sdk.delete(f"{path}/{made['id']}")).status_code == 200
    told = await api.got(history)
    assert told[0] == created
    assert [(one["version"], one["deed"], one["text"]) for one in told] == [
        (1, "created", "Tea at five."),
        (2, "deleted", "Tea at five."),
    ]
    assert all(one["actor_id"].startswith("user-") for one in told)
    assert await api.got(history, order="desc", limit=1) == told[1:]
    unknown = made["id"][:-4] + "0000"
    assert (await api.sdk.get(f"/v1/passages/{unknown}/history")).status_code == 404
