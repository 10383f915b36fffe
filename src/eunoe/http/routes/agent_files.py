"""Agents out of the server as files, and into it again (api 7)."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, cast

import orjson
from fastapi import Depends, File, Form, Header, Query, UploadFile
from starlette.responses import Response

from eunoe.domain.agent_files import AgentFile
from eunoe.domain.names import is_name
from eunoe.errors import Invalid
from eunoe.http.deps import Caller, Me, given
from eunoe.http.intake import cleaned, scrubbed
from eunoe.http.paths import AgentId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service.agent_export import Wanted, export
from eunoe.service.agent_import import Wishes, bring_in
from eunoe.service.ingest import DUTY
from eunoe.wire.agent_file_reading import read
from eunoe.wire.agent_files import ExportBody, Imported, written

router = v1("/agents", tag="agents")

Text: TypeAlias = Annotated[str | None, Form()]
OldText: TypeAlias = Annotated[str | None, Form(deprecated=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a file is wanted; `everything` is this server's own."""

    conversation_id: str | None = None
    max_steps: Annotated[int, Query(deprecated=True)] = 100
    scrub_messages: bool = False
    use_legacy_format: Annotated[bool, Query(deprecated=True)] = False
    everything: Annotated[
        bool,
        Query(
            description="Put all conversations, archives, runs and the history of blocks into the "
            "file too, under the key `eunoe`."
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportForm:
    """How a file is to be taken; what has two names is asked for by either, the new one wins."""

    name: Text = None
    model: Text = None
    embedding: Text = None
    secrets: Text = None
    override_existing_tools: Annotated[bool, Form()] = True
    strip_messages: Annotated[bool, Form()] = False
    append_copy_suffix: Annotated[bool, Form(deprecated=True)] = True
    override_name: OldText = None
    override_model_handle: OldText = None
    override_embedding_handle: OldText = None
    env_vars_json: OldText = None
    project_id: OldText = None
    x_override_embedding_model: Annotated[str | None, Header()] = None
    x_project_id: Annotated[str | None, Header()] = None

    def wishes(self) -> Wishes:
        """Return what is asked for, its text clean; raise `Invalid` for what no agent may have."""
        name = _clean(self.name or self.override_name)
        if name is not None and not is_name(name):
            raise Invalid("A name holds letters, digits, spaces, hyphens, _ and ' only.")
        embedding = self.embedding or self.override_embedding_handle
        return Wishes(
            name=name,
            copy_suffix=self.append_copy_suffix,
            override_tools=self.override_existing_tools,
            strip_messages=self.strip_messages,
            secrets=_secrets(_clean(self.secrets or self.env_vars_json)),
            model=_clean(self.model or self.override_model_handle),
            embedding=_clean(embedding or self.x_override_embedding_model),
            project_id=_clean(self.x_project_id or self.project_id),
        )


@router.get("/{agent_id}/export", **answers("export_agent", dict[str, Any]))
async def export_agent(
    agent_id: AgentId, me: Me, asked: Annotated[Asked, Depends(given(Asked))]
) -> Response:
    """Get an agent with its blocks, tools and what is in its window as a file."""
    if asked.use_legacy_format:
        raise Invalid("Files are written in the present format only; leave use_legacy_format out.")
    wanted = Wanted(
        conversation_id=asked.conversation_id,
        scrub_messages=asked.scrub_messages,
        everything=asked.everything,
    )
    return await _exported(me, agent_id, wanted)


@router.post("/{agent_id}/export", **answers("export_agent_with_skills", dict[str, Any]))
async def export_agent_with_skills(
    agent_id: AgentId, me: Me, body: ExportBody | None = None
) -> Response:
    """Get an agent as a file that brings skills along."""
    asked = ExportBody() if body is None else body
    wanted = Wanted(
        conversation_id=asked.conversation_id,
        scrub_messages=asked.scrub_messages,
        everything=asked.everything,
        skills=tuple(skill.model_dump() for skill in asked.skills),
    )
    return await _exported(me, agent_id, wanted)


@router.post("/import", **answers("import_agent", Imported))
async def import_agent(
    me: Me,
    file: Annotated[UploadFile, File(description="The agent file.")],
    form: Annotated[ImportForm, Depends(given(ImportForm))],
) -> Response:
    """Make the agents of a file; all that it holds or nothing.

    `warnings` say what of the file was left out.
    """
    wishes, text = form.wishes(), await file.read()
    found = await asyncio.to_thread(lambda: read(cleaned(text), at=datetime.now(UTC)))
    made = await bring_in(me.db, me.actor, found, wishes, models=me.models, defaults=me.defaults)
    for agent in made.agents:
        if agent.embedding is not None:
            await me.runtime.runner.remember(me.actor, agent.id)
    for file_id in made.file_ids:
        await me.runtime.runner.due(DUTY, file_id)
    answer: Imported = {
        "agent_ids": [agent.id for agent in made.agents],
        "warnings": list(made.warnings),
    }
    return JsonReply(answer)


async def _exported(me: Caller, agent_id: str, wanted: Wanted) -> Response:
    found = await export(me.db, me.actor, agent_id, wanted)
    text = await asyncio.to_thread(_written, found)
    return Response(text, media_type="application/json")


def _written(file: AgentFile) -> bytes:
    """Return the file as text, indented by two spaces (7.1.2), however deep what it holds is."""
    made = written(file, at=datetime.now(UTC))
    try:
        return orjson.dumps(made, option=orjson.OPT_INDENT_2)
    except orjson.JSONEncodeError:
        return json.dumps(made, indent=2, ensure_ascii=False).encode("utf-8", "ignore")


def _clean(text: str | None) -> str | None:
    """Return a text that can be stored, null for an empty one (1.6)."""
    return cast("str", scrubbed(text)) if text else None


def _secrets(given: str | None) -> Mapping[str, str]:
    """Return the values that a caller gives for secrets; raise `Invalid` for no JSON object."""
    if not given:
        return {}
    try:
        clean = scrubbed(json.loads(given))
    except (ValueError, RecursionError):
        clean = None
    if not isinstance(clean, dict):
        raise Invalid("`secrets` is a JSON object of names and values.")
    return {key: str(one) for key, one in cast("dict[str, object]", clean).items()}
