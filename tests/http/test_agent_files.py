"""Agents as files: what a round trip keeps, what an import takes, and what it refuses (api 7)."""

import json

import pytest

from tests.fixtures.apis import Api
from tests.http.filing import exported, imported, talk, without_time

pytestmark = pytest.mark.anyio

RULES = [
    {"type": "run_first", "tool_name": "wipe_disk", "args": {"all": True}},
    {"type": "max_count_per_step", "tool_name": "wipe_disk", "max_count_limit": 2},
    {"type": "conditional", "tool_name": "wipe_disk", "child_output_mapping": {"a": "wipe_disk"}},
]


@pytest.mark.rule("api-7.1", "api-7.2")
@pytest.mark.parametrize(
    "agent_type",
    ["letta_v1_agent", "memgpt_agent", "memgpt_v2_agent", "react_agent", "sleeptime_agent"],
)
@pytest.mark.parametrize("everything", [False, True])
async def test_a_round_trip_gives_the_same_bytes(
    api: Api, agent_type: str, everything: bool
) -> None:
    shared = await api.block("shared", "Both see this.", limit=5000, metadata={"b": 1, "a": 2})
    agent = await api.agent(
        name="Ada's own",
        agent_type=agent_type,
        include_base_tools=False,
        tools=["wipe_disk", "send_message"],
        tool_rules=RULES,
        block_ids=[shared["id"]],
        memory_blocks=[{"label": "human", "value": "Ada"}, {"label": "a first", "value": ""}],
        tags=["z", "a"],
        metadata={"z": [1, 2], "a": None},
        timezone="Europe/Rome",
        model_settings={
            "provider_type": "openai",
            "temperature": 0.2,
            "reasoning": {"reasoning_effort": "low"},
        },
        response_format={"type": "json_object"},
        compaction_settings={"mode": "all", "clip_chars": None},
    )
    await talk(api, agent)
    first = await exported(api, agent["id"], everything=everything)
    assert len(json.loads(first)["agents"][0]["messages"]) >= 201
    (again,) = (await imported(api, first, append_copy_suffix=False))["agent_ids"]
    assert again != agent["id"]
    second = await exported(api, again, everything=everything)
    assert without_time(second) == without_time(first)
