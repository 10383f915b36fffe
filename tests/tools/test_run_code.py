"""Code that an agent writes itself."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool, ToolResult
from eunoe.tools.catalog import AgentToolbox, builtin_tools
from eunoe.tools.custom import CustomTools
from eunoe.tools.programs import Program, Ran
from eunoe.tools.sandbox import Sandbox
from tests.tools.boxes import AGENT, Around, Memory, call
from tests.tools.programs import sandboxed

pytestmark = pytest.mark.anyio

SECRETS = {"TOKEN": "of-the-agent"}


@dataclass
class Noting:
    """Notes what it is given to run."""

    sandbox: Sandbox
    last: Program | None = None

    async def run(self, program: Program, *, arguments: Json) -> Ran:
        self.last = program
        return await self.sandbox.run(program, arguments=arguments)


@pytest.fixture(scope="module")
async def executor(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Noting]:
    async with sandboxed(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield Noting(sandbox=sandbox)


def custom(name: str, source: str) -> Tool:
    return Tool(
        id=ids.new("tool"),
        name=name,
        tool_type="custom",
        description="",
        parameters={},
        source_type="python",
        source_code=source,
    )


async def ran(executor: Noting, code: str, language: str = "python") -> tuple[bool, Any]:
    tools = (
        *builtin_tools(),
        custom("double", "factor = 2\ndef double(n):\n  return n * factor"),
        custom("other", "def other():\n  pass"),
    )
    box = AgentToolbox(
        agent=AGENT,
        tools={tool.name: tool for tool in tools},
        recall=Memory(),
        custom=CustomTools(agent=AGENT, executor=executor, surroundings=Around(SECRETS)),
    )
    result = await call(box, "run_code", code=code, language=language)
    assert isinstance(result, ToolResult)
    return result.ok, result.output


@pytest.mark.rule("X40")
@pytest.mark.parametrize(
    ("code", "results", "stdout"),
    [
        ("sum(range(10))", ["45"], []),
        ("a = 'text'\nprint(a)\na", ["text"], ["text\n"]),
        ("print(1)", [], ["1\n"]),
        ("import os\nos.environ['TOKEN']", ["of-the-agent"], []),
    ],
)
async def test_code_comes_to_its_last_expression(
    executor: Noting, code: str, results: list[str], stdout: list[str]
) -> None:
    ok, output = await ran(executor, code)
    assert ok
    assert json.loads(output) == {"results": results, "logs": {"stdout": stdout, "stderr": []}}


@pytest.mark.rule("X40")
async def test_an_error_of_the_code_is_told_with_its_line(executor: Noting) -> None:
    ok, output = await ran(executor, "x = 1\nx / 0")
    said = json.loads(output)
    assert not ok
    assert "ZeroDivisionError" in said["error"]
    assert "line 2" in said["logs"]["stderr"][0]


@pytest.mark.rule("FIX-70")
async def test_code_can_call_the_tools_it_names_and_gets_no_others(executor: Noting) -> None:
    _, output = await ran(executor, "double(21)")
    assert json.loads(output)["results"] == ["42"]
    assert executor.last is not None
    assert executor.last.libraries.keys() == {"double"}


async def test_other_languages_are_refused_in_words(executor: Noting) -> None:
    ok, output = await ran(executor, "1", language="java")
    assert not ok
    assert "Python only" in output
