"""The built-in tool by which an agent runs code of its own, in the same sandbox (agent 7.7)."""

import ast
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from eunoe.domain.edits import Change, StateWrite
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool, ToolResult
from eunoe.engine.ports import Nested
from eunoe.errors import ToolArgumentsInvalid
from eunoe.tools import fields
from eunoe.tools.custom import CustomTools, requirements, result_of
from eunoe.tools.programs import Program

RUN_CODE: Final = "run_code"
WITH_TOOLS: Final = "run_code_with_tools"
_SCRIPTS: Final = frozenset({"js", "ts"})
_MODULE: Final = """
import { createRequire, stripTypeScriptTypes } from "node:module";

export async function run_code() {
  globalThis.require = createRequire(import.meta.url);
  const value = await (0, eval)(stripTypeScriptTypes(%s, { mode: "transform" }));
  if (value === undefined || value === null) return { results: [] };
  return { results: [typeof value === "object" ? JSON.stringify(value) : String(value)] };
}
"""
"""Runs a script in the sandbox's Node and returns the value of its last expression."""
_MOST_CALLS: Final = 100
_NO_MORE: Final = f"Code may call other tools {_MOST_CALLS} times, and not `{WITH_TOOLS}` itself."
_EDITS: Final = "`{name}` edits what you see, so it was not called; call it by itself."


async def run_code(
    arguments: Json, *, custom: CustomTools, tools: Mapping[str, Tool]
) -> ToolResult:
    """Run the code and return what its last expression is, what it printed, and its error.

    Of the agent's custom tools Python can call those that it names, and is given no others
    (FIX-70). Scripts are TypeScript, or JavaScript, which is the same without types.
    """
    code = fields.text(arguments, "code", of=RUN_CODE)
    language = str(arguments.get("language") or "python").lower()
    if language != "python" and language not in _SCRIPTS:
        raise ToolArgumentsInvalid(f"This server runs python, js and ts, and no `{language}`.")
    scripted = language in _SCRIPTS
    called = set[str]() if scripted else _names(code) & tools.keys()
    named = [tools[name] for name in sorted(called)]
    given = [
        tool for tool in named if tool.tool_type == "custom" and tool.source_type != "typescript"
    ]
    program = Program(
        name=RUN_CODE,
        function=RUN_CODE if scripted else "",
        source=_MODULE % json.dumps(code) if scripted else code,
        language="typescript" if scripted else "python",
        schema={},
        libraries={tool.name: tool.source_code or "" for tool in given},
        requirements=tuple(one for tool in given for one in requirements(tool.pip_requirements)),
        environment=await custom.surroundings.secrets(),
        network=any(tool.metadata.get("network") is True for tool in given) or None,
        agent_id=custom.agent.id,
    )
    ran = await custom.executor.run(program, arguments={})
    results = cast("list[str]", ran.output["results"]) if isinstance(ran.output, dict) else []
    said: Json = {"results": results, "logs": {"stdout": ran.stdout, "stderr": ran.stderr}}
    if not ran.ok:
        said["error"] = ran.output
    return replace(result_of(ran), output=json.dumps(said, ensure_ascii=False))


async def run_code_with_tools(
    arguments: Json, *, custom: CustomTools, tools: Mapping[str, Tool], nested: Nested
) -> ToolResult | StateWrite:
    """Run code that calls the agent's other tools as functions; each is a call like any other.

    What tools change in the memory they are given goes with the result. Tools that edit memory
    otherwise do so when a step is stored, which is too late for code, so they are turned away.
    """
    changes: dict[str, Change] = {}
    left = iter(range(_MOST_CALLS))

    async def made(name: str, given: Json) -> Json:
        if name == WITH_TOOLS or next(left, None) is None:
            return _told(ToolResult(ok=False, output=_NO_MORE))
        match await nested(name, given):
            case ToolResult() as result:
                return _told(result)
            case StateWrite() as wrote:
                for label, change in wrote.changes.items():
                    before = changes.get(label, change).before
                    changes[label] = replace(change, before=before)
                return _told(wrote.result)
            case _:
                return _told(ToolResult(ok=False, output=_EDITS.format(name=name)))

    program = Program(
        name=WITH_TOOLS,
        function="",
        source=fields.text(arguments, "code", of=WITH_TOOLS),
        schema={},
        tools={
            name: list(tool.parameters.get("properties", ()))
            for name, tool in tools.items()
            if name.isidentifier() and name != WITH_TOOLS
        },
        call=made,
        environment=await custom.surroundings.secrets(),
        agent_id=custom.agent.id,
    )
    ran = await custom.executor.run(program, arguments={})
    results = cast("list[str]", ran.output["results"]) if isinstance(ran.output, dict) else None
    said: Json = {
        "status": "success" if ran.ok else "error",
        "func_return": ran.output if results is None else next(iter(results), None),
        "stdout": ran.stdout,
        "stderr": ran.stderr,
    }
    result = replace(result_of(ran), output=json.dumps(said, ensure_ascii=False))
    return StateWrite(result=result, changes=changes) if changes else result


def _told(result: ToolResult) -> Json:
    return {"ok": result.ok, "output": result.output}


def _names(code: str) -> set[str]:
    """Return the names in the code; one that cannot be read says so itself when it is run."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
