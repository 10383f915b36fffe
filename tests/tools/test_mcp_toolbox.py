"""Tools of MCP servers in the one toolbox of an agent."""

import subprocess
import sys
from dataclasses import replace

import pytest

from eunoe import ids
from eunoe.domain.messages import Json, ToolCall
from eunoe.domain.tools import Tool, ToolResult
from eunoe.engine.ports import ToolTraits
from eunoe.tools.catalog import AgentToolbox, Remote
from tests.tools.boxes import AGENT, Memory

pytestmark = pytest.mark.anyio

ADD = Tool(id=ids.new("tool"), name="add", tool_type="external_mcp", description="", parameters={})


PROBE = """
import sys
import eunoe.app
print(*sorted({"mcp", "mcp_types", "httpx2"} & set(sys.modules)))
"""


def toolbox(tool: Tool, remote: Remote | None) -> AgentToolbox:
    return AgentToolbox(agent=AGENT, tools={tool.name: tool}, recall=Memory(), remote=remote)


@pytest.mark.rule("X1", "X11", "X12", "G-17")
async def test_a_tool_of_a_server_is_called_as_any_other() -> None:
    called: list[tuple[str, Json]] = []

    async def remote(tool: Tool, arguments: Json) -> ToolResult:
        called.append((tool.id, arguments))
        return ToolResult(ok=True, output="x" * 300)

    short = replace(ADD, return_char_limit=100)
    outcome = await toolbox(short, remote).call(
        ToolCall(id="c", name="add", arguments="{}"), arguments={"a": 1}
    )
    assert called == [(ADD.id, {"a": 1})]
    assert isinstance(outcome, ToolResult)
    assert "300 > 100" in str(outcome.output)
    assert toolbox(ADD, remote).traits("add") == ToolTraits(
        effectful=True, tool_type="external_mcp", tool_id=ADD.id
    )
    harmless = replace(ADD, idempotent=True)
    assert not toolbox(harmless, remote).traits("add").effectful


@pytest.mark.rule("X9")
async def test_without_a_way_to_servers_it_is_not_found() -> None:
    outcome = await toolbox(ADD, None).call(
        ToolCall(id="c", name="add", arguments="{}"), arguments={}
    )
    assert isinstance(outcome, ToolResult)
    assert not outcome.ok


@pytest.mark.rule("FIX-62")
def test_a_server_without_mcp_servers_never_loads_the_sdk() -> None:
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
