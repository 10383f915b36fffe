"""Tools, and which of them an agent has (api 6.50, 13.3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, get_args

from fastapi import Depends, Header, Query
from starlette.responses import Response

from eunoe.domain import agent_states
from eunoe.domain.alike import alike
from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolType
from eunoe.errors import Invalid
from eunoe.http.callers import SdkDep
from eunoe.http.deps import Me, given
from eunoe.http.pages import page_of
from eunoe.http.paths import AgentId, ToolId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import custom_tools, states, tool_trials, tool_writing, tools
from eunoe.store import tools as stored
from eunoe.store.paging import Page
from eunoe.store.tools import ToolFilter
from eunoe.wire.agents import AgentState, state
from eunoe.wire.messages import ToolReturnMessage
from eunoe.wire.tools import (
    ApprovalBody,
    CreateToolBody,
    FoundTool,
    GeneratedTool,
    RunSourceBody,
    RunToolBody,
    SearchToolsBody,
    SourceBody,
    Tool,
    ToolExecution,
    UpdateToolBody,
    WishBody,
    execution,
    found,
    generated,
    returned,
    schema,
    tool,
)

router = v1("/tools", tag="tools")
of_agent = v1("/agents", tag="agents")

Words = Annotated[list[str] | None, Query(description="Repeated, or separated by commas.")]
ProjectId = Annotated[str | None, Header(alias="X-Project-Id")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which tools are wanted (13.3)."""

    name: str | None = None
    names: Words = None
    tool_ids: Words = None
    search: str | None = None
    tool_types: Words = None
    exclude_tool_types: Words = None
    return_only_letta_tools: bool = False
    project_id: ProjectId = None

    def where(self, *, exclude_letta: bool = False) -> ToolFilter:
        return alike(
            ToolFilter,
            self,
            names=_words(self.names),
            tool_ids=_words(self.tool_ids),
            tool_types=_types(self.tool_types),
            exclude_tool_types=_types(self.exclude_tool_types),
            letta_only=True if self.return_only_letta_tools else False if exclude_letta else None,
        )


@router.get("/", **answers("list_tools", list[Tool]))
async def list_all(
    me: Me,
    asked: Annotated[Asked, Depends(given(Asked))],
    page: Annotated[Page, Depends(page_of(limit=50, order="desc"))],
) -> Response:
    """List tools, the newest first."""
    async with me.read() as tx:
        listed = await stored.list_tools(tx, asked.where(), page)
    return JsonReply([tool(one) for one in listed])


@router.get("/count", **answers("count_tools", int))
async def count(
    me: Me, asked: Annotated[Asked, Depends(given(Asked))], exclude_letta_tools: bool = False
) -> Response:
    where = asked.where(exclude_letta=exclude_letta_tools)
    async with me.read() as tx:
        return JsonReply(await stored.count(tx, where))


@router.post("/", **answers("create_tool", Tool))
@router.put("/", summary="Upsert", **answers("upsert_tool", Tool))
async def create(body: CreateToolBody, me: Me, project_id: ProjectId = None) -> Response:
    """Store a tool by its source; one of the same name is changed."""
    made = await custom_tools.put(me.db, me.actor, body.draft(project_id=project_id))
    return JsonReply(tool(made))


@router.post("/search", **answers("search_tools", list[FoundTool]))
async def search(body: SearchToolsBody, me: Me) -> Response:
    """Find tools by the words of their names, descriptions, tags and arguments."""
    where = ToolFilter(tool_types=_types(body.tool_types), tags=tuple(body.tags or ()))
    hits = await custom_tools.search(
        me.db, me.actor, body.query or "", where=where, limit=body.limit
    )
    return JsonReply([found(hit) for hit in hits])


@router.post("/add-base-tools", **answers("add_base_tools", list[Tool]))
async def add_base_tools(me: Me) -> Response:
    """Bring the built-in tools back, as this version of the server has them."""
    return JsonReply([tool(one) for one in await custom_tools.add_base_tools(me.db, me.actor)])


@router.post("/generate-schema", **answers("generate_json_schema", Json))
async def generate_schema(body: SourceBody) -> Response:
    """Derive what models would be told of a source, and store nothing."""
    return JsonReply(schema(custom_tools.told_of(body.draft()).schema))


@router.post("/run", **answers("run_tool_from_source", ToolReturnMessage))
async def run_source(body: RunSourceBody, me: Me) -> Response:
    """Run a source once; what fails in it is an answer with the status `error`."""
    name, result = await tool_trials.run(me.runtime.executors(me.actor), body.trial())
    return JsonReply(returned(result, name=name, at=datetime.now(UTC)))


