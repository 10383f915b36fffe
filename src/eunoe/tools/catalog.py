"""The tools of one agent, behind one door: by name, from a call to what came of it."""

import json
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeAlias, cast

from eunoe.domain.agents import Agent
from eunoe.domain.edits import BLOCK_TOOLS, BlockEdit, PassageInsert, StateWrite
from eunoe.domain.files import FileOpening
from eunoe.domain.heartbeats import MESSAGE, SEND_MESSAGE
from eunoe.domain.json_schema import without_nulls
from eunoe.domain.messages import Json, Text, ToolCall
from eunoe.domain.overheard import ChunksKept, chunks_of
from eunoe.domain.tools import UNTRUNCATED, Tool, ToolResult, ToolSchema, truncated
from eunoe.domain.wellformed import storable, well_formed, with_strings
from eunoe.engine.ports import Nested, Outcome, ToolTraits
from eunoe.errors import EunoeError, ToolArgumentsInvalid
from eunoe.tools import fields
from eunoe.tools.builtin import builtin_tools
from eunoe.tools.custom import CustomTools
from eunoe.tools.files import Files, grep_files, opening, semantic_search_files
from eunoe.tools.peers import Peers, peer_tool
from eunoe.tools.recall import Recall, archival_search, conversation_search, memory_search
from eunoe.tools.run_code import run_code, run_code_with_tools
from eunoe.tools.web import Web, fetch_webpage
from eunoe.tools.web_search import web_search

__all__ = ("AgentToolbox", "ToolFunction", "bounded", "builtin_tools")

Run: TypeAlias = Callable[[Json], Awaitable[object]]
"""Runs a tool with its arguments. Any value is a result; a `ToolResult` is taken as it is, and an
exception is the tool's failure."""
Remote: TypeAlias = Callable[[Tool, Json], Awaitable[ToolResult]]
"""Has a tool called by the MCP server whose it is; raises `EunoeError` where that fails."""

_BARE_FAILURES: Final = frozenset(
    {
        "letta_core",
        "letta_memory_core",
        "letta_multi_agent_core",
        "letta_sleeptime_core",
        "letta_voice_sleeptime_core",
        "letta_files_core",
    }
)
"""Types whose failures tell the model the bare reason (X4)."""
_IMMEDIATE: Final = BLOCK_TOOLS | {SEND_MESSAGE}
_FRIENDLY_CHARS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFunction:
    """A tool that runs in this process: what models are told of it, and what runs."""

    tool: Tool
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentToolbox:
    """The tools attached to one agent. No failure of a tool leaves it as an exception (X3)."""

    agent: Agent
    tools: Mapping[str, Tool]
    recall: Recall
    functions: Mapping[str, ToolFunction] = field(default_factory=dict[str, ToolFunction])
    peers: Peers | None = None
    custom: CustomTools | None = None
    remote: Remote | None = None
    files: Files | None = None
    web: Web | None = None

    def schemas(self) -> tuple[ToolSchema, ...]:
        return tuple(tool.schema for tool in self.tools.values())

    def traits(self, name: str) -> ToolTraits:
        """Return how calls of `name` may be run; most built-in tools act on memory alone."""
        tool = self.tools.get(name)
        if tool is None:
            return ToolTraits(effectful=False)
        outward = tool.tool_type == "letta_multi_agent_core" or self._core(tool) is None
        inward = tool.idempotent or not outward
        return ToolTraits(
            parallel=tool.parallel,
            effectful=not inward,
            immediate=tool.name in _IMMEDIATE and tool.tool_type in _BARE_FAILURES,
            tool_type=tool.tool_type,
            tool_id=tool.id,
        )

    async def call(
        self, call: ToolCall, *, arguments: dict[str, object], nested: Nested | None = None
    ) -> Outcome:
        """Run one call. A name that nothing runs is an error result (X9).

        The calls that it makes itself go through `nested`, or right back through here.
        """
        tool = self.tools.get(call.name)
        run = None if tool is None else self._runner(tool, nested or self._called)
        if tool is None or run is None:
            return ToolResult(
                ok=False, output=f"Tool not found: nothing on this server runs `{call.name}`."
            )
        began = time.monotonic_ns()
        try:
            value = await run(without_nulls(arguments, tool.parameters))
        except Exception as error:  # noqa: BLE001 -- a tool may fail in any way, and it is a value
            value = _failed(tool, error)
        spent = time.monotonic_ns() - began
        if isinstance(value, BlockEdit | PassageInsert | ChunksKept | FileOpening):
            return value
        if isinstance(value, StateWrite):
            made = replace(value.result, duration_ns=spent)
            return replace(value, result=bounded(made, limit=_limit(tool)))
        return bounded(replace(_result(value), duration_ns=spent), limit=_limit(tool))

    async def _called(self, name: str, arguments: Json) -> Outcome:
        return await self.call(ToolCall(id=name, name=name, arguments=""), arguments=arguments)

    def _runner(self, tool: Tool, nested: Nested) -> Run | None:
        core = self._core(tool)
        if core is not None:
            return core
        if tool.tool_type == "letta_builtin":
            return self._outward(tool.name, nested)
        if self.custom is not None and tool.tool_type == "custom" and tool.source_code is not None:
            return partial(self.custom.run, tool)
        if tool.tool_type == "external_mcp":
            return None if self.remote is None else partial(self.remote, tool)
        function = self.functions.get(tool.name)
        return None if function is None else function.run

    def _outward(self, name: str, nested: Nested) -> Run | None:
        """Return what runs a built-in tool that reaches out of the server (7.7)."""
        match name, self.custom, self.web:
            case "run_code", CustomTools() as custom, _:
                return partial(run_code, custom=custom, tools=self.tools)
            case "run_code_with_tools", CustomTools() as custom, _:
                return partial(run_code_with_tools, custom=custom, tools=self.tools, nested=nested)
            case "fetch_webpage", _, Web() as web:
                return partial(fetch_webpage, web=web)
            case "web_search", CustomTools() as custom, Web() as web:
                return partial(web_search, web=web, secrets=custom.surroundings.secrets)
            case _:
                return None

    def _core(self, tool: Tool) -> Run | None:
        """Return what runs a built-in tool; a custom one of the same name is not it (X1)."""
        if tool.tool_type not in _BARE_FAILURES:
            return None
        if tool.name in BLOCK_TOOLS:
            return _block_edit(tool)
        if tool.tool_type == "letta_multi_agent_core":
            return None if self.peers is None else peer_tool(tool.name, self.peers)
        if tool.tool_type == "letta_files_core":
            return None if self.files is None else _file_tool(tool.name, self.files)
        zone = self.agent.timezone
        said = {"recall": self.recall, "agent_id": self.agent.id, "timezone": zone}
        return {
            SEND_MESSAGE: _send_message,
            "store_memories": _store_memories,
            "conversation_search": partial(conversation_search, **said),
            "search_memory": partial(memory_search, **said),
            "archival_memory_insert": self._archival_insert,
            "archival_memory_search": partial(archival_search, recall=self.recall, timezone=zone),
        }.get(tool.name)

    async def _archival_insert(self, arguments: Json) -> PassageInsert:
        """Embed outside the transaction; without a vector the text is found by its words (M21)."""
        of = "archival_memory_insert"
        content = well_formed(fields.text(arguments, "content", of=of))
        if not content.strip():
            raise ToolArgumentsInvalid("`content` is empty; there is nothing to keep.")
        vector = await self.recall.vector_to_keep(content)
        return PassageInsert(
            text=content,
            tags=fields.texts(arguments, "tags", of=of),
            vector=None if vector is None else vector.values,
            embedder=None if vector is None else vector.embedder,
        )


