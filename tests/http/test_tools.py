"""Tools over HTTP, and which of them an agent has."""

from typing import Any

import pytest
from letta_client.types import AgentState, Tool

from eunoe.domain.base_tools import rule
from tests.fixtures.apis import STORED_TOOLS, Api, names

pytestmark = pytest.mark.anyio

UNKNOWN = "tool-00000000-0000-4000-8000-000000000009"


async def tool_id(api: Api, name: str) -> str:
    found: str = (await api.got("/v1/tools/", name=name))[0]["id"]
    return found


@pytest.mark.rule("api-13.1", "api-4.5")
async def test_a_tool_is_whole(api: Api) -> None:
    listed = await api.got("/v1/tools/")
    assert len(listed) == len(STORED_TOOLS)
    for one in listed:
        Tool.model_validate(one)
        assert one["json_schema"]["name"] == one["name"]
        assert one["metadata_"] == {}
        assert await api.got(f"/v1/tools/{one['id']}") == one
    assert (await api.sdk.get(f"/v1/tools/{UNKNOWN}")).status_code == 404
    assert (await api.sdk.get("/v1/tools/nonsense")).status_code == 422


@pytest.mark.rule("api-13.3", "api-1.4")
async def test_filters_take_repeated_and_joined_words(api: Api) -> None:
    wipe = await tool_id(api, "wipe_disk")
    asked: list[tuple[dict[str, Any], int]] = [
        ({}, 5),
        ({"name": "memory_insert"}, 1),
        ({"names": ["memory_insert", "wipe_disk"]}, 2),
        ({"names": "memory_insert,wipe_disk"}, 2),
        ({"tool_ids": [wipe]}, 1),
        ({"search": "MEMORY"}, 2),
        ({"tool_types": "letta_core,custom"}, 3),
        ({"exclude_tool_types": ["letta_core"]}, 3),
        ({"return_only_letta_tools": True}, 4),
    ]
    for params, number in asked:
        assert len(await api.got("/v1/tools/", **params)) == number, params
        assert await api.got("/v1/tools/count", **params) == number, params
    assert await api.got("/v1/tools/count", exclude_letta_tools=True) == 1
    bad = await api.sdk.get("/v1/tools/", params={"tool_types": "unheard_of"})
    assert bad.status_code == 400


@pytest.mark.rule("api-6.50", "api-1.12")
async def test_attach_and_detach_can_be_repeated(api: Api) -> None:
    agent = await api.agent(include_base_tools=False)
    send = await tool_id(api, "send_message")
    path = f"/v1/agents/{agent['id']}/tools"
    for _ in range(2):
        reply = await api.sdk.patch(f"{path}/attach/{send}")
        assert (reply.status_code, reply.json()) == (200, None)
    assert [one["name"] for one in await api.got(path)] == ["send_message"]
    shown = (await api.legacy.patch(f"{path}/attach/{send}")).json()
    AgentState.model_validate(shown)
    assert len(shown["tools"]) == 1
    assert (await api.sdk.patch(f"{path}/attach/{UNKNOWN}")).status_code == 404
    for gone in (send, send, UNKNOWN):
        assert (await api.sdk.patch(f"{path}/detach/{gone}")).status_code == 200
    assert await api.got(path) == []


@pytest.mark.rule("api-6.50", "api-6.9", "H1")
async def test_a_tool_that_asks_for_approval_brings_its_rule(api: Api) -> None:
    """When the agent is made and when the tool is attached, but not with a new list of tools."""
    wipe = await tool_id(api, "wipe_disk")
    careful = [rule("requires_approval", "wipe_disk")]
    made = await api.agent(include_base_tools=False, tool_ids=[wipe])
    assert made["tool_rules"] == careful
    other = await api.agent(include_base_tools=False, include_base_tool_rules=False)
    path = f"/v1/agents/{other['id']}"
    changed = await api.legacy.patch(path, json={"tool_ids": [wipe]})
    assert (names(changed.json()), changed.json()["tool_rules"]) == (["wipe_disk"], [])
    for _ in range(2):
        assert (await api.sdk.patch(f"{path}/tools/attach/{wipe}")).status_code == 200
        assert (await api.got(path))["tool_rules"] == careful


@pytest.mark.rule("TR21", "api-6.50")
async def test_a_tool_is_put_under_approval_by_name_and_freed(api: Api) -> None:
    agent = await api.agent()
    path = f"/v1/agents/{agent['id']}"
    route = f"{path}/tools/approval/anything"
    for _ in range(2):
        put = await api.sdk.patch(route, json={"requires_approval": True})
        assert (put.status_code, put.json()) == (200, None)
        assert (await api.got(path))["tool_rules"] == [rule("requires_approval", "anything")]
    for _ in range(2):
        freed = await api.sdk.patch(route, params={"requires_approval": False})
        assert (freed.status_code, freed.json()) == (200, None)
        assert (await api.got(path))["tool_rules"] == []
    nothing = await api.sdk.patch(route)
    assert nothing.status_code == 422
    assert "requires_approval" in nothing.json()["detail"]


@pytest.mark.rule("api-5.11")
async def test_an_agent_lists_ten_tools_at_most_unless_asked(api: Api) -> None:
    agent = await api.agent()
    path = f"/v1/agents/{agent['id']}/tools"
    assert len(await api.got(path)) == 3
    assert len(await api.got(path, limit=2)) == 2
    first = (await api.got(path, limit=1))[0]["id"]
    assert len(await api.got(path, after=first)) == 2
