"""The built-in tool by which an agent runs code of its own, in the same sandbox (agent 7.7)."""

import ast
import json
from collections.abc import Mapping
from typing import Final, cast

from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool, ToolResult
from eunoe.errors import ToolArgumentsInvalid
from eunoe.tools import fields
from eunoe.tools.custom import CustomTools, requirements
from eunoe.tools.programs import Program

RUN_CODE: Final = "run_code"


async def run_code(
    arguments: Json, *, custom: CustomTools, tools: Mapping[str, Tool]
) -> ToolResult:
    """Run the code and return what its last expression is, what it printed, and its error.

    Of the agent's custom tools it can call those that it names, and is given no others (FIX-70).
    """
    code = fields.text(arguments, "code", of=RUN_CODE)
    language = str(arguments.get("language") or "python").lower()
    if language != "python":
        raise ToolArgumentsInvalid(f"This server runs Python only, and no `{language}`.")
    named = [tools[name] for name in sorted(_names(code) & tools.keys())]
    given = [tool for tool in named if tool.tool_type == "custom" and tool.source_type == "python"]
    program = Program(
        name=RUN_CODE,
        function="",
        source=code,
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
    output = json.dumps(said, ensure_ascii=False)
    return ToolResult(
        ok=ran.ok, output=output, stdout=ran.stdout, stderr=ran.stderr, fingerprint=ran.fingerprint
    )


def _names(code: str) -> set[str]:
    """Return the names in the code; one that cannot be read says so itself when it is run."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