def _file_tool(name: str, files: Files) -> Run | None:
    async def open_files(arguments: Json) -> FileOpening:
        return opening(arguments)

    search = partial(semantic_search_files, files=files)
    grep = partial(grep_files, files=files)
    return {"open_files": open_files, "grep_files": grep, "semantic_search_files": search}.get(name)


def _block_edit(tool: Tool) -> Run:
    """Return what makes an edit of a call whose required arguments are there.

    Everything else is checked where it is applied, against the blocks as they are then.
    """

    async def run(arguments: Json) -> BlockEdit:
        for name in tool.parameters.get("required", ()):
            if arguments.get(name) is None:
                raise ToolArgumentsInvalid(
                    f"`{tool.name}` needs the argument `{name}`, and it is missing.", argument=name
                )
        return BlockEdit(tool=tool.name, arguments=arguments, limit=tool.return_char_limit)

    return run


async def _send_message(arguments: Json) -> None:
    """Say nothing twice: the text, or the object in the agent's format, is in the call itself."""
    if not isinstance(arguments.get(MESSAGE), dict | list):
        fields.text(arguments, MESSAGE, of=SEND_MESSAGE)


async def _store_memories(arguments: Json) -> ChunksKept:
    return chunks_of(arguments)


def _failed(tool: Tool, error: Exception) -> ToolResult:
    """Return the failure as the model and the record see it (X3, X4)."""
    friendly = f"Error executing function {tool.name}: {type(error).__name__}: {error}"
    friendly = friendly[:_FRIENDLY_CHARS]
    if tool.tool_type in _BARE_FAILURES:
        bare = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        return ToolResult(ok=False, output=bare or friendly, stderr=(friendly,))
    # What this server raises says enough; where in it that was is for nobody outside.
    known = isinstance(error, EunoeError)
    trace = friendly if known else "".join(traceback.format_exception(error))
    return ToolResult(ok=False, output=friendly, stderr=(trace,))


def _result(value: object) -> ToolResult:
    """Return a tool's value as a result: texts and objects as they are, the rest as text (X10)."""
    if isinstance(value, ToolResult):
        return value
    whole = cast("str | Json", value) if isinstance(value, str | dict) else str(value)
    return ToolResult(ok=True, output=whole)


def _limit(tool: Tool) -> int | None:
    return None if tool.name in UNTRUNCATED else tool.return_char_limit


def bounded(result: ToolResult, *, limit: int | None) -> ToolResult:
    """Return the result as it can be stored: plain text or JSON, cut to the tool's limit (X12)."""
    result = replace(
        result,
        stdout=tuple(map(storable, result.stdout)),
        stderr=tuple(map(storable, result.stderr)),
        parts=tuple(
            replace(part, text=storable(part.text)) if isinstance(part, Text) else part
            for part in result.parts
        ),
    )
    output = result.output
    if not isinstance(output, str):
        whole = _json(output)
        if whole is None:
            output = str(output)
        elif limit is None or len(whole) <= limit:
            return replace(result, output=cast("Json", with_strings(json.loads(whole), storable)))
        else:
            output = whole
    text = storable(output)
    if limit is not None:
        text = truncated(text, limit=limit)
    return replace(result, output=text)


def _json(value: Json) -> str | None:
    """Return an object as JSON text, null for one that holds what JSON cannot."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
