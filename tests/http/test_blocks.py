"""Memory blocks over HTTP, by themselves and on agents."""

from typing import Any
from urllib.parse import quote

import anyio
import pytest
from inline_snapshot import snapshot
from letta_client.types import AgentState, BlockResponse

from eunoe.domain.messages import Json
from tests.fixtures.apis import Api

pytestmark = pytest.mark.anyio

UNKNOWN = "block-00000000-0000-4000-8000-000000000009"


@pytest.mark.rule("api-12.1", "M1")
async def test_a_block_made_of_a_label_has_every_default(api: Api) -> None:
    reply = await api.sdk.post("/v1/blocks/", json={"label": "notes", "value": None})
    made = reply.json()
    BlockResponse.model_validate(made)
    assert (made["value"], made["limit"], made["metadata"], made["tags"]) == ("", 100_000, {}, [])
    assert (made["read_only"], made["is_template"], made["hidden"]) == (False, False, None)
    assert made["created_by_id"].startswith("user-")
    assert (await api.block("persona"))["description"]
    assert (await api.block("human", description="Mine."))["description"] == "Mine."
    assert await api.got(f"/v1/blocks/{made['id']}") == made


@pytest.mark.rule("api-1.6", "M1")
async def test_nuls_are_dropped(api: Api) -> None:
    assert (await api.block("notes", "a\x00b"))["value"] == "ab"


@pytest.mark.rule("api-12.2", "FIX-25", "M3")
async def test_a_value_past_its_limit_is_refused_wherever_it_comes_from(api: Api) -> None:
    too_long = await api.sdk.post("/v1/blocks/", json={"label": "n", "value": "123", "limit": 2})
    assert too_long.status_code == 422
    made = await api.block("notes", "12345", limit=5)
    path = f"/v1/blocks/{made['id']}"
    for body in ({"value": "123456"}, {"limit": 4}, {"value": "12", "limit": 1}):
        assert (await api.sdk.patch(path, json=body)).status_code == 422
    raised = await api.sdk.patch(path, json={"value": "123456", "limit": 6})
    assert (raised.status_code, raised.json()["value"]) == (200, "123456")


@pytest.mark.rule("api-12.20", "api-27", "api-6.40")
async def test_null_says_nothing_and_tags_replace(api: Api) -> None:
    made = await api.block("notes", "text", tags=["a", "a"], description="d", read_only=True)
    assert made["tags"] == ["a"]
    path = f"/v1/blocks/{made['id']}"
    same = (await api.sdk.patch(path, json={"value": None, "label": None, "limit": None})).json()
    assert same == made
    changed = (await api.sdk.patch(path, json={"tags": ["b", "c", "b"], "value": ""})).json()
    assert (changed["tags"], changed["value"], changed["read_only"]) == (["b", "c"], "", True)


@pytest.mark.rule("api-12.20")
async def test_every_change_is_in_the_history_and_nothing_else_is(api: Api) -> None:
    made = await api.block("notes", "one")
    path = f"/v1/blocks/{made['id']}"
    await api.sdk.patch(path, json={"value": "two"})
    await api.sdk.patch(path, json={"value": "two"})
    await api.sdk.patch(path, json={"label": "journal"})
    seen = await api.got(f"{path}/history")
    told = [(one["version"], one["label"], one["value"]) for one in seen]
    assert told == [(1, "notes", "one"), (2, "notes", "two"), (3, "journal", "two")]
    assert all(one["actor_id"].startswith("user-") for one in seen)
    assert (await api.sdk.get(f"/v1/blocks/{UNKNOWN}/history")).status_code == 404


@pytest.mark.rule("api-12.20", "api-27")
async def test_a_rename_follows_to_the_agents_or_clashes(api: Api) -> None:
    made = await api.block("notes", "text")
    agent = await api.agent(block_ids=[made["id"]], memory_blocks=[{"label": "human", "value": ""}])
    clash = await api.sdk.patch(f"/v1/blocks/{made['id']}", json={"label": "human"})
    assert (clash.status_code, clash.headers["x-should-retry"]) == (409, "false")
    await api.sdk.patch(f"/v1/blocks/{made['id']}", json={"label": "journal"})
    path = f"/v1/agents/{agent['id']}/core-memory/blocks"
    assert (await api.got(f"{path}/journal"))["id"] == made["id"]
    assert (await api.sdk.get(f"{path}/notes")).status_code == 404


@pytest.mark.rule("api-12.20", "M6")
async def test_of_writers_at_once_nobody_is_lost_silently(api: Api) -> None:
    made = await api.block("notes", "start")
    statuses: list[int] = []

    async def write(number: int) -> None:
        reply = await api.sdk.patch(f"/v1/blocks/{made['id']}", json={"value": f"v{number}"})
        statuses.append(reply.status_code)

    async with anyio.create_task_group() as writers:
        for number in range(6):
            writers.start_soon(write, number)
    assert set(statuses) <= {200, 409}
    history = await api.got(f"/v1/blocks/{made['id']}/history")
    assert len(history) == 1 + statuses.count(200)
    assert (await api.got(f"/v1/blocks/{made['id']}"))["value"] == history[-1]["value"]


