"""Code that an agent writes itself."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool, ToolResult
from eunoe.tools.catalog import AgentToolbox, Run, ToolFunction, builtin_tools
from eunoe.tools.custom import CustomTools
from eunoe.tools.programs import Program, Ran
from eunoe.tools.sandbox import Sandbox
from tests.node import runtime
from tests.tools.boxes import AGENT, Around, Memory, box, call
from tests.tools.boxes import custom as function
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", runtime.environment()["PATH"])
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


def tool(name: str, run: Run, **properties: Json) -> ToolFunction:
    made = function(run, name=name)
    return replace(made, tool=replace(made.tool, parameters={"properties": properties}))


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


@pytest.mark.rule("X14")
async def test_python_that_is_said_to_be_json_is_run(executor: Noting) -> None:
    double = replace(custom("double", "def double(n):\n  return n * 2"), source_type="json")
    around = CustomTools(agent=AGENT, executor=executor, surroundings=Around(SECRETS))
    result = await around.run(double, {"n": 21})
    assert isinstance(result, ToolResult)
    assert (result.ok, result.output) == (True, "42")
    bare = await around.run(replace(double, source_code=None), {"n": 21})
    assert isinstance(bare, ToolResult)
    assert (bare.ok, bare.output) == (False, "`double` has no code that could be run.")


async def test_other_languages_are_refused_in_words(executor: Noting) -> None:
    ok, output = await ran(executor, "1", language="java")
    assert not ok
    assert "no `java`" in output


@pytest.mark.rule("FIX-70", "X40")
@pytest.mark.parametrize(
    ("code", "results", "error"),
    [
        ("const n: number = 20; console.log('hi'); n + 1", ["21"], None),
        ("require('node:path').posix.join('a', 'b')", ["a/b"], None),
        ("null.x", [], "TypeError"),
    ],
)
async def test_scripts_are_run_by_node(
    executor: Noting, code: str, results: list[str], error: str | None
) -> None:
    ok, output = await ran(executor, code, language="ts")
    said = json.loads(output)
    assert (ok, said["results"]) == (error is None, results), said
    assert (error or "") in said.get("error", "")


async def with_tools(executor: Noting, code: str) -> tuple[bool, Any]:
    async def shout(arguments: Json) -> object:
        return {"said": str(arguments["text"]).upper(), "times": arguments.get("times")}

    async def refuse(arguments: Json) -> object:
        raise ValueError("not today")

    shouting = tool("shout", shout, text={"type": "string"}, times={"type": "integer"})
    toolbox = box(
        shouting,
        tool("refuse", refuse),
        custom=CustomTools(agent=AGENT, executor=executor, surroundings=Around(SECRETS)),
    )
    result = await call(toolbox, "run_code_with_tools", code=code)
    assert isinstance(result, ToolResult)
    return result.ok, json.loads(str(result.output))


@pytest.mark.rule("X40")
@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("[shout(t)['said'] for t in 'ab']", "['A', 'B']"),
        ("shout('a', 2) == shout(times=2, text='a') == {'said': 'A', 'times': 2}", "True"),
        ("try:\n  refuse()\nexcept ToolError as error:\n  print(error)\n'went on'", "went on"),
        (
            "run_code(code='6*7', language='python')",
            '{"results": ["42"], "logs": {"stdout": [], "stderr": []}}',
        ),
        (
            "import threading as t\nall = []\nts = [t.Thread(target=lambda n=n: all.append(shout(str(n))['said'])) for n in range(5)]\n[x.start() for x in ts]; [x.join() for x in ts]\nsorted(all)",
            "['0', '1', '2', '3', '4']",
        ),
        ("shout('x' * 40_000)['said'].count('X')", "40000"),
    ],
)
async def test_code_calls_tools_as_functions(executor: Noting, code: str, value: str) -> None:
    ok, said = await with_tools(executor, code)
    assert (ok, said["func_return"]) == (True, value), said
    assert said["status"] == "success"


@pytest.mark.rule("X40")
@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("refuse()", "ValueError: not today"),
        ("memory_insert(label='human', new_string='x')", "call it by itself"),
        ("shout('a', 1, 2)", "takes 2 arguments"),
        ("shout({1, 2})", "not JSON serializable"),
        ("for n in range(200): shout('a')", "100 times"),
        ("run_code_with_tools('1')", "NameError"),
    ],
)
async def test_a_call_that_cannot_be_made_raises_in_the_code(
    executor: Noting, code: str, told: str
) -> None:
    ok, said = await with_tools(executor, code)
    assert (ok, said["status"]) == (False, "error")
    assert told in said["func_return"]


@pytest.mark.rule("X31", "X40")
async def test_code_that_speaks_to_the_server_itself_gains_nothing(executor: Noting) -> None:
    speak = "import socket, os, struct\nfor n in range(4, 20):\n  try: s = socket.socket(fileno=n)\n  except OSError: continue\n  {}\n"
    for said in (
        "s.send(struct.pack('>I', 2**31)); print(s.recv(9))",
        "s.send(struct.pack('>I', 2) + b'{}'); print(s.recv(9))",
        "s.send(b'xx'); s.shutdown(1); print(s.recv(9))",
    ):
        ok, answer = await with_tools(executor, speak.format(said) + "'over'")
        assert (ok, answer["func_return"], answer["stdout"]) == (True, "over", ["b''\n"])
    assert (await with_tools(executor, "shout('still here')['said']"))[1][
        "func_return"
    ] == "STILL HERE"
