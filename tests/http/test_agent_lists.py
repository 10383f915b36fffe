"""Agents over HTTP: read, listed, changed and removed."""

from typing import Any

import pytest
from letta_client.types import AgentState

from eunoe.store import agents, lists, related
from eunoe.store.db import Actor
from tests.fixtures.apis import Api, names

pytestmark = pytest.mark.anyio

UNKNOWN = "agent-00000000-0000-4000-8000-000000000009"


# Retrieve and list


@pytest.mark.rule("api-6.3", "api-1.12")
async def test_a_client_sees_relations_where_it_asks_and_others_see_them_all(api: Api) -> None:
    made = await api.agent(tags=["b", "a"], memory_blocks=[{"label": "human", "value": "Ada"}])
    path = f"/v1/agents/{made['id']}"

    bare = await api.got(path)
    AgentState.model_validate(bare)
    assert (bare["blocks"], bare["tools"], bare["tags"], bare["memory"]["blocks"]) == (
        [],
        [],
        [],
        [],
    )
    some = await api.got(path, include=["agent.tags", "agent.blocks"])
    assert (some["tags"], some["tools"]) == (["a", "b"], [])
    assert some["memory"]["blocks"] == made["blocks"]
    narrowed = await api.got(path, include_relationships=["tools"])
    assert (len(narrowed["tools"]), narrowed["tags"]) == (3, [])
    legacy = (await api.legacy.get(path)).json()
    assert legacy["tools"] == made["tools"]
    assert legacy["tags"] == ["a", "b"]
    none = (await api.legacy.get(path, params={"include_relationships": "tags"})).json()
    assert (none["tools"], none["tags"]) == ([], ["a", "b"])


@pytest.mark.rule("api-6.3")
async def test_an_unknown_include_is_refused(api: Api) -> None:
    made = await api.agent()
    reply = await api.sdk.get(f"/v1/agents/{made['id']}", params={"include": "agent.soul"})
    assert reply.status_code == 422


@pytest.mark.rule("api-2.2", "api-2.8", "api-3.4")
async def test_a_bad_id_is_422_with_a_sample_and_an_unknown_one_404(api: Api) -> None:
    bad = await api.sdk.get("/v1/agents/agent-1")
    assert bad.status_code == 422
    assert bad.json()["examples"][0].startswith("agent-")
    assert isinstance(bad.json()["detail"], str)
    assert (await api.sdk.get(f"/v1/agents/{UNKNOWN}")).status_code == 404
    nowhere = (await api.sdk.get("/v1/conversations/nowhere/messages")).json()
    assert nowhere["examples"][0].startswith("conv-")
    assert "conv-{uuid4}" in nowhere["detail"]


@pytest.mark.rule("api-5.3", "api-5.4", "api-5.6", "api-5.11")
async def test_pages_walk_over_every_agent_in_either_order(api: Api) -> None:
    made = [(await api.agent(name=f"Agent {number}"))["id"] for number in range(5)]
    for order, expected in (("desc", made[::-1]), ("asc", made)):
        walked: list[str] = []
        page = await api.got("/v1/agents/", limit=2, order=order)
        while page:
            walked += [agent["id"] for agent in page]
            page = await api.got("/v1/agents/", limit=2, order=order, after=walked[-1])
        assert walked == expected
    assert len(await api.got("/v1/agents/", limit=0)) == 5
    assert len(await api.got("/v1/agents/", after=UNKNOWN)) == 5
    ascending = await api.got("/v1/agents/", ascending=True)
    assert [agent["id"] for agent in ascending] == made


@pytest.mark.rule("api-5.1", "api-5.2", "api-5.3", "api-5.4", "api-5.9")
async def test_lists_are_arrays_that_are_walked_row_by_row_either_way(api: Api) -> None:
    folders = [(await api.made("/v1/folders/", name=f"Folder {n}"))["id"] for n in range(3)]
    blocks = [{"label": f"label-{n}", "value": ""} for n in range(3)]
    agent = await api.agent(memory_blocks=blocks, folder_ids=folders)
    for _ in range(3):
        await api.made("/v1/groups/", agent_ids=[agent["id"]], description="")
    mine = f"/v1/agents/{agent['id']}"
    own = [f"{mine}/{one}" for one in ("tools", "core-memory/blocks", "folders", "groups")]
    for path in ("/v1/tools/", "/v1/blocks/", "/v1/folders/", "/v1/groups/", *own):
        found = {order: await api.got(path, order=order, limit=1000) for order in ("asc", "desc")}
        assert found["asc"] == found["desc"][::-1], path
        for order, whole in found.items():
            walked = await api.got(path, order=order, limit=1)
            while more := await api.got(path, order=order, limit=1, after=walked[-1]["id"]):
                walked += more
            assert (walked, len(walked) >= 3) == (whole, True), path
            before = await api.got(path, order=order, limit=1, before=whole[-1]["id"])
            assert before == [whole[-2]], path