@pytest.mark.rule("api-1.9", "api-12.30", "api-28")
async def test_a_deleted_block_leaves_its_agents(api: Api) -> None:
    made = await api.block("notes")
    agent = await api.agent(block_ids=[made["id"]])
    reply = await api.sdk.delete(f"/v1/blocks/{made['id']}")
    assert (reply.status_code, reply.json()) == (200, None)
    assert (await api.sdk.delete(f"/v1/blocks/{made['id']}")).status_code == 404
    assert await api.got(f"/v1/agents/{agent['id']}/core-memory/blocks") == []


@pytest.mark.rule("api-12.2", "api-6.4")
async def test_filters_find_what_they_say(api: Api) -> None:
    human = await api.block("human", "Ada likes TEA", tags=["x", "y"], project_id="p")
    await api.block("human", "Bob", tags=["x"])
    await api.block("form", is_template=True, template_name="t")
    await api.block("secret", "hidden", hidden=True)
    await api.agent(block_ids=[human["id"]])
    asked: list[tuple[dict[str, Any], int]] = [
        ({}, 2),
        ({"templates_only": True}, 1),
        ({"templates_only": True, "name": "t"}, 1),
        ({"label": "human"}, 2),
        ({"label_search": "HUM"}, 2),
        ({"value_search": "tea"}, 1),
        ({"description_search": "talk with"}, 2),
        ({"tags": ["x", "y"], "match_all_tags": True}, 1),
        ({"tags": ["x", "y"]}, 2),
        ({"project_id": "p"}, 1),
        ({"connected_to_agents_count_gt": 0}, 1),
        ({"connected_to_agents_count_lt": 1}, 1),
        ({"connected_to_agents_count_eq": [0, 1]}, 2),
        ({"connected_to_agents_count_eq": [7]}, 0),
        ({"show_hidden_blocks": True}, 3),
        ({"identifier_keys": ["k"]}, 0),
    ]
    for params, number in asked:
        assert len(await api.got("/v1/blocks/", **params)) == number, params
    long = await api.sdk.get("/v1/blocks/", params={"value_search": "x" * 201})
    assert long.status_code == 422


@pytest.mark.rule("api-12.2")
async def test_a_count_without_filters_counts_everything(api: Api) -> None:
    await api.block("human", tags=["x"])
    await api.block("form", is_template=True)
    await api.block("secret", hidden=True)
    assert await api.got("/v1/blocks/count") == 3
    assert await api.got("/v1/blocks/count", templates_only=True) == 1
    assert await api.got("/v1/blocks/count", label="human") == 1
    assert await api.got("/v1/blocks/count", tags=["x"]) == 1


@pytest.mark.rule("api-5.3", "api-5.6", "api-5.11")
async def test_pages_go_forward_from_the_oldest(api: Api) -> None:
    made = [(await api.block(f"b{number}"))["id"] for number in range(4)]
    first = await api.got("/v1/blocks/", limit=3)
    assert [block["id"] for block in first] == made[:3]
    assert [block["id"] for block in await api.got("/v1/blocks/", after=made[2])] == made[3:]
    assert len(await api.got("/v1/blocks/", after=UNKNOWN)) == 4
    newest = await api.got("/v1/blocks/", order="desc", limit=1)
    assert newest[0]["id"] == made[3]


@pytest.mark.rule("api-12.40")
async def test_agents_of_a_block(api: Api) -> None:
    shared = await api.block("shared")
    made = [(await api.agent(block_ids=[shared["id"]]))["id"] for _ in range(2)]
    await api.agent()
    path = f"/v1/blocks/{shared['id']}/agents"
    found = await api.got(path, include=["agent.blocks"])
    assert [agent["id"] for agent in found] == made[::-1]
    assert found[0]["blocks"][0]["id"] == shared["id"]
    AgentState.model_validate(found[0])
    assert (await api.sdk.get(f"/v1/blocks/{UNKNOWN}/agents")).status_code == 404


# On an agent


@pytest.mark.rule("api-6.60")
async def test_a_block_is_attached_once_and_detached_once(api: Api) -> None:
    agent = await api.agent(memory_blocks=[{"label": "human", "value": "Ada"}])
    notes, twin = await api.block("notes", "x"), await api.block("notes", "y")
    path = f"/v1/agents/{agent['id']}/core-memory/blocks"

    for _ in range(2):
        attached = await api.sdk.patch(f"{path}/attach/{notes['id']}")
        AgentState.model_validate(attached.json())
        assert [block["label"] for block in attached.json()["blocks"]] == ["human", "notes"]
    assert (await api.sdk.patch(f"{path}/attach/{twin['id']}")).status_code == 409
    assert (await api.sdk.patch(f"{path}/attach/{UNKNOWN}")).status_code == 404
    detached = await api.sdk.patch(f"{path}/detach/{notes['id']}")
    assert [block["label"] for block in detached.json()["blocks"]] == ["human"]
    assert (await api.sdk.patch(f"{path}/detach/{notes['id']}")).status_code == 404
    assert (await api.got(f"/v1/blocks/{notes['id']}"))["value"] == "x"


