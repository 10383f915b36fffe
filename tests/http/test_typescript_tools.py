"""Tools in TypeScript, from their source to what an agent's model is told."""

from pathlib import Path
from typing import Any

import pytest
from letta_client import APIStatusError

from eunoe.service.sandboxes import executors_of
from eunoe.store.db import Database
from eunoe.testing.scripted import call, say
from tests.http.talks import talking
from tests.node import runtime
from tests.tools.programs import sandboxed

pytestmark = pytest.mark.anyio

SOURCE = """
/**
 * Greet somebody.
 *
 * @param name - Whom.
 * @param times - How often.
 */
export function greet(name: string, times: number = 1): { said: string[] } {
  return { said: Array(times).fill(`Hello, ${name}. I am ${process.env.LETTA_AGENT_ID?.slice(0, 5)}.`) };
}
"""
SCHEMA: Any = {
    "name": "greet",
    "description": "Greet somebody.",
    "parameters": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Whom."},
            "times": {"type": "number", "default": 1, "description": "How often."},
        },
        "required": ["name"],
    },
}


@pytest.mark.rule("X35", "X36", "X17", "X19", "FIX-57")
async def test_a_tool_in_typescript_is_made_attached_and_called(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", runtime.environment()["PATH"])
    async with (
        sandboxed(tmp_path) as sandbox,
        talking(database, executors_of(database, sandbox)) as talk,
    ):
        with pytest.raises(APIStatusError) as unclear:
            await talk.letta.tools.create(source_code="const a = 1;", source_type="typescript")
        assert (unclear.value.status_code, "export function" in str(unclear.value)) == (400, True)
        tool = await talk.letta.tools.create(source_code=SOURCE, source_type="typescript")
        assert tool.json_schema == SCHEMA
        for wrong in ("export function greet( {}", "export function gone() {}", "let a = 1;"):
            with pytest.raises(APIStatusError) as refused:
                await talk.letta.tools.update(tool.id, source_code=wrong)
            assert refused.value.status_code == 400
        agent = await talk.agent("letta_v1_agent", tool_ids=[tool.id])
        model = talk.script(call(("greet", {"name": "Ada", "times": 2})), say("Done."))
        heard = await talk.send(agent.id, "steps")
        (row,) = [one for one in heard.rows if one["message_type"] == "tool_return_message"]
        hello = "Hello, Ada. I am agent."
        assert (row["status"], row["tool_return"]) == (
            "success",
            f'{{"said": ["{hello}", "{hello}"]}}',
        )
        assert hello in repr(model.requests[1].messages[-1])
