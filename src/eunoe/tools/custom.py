"""Custom tools of an agent: from a call to a program, and from what it came to back to a result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.edits import Change, StateWrite
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool, ToolResult
from eunoe.errors import EunoeError
from eunoe.tools.programs import Executor, Program, Ran, Requirement
from eunoe.tools.schema.source import function_of, parameters_of, parsed


class Surroundings(Protocol):
    """What a custom tool may know of its agent, read when it is called."""

    async def secrets(self) -> Mapping[str, str]: ...

    async def blocks(self) -> Sequence[Block]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTools:
    """Runs an agent's custom tools."""

    agent: Agent
    executor: Executor
    surroundings: Surroundings

    async def run(self, tool: Tool, arguments: Json) -> ToolResult | StateWrite:
        """Run one call; what a tool changed in the memory it was given goes with its result."""
        # One that V1's own editor made says `json` of a source in Python.
        if not tool.source_code:
            return ToolResult(ok=False, output=f"`{tool.name}` has no code that could be run.")
        try:
            function, asked = called_function(tool.source_code, tool.source_type, tool.name)
        except EunoeError as error:
            return ToolResult(ok=False, output=str(error), stderr=(str(error),))
        blocks = await self.surroundings.blocks() if "agent_state" in asked else ()
        program = Program(
            name=tool.name,
            function=function,
            source=tool.source_code,
            language="typescript" if tool.source_type == "typescript" else "python",
            schema=tool.parameters,
            requirements=requirements(tool.pip_requirements),
            npm_requirements=requirements(tool.npm_requirements),
            environment=self._environment(tool, await self.surroundings.secrets()),
            return_char_limit=tool.return_char_limit,
            network=True if tool.metadata.get("network") is True else None,
            agent_id=self.agent.id,
            agent_state=_state(self.agent, blocks) if "agent_state" in asked else None,
        )
        ran = await self.executor.run(program, arguments=arguments)
        changes = _changes(blocks, ran.agent_state)
        return StateWrite(result=result_of(ran), changes=changes) if changes else result_of(ran)

    def _environment(self, tool: Tool, secrets: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of one call, the later of two counting (X30)."""
        project_id = self.agent.project_id
        known = {
            "LETTA_AGENT_ID": self.agent.id,
            "LETTA_TOOL_ID": tool.id,
            "LETTA_PROJECT_ID": project_id,
            "PROJECT_ID": project_id,
        }
        return {**secrets, **{name: value for name, value in known.items() if value}}


def called_function(
    source: str, source_type: str | None, name: str | None
) -> tuple[str, Sequence[str]]:
    """Return which function of a source is called, and its arguments where they can be read.

    Raises an `Invalid` for Python that has none. In TypeScript it is the one of the tool's name.
    """
    if source_type == "typescript":
        return name or "", ()
    function = function_of(parsed(source), name=name)
    return function.name, parameters_of(function)


def requirements(given: Sequence[Json]) -> tuple[Requirement, ...]:
    return tuple(Requirement(name=str(one["name"]), version=one.get("version")) for one in given)


def result_of(ran: Ran) -> ToolResult:
    return ToolResult(
        ok=ran.ok,
        output=ran.output,
        stdout=ran.stdout,
        stderr=ran.stderr,
        parts=ran.content,
        fingerprint=ran.fingerprint,
    )


_OF_AGENT: Final = (
    "id", "name", "agent_type", "description", "system", "metadata", "timezone", "project_id",
)  # fmt: skip
_OF_BLOCK: Final = ("id", "label", "value", "limit", "description", "read_only", "metadata")


def _state(agent: Agent, blocks: Sequence[Block]) -> Json:
    """Return the agent as its tools see it, without tools and rules (X27)."""
    return {
        **{name: getattr(agent, name) for name in _OF_AGENT},
        "tags": list(agent.tags),
        "tools": [],
        "tool_rules": [],
        "memory": {
            "blocks": [{name: getattr(block, name) for name in _OF_BLOCK} for block in blocks]
        },
    }


def _changes(blocks: Sequence[Block], state: Json | None) -> dict[str, Change]:
    """Return what is different in the memory that a program gave back, whatever it is."""
    match state:
        case {"memory": {"blocks": [*left]}}:
            pass
        case _:
            left = []
    given = {block.label: block.value for block in blocks}
    changes: dict[str, Change] = {}
    for one in left:
        match one:
            case {"label": str() as label, "value": str() as value} if label in given:
                if value != given[label]:
                    changes[label] = Change(before=given[label], after=value)
            case _:
                pass
    return changes