@pytest.mark.rule("api-6.60")
@pytest.mark.parametrize("label", ["human", "system/human", "a/b c/d", "ünï"])
async def test_a_label_is_reached_whatever_it_holds(api: Api, label: str) -> None:
    agent = await api.agent(memory_blocks=[{"label": label, "value": "old"}])
    path = f"/v1/agents/{agent['id']}/core-memory/blocks"
    for spelled in (quote(label), quote(label, safe="")):
        assert (await api.got(f"{path}/{spelled}"))["label"] == label
    changed = await api.sdk.patch(f"{path}/{quote(label, safe='')}", json={"value": "new"})
    assert (changed.status_code, changed.json()["value"]) == (200, "new")
    listed: list[Json] = await api.got(path)
    assert [block["value"] for block in listed] == ["new"]
    assert (await api.got(f"/v1/agents/{agent['id']}/core-memory"))["blocks"] == listed
    history = await api.got(f"/v1/blocks/{listed[0]['id']}/history")
    assert history[-1]["agent_id"] == agent["id"]


@pytest.mark.rule("api-6.60")
async def test_what_an_agent_does_not_have_is_404(api: Api) -> None:
    agent = await api.agent()
    path = f"/v1/agents/{agent['id']}/core-memory/blocks"
    assert (await api.sdk.get(f"{path}/nothing")).status_code == 404
    assert (await api.sdk.patch(f"{path}/nothing", json={"value": "x"})).status_code == 404
    assert await api.got(f"{path}/") == []
    nobody = "/v1/agents/agent-00000000-0000-4000-8000-000000000009/core-memory/blocks"
    assert (await api.sdk.get(nobody)).status_code == 404


@pytest.mark.rule("api-12.20", "G-16")
async def test_the_history_is_paged_as_every_list_is(api: Api) -> None:
    made = await api.block("notes", "v1")
    path = f"/v1/blocks/{made['id']}"
    for number in range(2, 6):
        await api.sdk.patch(path, json={"value": f"v{number}"})
    whole = await api.got(f"{path}/history")
    assert [one["version"] for one in whole] == [1, 2, 3, 4, 5]
    middle = await api.got(f"{path}/history", after=whole[0]["id"], limit=2)
    assert [one["value"] for one in middle] == ["v2", "v3"]
    newest = await api.got(f"{path}/history", order="desc", limit=1)
    assert newest == [whole[-1]]
    assert await api.got(f"{path}/history", before=whole[1]["id"]) == whole[:1]


@pytest.mark.rule("api-12.20")
async def test_a_diff_shows_the_lines_and_fields_that_changed(api: Api) -> None:
    made = await api.block("notes", "one\ntwo\n", tags=["a"])
    path = f"/v1/blocks/{made['id']}"
    await api.sdk.patch(path, json={"value": "one\n2\n"})
    await api.sdk.patch(path, json={"label": "journal", "tags": ["b"]})
    newest = (await api.got(f"{path}/diff"))["diff"]
    assert newest == snapshot(
        "--- label (version 2)\n+++ label (version 3)\n@@ -1 +1 @@\n-notes\n+journal\n"
        '--- tags (version 2)\n+++ tags (version 3)\n@@ -1 +1 @@\n-["a"]\n+["b"]\n'
    )
    values = (await api.got(f"{path}/diff", **{"from": 1, "to": 2}))["diff"]
    assert values.endswith("@@ -1,2 +1,2 @@\n one\n-two\n+2\n")
    assert (await api.got(f"{path}/diff", **{"from": 2, "to": 2}))["diff"] == ""
    assert (await api.sdk.get(f"{path}/diff", params={"to": 9})).status_code == 404
    assert (await api.sdk.get(f"/v1/blocks/{UNKNOWN}/diff")).status_code == 404


@pytest.mark.rule("api-12.20", "M6")
async def test_a_revert_is_a_new_version_and_only_of_what_was_seen(api: Api) -> None:
    made = await api.block("notes", "one", description="d", metadata={"a": 1}, tags=["x"])
    path = f"/v1/blocks/{made['id']}"
    await api.sdk.patch(path, json={"value": "two", "metadata": {}, "tags": [], "label": "journal"})
    stale = await api.sdk.post(f"{path}/revert", json={"version": 1, "expected_version": 1})
    assert (stale.status_code, "version 2" in stale.text) == (409, True)
    done = await api.sdk.post(f"{path}/revert", json={"version": 1, "expected_version": 2})
    assert done.json() == made
    history = await api.got(f"{path}/history")
    assert [one["value"] for one in history] == ["one", "two", "one"]
    assert history[1]["label"] == "journal"
    again = await api.sdk.post(f"{path}/revert", json={"version": 1})
    assert (again.status_code, len(await api.got(f"{path}/history"))) == (200, 3)
    assert (await api.sdk.post(f"{path}/revert", json={"version": 9})).status_code == 404
    assert (await api.sdk.post(f"{path}/revert", json={"version": 1, "x": 1})).status_code == 422
