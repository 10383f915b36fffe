"""Templates: agents kept as numbered versions that others are made from (api 25.2)."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from eunoe.domain.agent_files import AgentFile
from eunoe.domain.messages import Json
from eunoe.domain.names import random_name
from eunoe.http.deps import Caller, Me, given
from eunoe.http.pages import After, Limit, rows
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import templates
from eunoe.service.templates import FileSource
from eunoe.store import templates as stored
from eunoe.store.paging import Page
from eunoe.store.templates import TemplateFilter
from eunoe.wire.agent_file_reading import read
from eunoe.wire.templates import (
    AgentsMade,
    CreateFromTemplate,
    CreateTemplate,
    Done,
    RollbackTemplate,
    SaveTemplate,
    TemplateList,
    TemplateVersions,
    UpdateTemplate,
    WireTemplate,
    shown,
    shown_versions,
)

router = v1("/templates", tag="templates")

_SHOWN: Final = 50


@router.post("", **answers("templates.createTemplateNoProject", WireTemplate, status=201))
async def create(body: CreateTemplate, me: Me) -> Response:
    """Make a template of an agent as it is now, or of a file, and keep that as version 1."""
    source, name, now = body.source(), body.name or random_name(), datetime.now(UTC)
    if isinstance(source, str):
        made = await templates.create(me.db, me.actor, name=name, agent_id=source, now=now)
    else:
        made = await templates.create_of_file(
            me.db,
            me.actor,
            name=name,
            file=await _read(source),
            source=_source(me, override_tools=body.update_existing_tools),
            now=now,
        )
    return JsonReply(shown(made), status=201)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parameters of the list of templates; `search` is a part of the name."""

    name: str | None = None
    search: str | None = None
    template_id: str | None = None
    sort_by: Literal["updated_at", "created_at"] = "created_at"
    limit: Limit = _SHOWN
    after: After = None


@router.get("", **answers("templates.listTemplates", TemplateList))
async def list_all(me: Me, asked: Annotated[Asked, Depends(given(Asked))]) -> Response:
    """List templates, the newest first."""
    wanted = rows(asked.limit, default=_SHOWN)
    page = Page(limit=wanted + 1, after=asked.after, order_by=asked.sort_by)
    where = TemplateFilter(name=asked.name, search=asked.search, template_id=asked.template_id)
    async with me.read() as tx:
        found = await stored.list_templates(tx, where, page)
    body: TemplateList = {
        "templates": [shown(one) for one in found[:wanted]],
        "has_next_page": len(found) > wanted,
    }
    return JsonReply(body)


@router.get(
    "/{project_id}/{name}/versions", **answers("templates.listTemplateVersions", TemplateVersions)
)
async def list_versions(
    project_id: str,
    name: str,
    me: Me,
    limit: Annotated[int | None, Query(ge=0)] = _SHOWN,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """List the versions of a template, the newest first; there is one project."""
    del project_id
    wanted = rows(limit, default=_SHOWN)
    async with me.read() as tx:
        template = await templates.known(tx, name)
        before = template.latest_version + 1 - offset
        found = await stored.versions(tx, template.id, limit=wanted + 1, before=before)
    return JsonReply(shown_versions(template, found[:wanted], more=len(found) > wanted))


@router.patch(
    "/{template_name}", **answers("templates.updateCurrentTemplateFromAgentFileNoProject", Done)
)
async def update(template_name: str, body: UpdateTemplate, me: Me) -> Response:
    """Put the first agent of a file in the place of the working version."""
    await templates.update(
        me.db,
        me.actor,
        template_name,
        file=await _read(body.agent_file_json),
        source=_source(me, override_tools=body.update_existing_tools),
        save_first=body.save_existing_changes,
        now=datetime.now(UTC),
    )
    return _done(f"{template_name} is as its file says.")


@router.delete("/{template_name}", **answers("templates.deleteTemplateNoProject", Done))
async def delete(template_name: str, me: Me) -> Response:
    """Remove a template with all its versions; agents made from them stay."""
    await templates.delete(me.db, me.actor, template_name)
    return _done(None)


@router.post(
    "/{template_name}/save", **answers("templates.saveTemplateVersionNoProject", WireTemplate)
)
async def save(template_name: str, body: SaveTemplate, me: Me) -> Response:
    """Keep the working version as a new one."""
    now = datetime.now(UTC)
    saved = await templates.save(me.db, me.actor, template_name, message=body.message, now=now)
    return JsonReply(shown(saved))


@router.post("/{template_name}/rollback", **answers("templates.rollbackTemplateNoProject", Done))
async def rollback(template_name: str, body: RollbackTemplate, me: Me) -> Response:
    """Go back to a version; what was not saved is saved first."""
    now = datetime.now(UTC)
    await templates.rollback(me.db, me.actor, template_name, version=body.version, now=now)
    return _done(f"{template_name} is as it was in version {body.version}.")


@router.post(
    "/{template_version}/agents",
    **answers("templates.createAgentsFromTemplateNoProject", AgentsMade, status=201),
)
async def create_agents(template_version: str, body: CreateFromTemplate, me: Me) -> Response:
    """Make an agent from `name:version`; without a version from the latest."""
    return await _made(me, template_version, body)


@router.post(
    "/{project_id}/{template_version}/agents",
    **answers("templates.createAgentsFromTemplate", AgentsMade, status=201),
)
async def create_agents_of_project(
    project_id: str, template_version: str, body: CreateFromTemplate, me: Me
) -> Response:
    """Make an agent by the whole slug of a version; there is one project."""
    del project_id
    return await _made(me, template_version, body)


async def _read(file: Json) -> AgentFile:
    """Return an agent file that came in a body; raise `AgentFileInvalid`."""
    text = json.dumps(file).encode()
    return await asyncio.to_thread(read, text, at=datetime.now(UTC))


def _source(me: Caller, *, override_tools: bool) -> FileSource:
    models = me.models
    return FileSource(models=models, defaults=me.defaults, override_tools=override_tools)


async def _made(me: Caller, address: str, body: CreateFromTemplate) -> Response:
    made = await templates.make_agent(me.db, me.actor, address, body.instance(), models=me.models)
    group = made.managed_group
    answer: AgentsMade = {
        "agent_ids": [made.agent.id],
        "deployment_id": made.agent.deployment_id or "",
        "group_id": None if group is None else group.id,
    }
    return JsonReply(answer, status=201)


def _done(message: str | None) -> Response:
    body: Done = {"success": True, "message": message}
    return JsonReply(body)