@pytest.mark.rule("api-5.6")
@pytest.mark.parametrize("side", ["after", "before"])
async def test_an_unknown_cursor_is_missing_bad_or_ignored_by_the_kind_of_list(
    api: Api, side: str
) -> None:
    agent = await api.agent(memory_blocks=[{"label": "human", "value": "Ada"}])
    folder = await api.made("/v1/folders/", name="Notes")
    talk = await api.made(f"/v1/conversations/?agent_id={agent['id']}")
    mine, block = f"agents/{agent['id']}", agent["blocks"][0]["id"]
    kinds = {
        404: f"archives/ folders/ folders/{folder['id']}/files steps/ identities/ providers/ messages/"
        f" {mine}/messages {mine}/folders {mine}/archives {mine}/identities {mine}/files"
        f" blocks/{block}/identities",
        400: "jobs/ jobs/active messages/batches",
        200: f"agents/ blocks/ tools/ runs/ groups/ tags/ {mine}/tools {mine}/core-memory/blocks"
        f" {mine}/groups conversations/{talk['id']}/messages blocks/{block}/agents",
    }
    for status, paths in kinds.items():
        for path in paths.split():
            reply = await api.sdk.get(f"/v1/{path}", params={side: UNKNOWN})
            assert (path, reply.status_code) == (path, status)
            if status == 200:
                assert reply.json() == await api.got(f"/v1/{path}"), path
    # These page forward alone.
    for path in ("admin/users/", "admin/orgs/", f"conversations/?agent_id={agent['id']}"):
        reply = await api.sdk.get(f"/v1/{path}{'&' if '?' in path else '?'}after={UNKNOWN}")
        assert (path, reply.status_code) == (path, 404)


@pytest.mark.rule("api-6.4")
async def test_filters_narrow_list_and_count_alike(api: Api) -> None:
    await api.agent(name="Ada", tags=["x", "y"], project_id="p1")
    await api.agent(name="ada 2", tags=["x"], template_id="t1")
    await api.agent(name="Bob", tags=["y"])
    asked: list[tuple[dict[str, Any], int]] = [
        ({}, 3),
        ({"name": "Ada"}, 1),
        ({"query_text": "AD"}, 2),
        ({"tags": ["x", "y"]}, 3),
        ({"tags": ["x", "y"], "match_all_tags": True}, 1),
        ({"project_id": "p1"}, 1),
        ({"template_id": "t1"}, 1),
        ({"last_stop_reason": "end_turn"}, 0),
        ({"identity_id": "identity-1"}, 0),
        ({"identifier_keys": ["k"]}, 0),
    ]
    for params, number in asked:
        assert len(await api.got("/v1/agents/", **params)) == number, params
        assert await api.got("/v1/agents/count", **params) == number, params


# Update and delete


@pytest.mark.rule("api-6.30", "api-6.40", "api-4.6")
async def test_a_patch_sets_what_it_names_and_null_says_nothing(api: Api) -> None:
    made = await api.agent(
        name="Ada", description="old", metadata={"a": 1}, tags=["x"], max_tokens=300
    )
    path = f"/v1/agents/{made['id']}"
    changed = (
        await api.sdk.patch(
            path,
            json={
                "description": "new",
                "metadata": {"b": 2},
                "tags": [],
                "name": None,
                "hidden": True,
                "timezone": "Europe/Rome",
            },
        )
    ).json()
    AgentState.model_validate(changed)
    assert (changed["name"], changed["description"], changed["metadata"]) == (
        "Ada",
        "new",
        {"b": 2},
    )
    assert (changed["tags"], changed["hidden"], changed["timezone"]) == ([], True, "Europe/Rome")
    assert changed["llm_config"]["max_tokens"] == 300
    assert changed["updated_at"] > made["updated_at"]
    assert len(changed["tools"]) == 3
    cleared = (await api.sdk.patch(path, json={"max_tokens": None})).json()
    assert cleared["llm_config"]["max_tokens"] is None


@pytest.mark.rule("api-6.30", "api-4.1")
async def test_a_patch_says_how_the_last_run_went(api: Api) -> None:
    path = f"/v1/agents/{(await api.agent())['id']}"
    told = {"last_stop_reason": "error", "last_run_duration_ms": 7}
    for sent, shown in (
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000000Z"),
        ("2026-01-02", "2026-01-02T00:00:00.000000Z"),
    ):
        changed = await api.sdk.patch(path, json={**told, "last_run_completion": sent})
        wanted = {**told, "last_run_completion": shown}
        assert wanted.items() <= changed.json().items()
        renamed = await api.sdk.patch(path, json={"name": "Ada", "last_stop_reason": None})
        assert wanted.items() <= renamed.json().items()
    beyond = await api.sdk.patch(path, json={"last_run_duration_ms": 2**70})
    assert beyond.status_code == 422


