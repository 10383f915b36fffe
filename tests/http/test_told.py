"""What agents are told of what they know, and what is told of what they say."""

from collections.abc import AsyncGenerator
from typing import Final

import pytest

from eunoe.domain.messages import Json, text_of
from eunoe.store.db import Database
from eunoe.testing.scripted import Events, say
from tests.http.talks import ENTRANCES, Mode, Talk, call, merged, talking

pytestmark = pytest.mark.anyio


@pytest.fixture
async def talk(database: Database) -> AsyncGenerator[Talk]:
    async with talking(database) as one:
        yield one


def _sent(message: object) -> Events:
    return call("send_message", {"message": message})


CHANGES: Final[dict[str, Json]] = {
    "core_memory_append": {"label": "human", "content": "news"},
    "memory": {"command": "rename", "path": "human", "description": "news"},
    "archival_memory_insert": {"content": "news", "tags": ["news"]},
    "value": {"value": "news"},
    "description": {"description": "news"},
    "limit": {"limit": 4_321},
    "read_only": {"read_only": True},
    "label": {"label": "news"},
}


@pytest.mark.rule("L23", "L24", "M6", "FIX-4", "FIX-4b")
@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_changes_what_is_known_rebuilds_the_prompt_in_place(
    talk: Talk, change: str
) -> None:
    block = await talk.letta.blocks.create(label="human", value="Ann")
    tool_names = [name for name in CHANGES if "memory" in name]
    main = await talk.agent("letta_v1_agent", block_ids=[block.id], tools=tool_names)
    other = await talk.agent("memgpt_agent", block_ids=[block.id])

    async def prompts() -> list[tuple[str, str]]:
        """Return the system messages that both agents' models are sent now, with their ids."""
        found: list[tuple[str, str]] = []
        for one in (main, other):
            model = talk.script(_sent("Well.") if one is other else say("Well."))
            await talk.send(one.id, "blocking")
            system = model.requests[0].messages[0]
            found.append((system.id, text_of(system)))
        return found

    before = await prompts()
    assert await prompts() == before
    if "memory" in change:
        talk.script(call(change, CHANGES[change]), say("Kept."))
        await talk.send(main.id, "blocking")
    else:
        await talk.letta.blocks.update(block.id, **CHANGES[change])
    after = await prompts()
    assert [one for one, _ in after] == [one for one, _ in before]
    own = change == "archival_memory_insert"
    assert [text != old for (_, text), (_, old) in zip(after, before, strict=True)] == [
        True,
        not own,
    ]
    shown = {"limit": "chars_limit=4321", "read_only": "read_only=true"}.get(change, "news")
    assert shown in after[0][1]
    assert (shown in after[1][1]) is not own


@pytest.mark.parametrize("mode", ENTRANCES)
@pytest.mark.rule("L61", "streaming-2.10")
@pytest.mark.parametrize(
    ("message", "shown"), [(-4.5e1, "-45.0"), (True, "Again."), (None, "Again.")]
)
async def test_a_number_is_said_as_it_is_and_a_word_that_is_no_text_is_asked_about(
    talk: Talk, mode: Mode, message: object, shown: str
) -> None:
    agent = await talk.agent("memgpt_agent")
    talk.script(_sent(message), _sent("Again."))
    heard = await talk.send(agent.id, mode)
    said = [
        row["content"] for row in merged(heard.parts) if row["message_type"] == "assistant_message"
    ]
    assert said == [shown]


@pytest.mark.rule("streaming-2.9", "L37", "H5")
@pytest.mark.parametrize("mode", ENTRANCES)
@pytest.mark.parametrize("agent_type", ["letta_v1_agent", "memgpt_agent"])
async def test_a_call_without_arguments_is_one_with_an_object_of_none(
    talk: Talk, mode: Mode, agent_type: str
) -> None:
    agent = await talk.agent(agent_type, tools=["conversation_search"])
    end = say("Done.") if agent_type == "letta_v1_agent" else _sent("Done.")
    talk.script(call("conversation_search", ""), end)
    heard = merged((await talk.send(agent.id, mode)).parts)
    (made,) = [row for row in heard if row["message_type"] == "tool_call_message"]
    assert made["tool_call"]["arguments"] == "{}"
    listed = await talk.rows(f"/v1/runs/{made['run_id']}/messages")
    assert made["otid"] in [
        row["otid"]
        for row in listed
        if row["message_type"] == "tool_call_message" and row["tool_call"]["arguments"] == "{}"
    ]