@router.post("/generate-tool", **answers("generate_tool", GeneratedTool))
async def generate(body: WishBody, me: Me) -> Response:
    """Let a model write a tool, and store nothing."""
    written = await tool_writing.write_tool(
        me.actor, body.wish(), models=me.models, defaults=me.defaults
    )
    return JsonReply(generated(written))


@router.patch("/{tool_id}", **answers("modify_tool", Tool))
async def update(tool_id: ToolId, body: UpdateToolBody, me: Me) -> Response:
    """Change a tool; a new source alone leaves what models are told of it."""
    return JsonReply(tool(await custom_tools.update(me.db, me.actor, tool_id, body.draft())))


@router.delete("/{tool_id}", **answers("delete_tool", None))
async def delete(tool_id: ToolId, me: Me) -> Response:
    """Remove a tool from every agent that has it; rules that name it stay."""
    await custom_tools.delete(me.db, me.actor, tool_id)
    return JsonReply(None)


@router.get("/{tool_id}", **answers("retrieve_tool", Tool))
async def retrieve(tool_id: ToolId, me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(tool(await custom_tools.known(tx, tool_id)))


# On an agent


@of_agent.get("/{agent_id}/tools", **answers("list_tools_for_agent", list[Tool]))
async def list_attached(
    agent_id: AgentId, me: Me, page: Annotated[Page, Depends(page_of(limit=10, order="desc"))]
) -> Response:
    """List the agent's tools."""
    async with me.read() as tx:
        await states.known(tx, agent_id)
        listed = await stored.list_tools(tx, ToolFilter(agent_id=agent_id), page)
    return JsonReply([tool(one) for one in listed])


@of_agent.patch(
    "/{agent_id}/tools/attach/{tool_id}", **answers("attach_tool_to_agent", AgentState | None)
)
async def attach(agent_id: AgentId, tool_id: ToolId, me: Me, sdk: SdkDep) -> Response:
    """Give the agent a tool."""
    return _answer(await tools.attach(me.db, me.actor, agent_id, tool_id), sdk=sdk)


@of_agent.patch(
    "/{agent_id}/tools/detach/{tool_id}", **answers("detach_tool_from_agent", AgentState | None)
)
async def detach(agent_id: AgentId, tool_id: ToolId, me: Me, sdk: SdkDep) -> Response:
    """Take a tool off the agent; the rules that name it stay."""
    return _answer(await tools.detach(me.db, me.actor, agent_id, tool_id), sdk=sdk)


@of_agent.post("/{agent_id}/tools/{tool_name}/run", **answers("run_tool_for_agent", ToolExecution))
async def run(
    agent_id: AgentId, tool_name: str, me: Me, body: RunToolBody | None = None
) -> Response:
    """Call a tool of the agent as it would itself; no message, run or step is written."""
    arguments = {} if body is None else body.args
    result = await me.runtime.runner.call_tool(me.actor, agent_id, tool_name, arguments=arguments)
    return JsonReply(execution(result))


@of_agent.patch(
    "/{agent_id}/tools/approval/{tool_name}",
    **answers("modify_approval_for_tool", AgentState | None),
)
async def require_approval(
    agent_id: AgentId,
    tool_name: str,
    me: Me,
    sdk: SdkDep,
    body: ApprovalBody | None = None,
    requires_approval: Annotated[bool | None, Query(deprecated=True)] = None,
) -> Response:
    """Let calls of a tool wait for approval, or no longer."""
    # Who says nothing at all is told what a body needs.
    said = body or ApprovalBody.model_validate({"requires_approval": requires_approval})
    required = said.requires_approval
    changed = await tools.require_approval(me.db, me.actor, agent_id, tool_name, required=required)
    return _answer(changed, sdk=sdk)


def _answer(changed: agent_states.AgentState, *, sdk: bool) -> Response:
    """Return null to a 1.x SDK and the whole agent to anybody else (1.12)."""
    return JsonReply(None if sdk else state(changed))


def _words(given: Iterable[str] | None) -> tuple[str, ...]:
    words = (word.strip() for one in given or () for word in one.split(","))
    return tuple(dict.fromkeys(word for word in words if word))


def _types(given: Iterable[str] | None) -> tuple[str, ...]:
    types = _words(given)
    unknown = sorted(set(types) - set(get_args(ToolType)))
    if unknown:
        raise Invalid(f"There is no tool type {', '.join(unknown)}.")
    return types