@pytest.mark.rule("api-6.30")
async def test_another_model_keeps_the_bound_of_the_reply(api: Api) -> None:
    made = await api.agent(max_tokens=300, context_window_limit=9_000)
    path = f"/v1/agents/{made['id']}"
    moved = (await api.sdk.patch(path, json={"model": "openai/gpt-4.1"})).json()
    assert (moved["model"], moved["llm_config"]["max_tokens"]) == ("openai/gpt-4.1", 300)
    assert moved["llm_config"]["context_window"] == 128_000
    settings = {"provider_type": "openai", "temperature": 0.9}
    warmer = (await api.sdk.patch(path, json={"model_settings": settings})).json()
    assert (warmer["model_settings"]["temperature"], warmer["model"]) == (0.9, "openai/gpt-4.1")
    assert warmer["llm_config"]["max_tokens"] == 300


@pytest.mark.rule("api-6.20", "C9")
async def test_compaction_settings_are_merged_and_a_mode_brings_its_prompt(api: Api) -> None:
    plain = (await api.agent())["compaction_settings"]
    assert plain.pop("prompt")
    assert plain == {
        "model": "openai/gpt-5-mini", "model_settings": None, "prompt_acknowledgement": False,
        "clip_chars": 50_000, "mode": "sliding_window", "sliding_window_percentage": 0.3,
    }  # fmt: skip
    made = await api.agent(compaction_settings={"prompt": "Mine.", "clip_chars": 10})
    path = f"/v1/agents/{made['id']}"
    kept = (await api.sdk.patch(path, json={"compaction_settings": {"clip_chars": 20}})).json()
    assert kept["compaction_settings"]["prompt"] == "Mine."
    assert kept["compaction_settings"]["clip_chars"] == 20
    moded = (await api.sdk.patch(path, json={"compaction_settings": {"mode": "all"}})).json()
    assert moded["compaction_settings"]["prompt"] not in ("Mine.", None)
    assert moded["compaction_settings"]["clip_chars"] == 20


@pytest.mark.rule("api-6.30")
async def test_lists_of_relations_are_replaced_whole(api: Api) -> None:
    made = await api.agent(memory_blocks=[{"label": "human", "value": ""}])
    other = await api.block("other")
    wipe = (await api.got("/v1/tools/", name="memory_insert"))[0]
    path = f"/v1/agents/{made['id']}"
    changed = (
        await api.sdk.patch(path, json={"block_ids": [other["id"]], "tool_ids": [wipe["id"]]})
    ).json()
    assert [block["label"] for block in changed["blocks"]] == ["other"]
    assert names(changed) == ["memory_insert"]
    assert changed["tool_rules"] == []
    unknown = "block-00000000-0000-4000-8000-000000000009"
    assert (await api.sdk.patch(path, json={"block_ids": [unknown]})).status_code == 404
    twin = await api.block("other")
    clash = await api.sdk.patch(path, json={"block_ids": [other["id"], twin["id"]]})
    assert clash.status_code == 409
    assert await api.got(path, include=["agent.blocks"]) == changed | {"tools": [], "tags": []}


@pytest.mark.rule("api-4.7")
async def test_an_empty_patch_answers_the_agent(api: Api) -> None:
    made = await api.agent(name="Ada")
    same = await api.sdk.patch(f"/v1/agents/{made['id']}", json={})
    assert (same.status_code, same.json()["name"]) == (200, "Ada")
    assert (await api.sdk.patch(f"/v1/agents/{UNKNOWN}", json={})).status_code == 404


@pytest.mark.rule("api-6.45", "api-28")
async def test_deleting_an_agent_keeps_its_blocks(api: Api) -> None:
    made = await api.agent(memory_blocks=[{"label": "human", "value": "Ada"}])
    reply = await api.sdk.delete(f"/v1/agents/{made['id']}")
    assert (reply.status_code, made["id"] in reply.json()["message"]) == (200, True)
    assert (await api.sdk.get(f"/v1/agents/{made['id']}")).status_code == 404
    assert (await api.sdk.delete(f"/v1/agents/{made['id']}")).status_code == 404
    assert (await api.got(f"/v1/blocks/{made['blocks'][0]['id']}"))["value"] == "Ada"


@pytest.mark.rule("api-1.11")
async def test_an_agent_of_another_organization_is_not_there(api: Api) -> None:
    stranger = Actor(organization_id="org-11111111-1111-4111-8111-111111111111")
    made = await api.agent()
    async with api.db.read(stranger) as tx:
        assert await agents.get(tx, made["id"]) is None
        assert await related.of_one(tx, made["id"], lists.WINDOW) == ()
