"""Tools that people make: what models are told of them, stored, changed and removed (api 13)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.domain.tool_drafts import ToolDraft
from eunoe.domain.tool_search import ToolHit, find_tools
from eunoe.domain.tools import Tool, ToolSchema
from eunoe.errors import ToolFunctionMissing, ToolNameInvalid, ToolNameReserved, ToolSchemaInvalid
from eunoe.store import tools
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import there
from eunoe.store.paging import Page
from eunoe.store.tools import ToolFilter
from eunoe.tools.builtin import builtin_tools
from eunoe.tools.schema.derive import checked, derived, described
from eunoe.tools.schema.source import function_of, parsed
from eunoe.tools.schema.typescript import derived_typescript

_SEARCHED: Final = 10_000
"""How many tools a search looks at, the newest of them: no more are read into memory."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEPT: Final = (
    "tags", "return_char_limit", "pip_requirements", "npm_requirements",
    "default_requires_approval", "parallel", "metadata", "project_id",
)  # fmt: skip
"""What a caller who says nothing of it leaves as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What models are told of a tool: the schema, and the whole of it as it was `given`."""

    schema: ToolSchema
    given: Json | None = None


async def put(db: Database, actor: Actor, draft: ToolDraft) -> Tool:
    """Store a tool under the name that its schema has; one of that name is changed (api 13.2).

    Raises an `Invalid` of the kind `tool_…` for what cannot be told to models, `ToolNameReserved`
    where the name is that of a tool that the server or another service brings.
    """
    told = told_of(draft)
    async with db.write(actor) as tx:
        stored = (await tools.by_names(tx, [told.schema.name])).get(told.schema.name)
        if stored is not None and not _is_made(stored):
            raise ToolNameReserved(
                f"There is a tool `{stored.name}` that was not made from source; choose another "
                "name for yours.",
                name=stored.name,
            )
        tool = _made(draft, told, stored or _blank(told.schema, actor), actor)
        # An empty list of tags does not clear what is stored.
        kept = tool.tags or (() if stored is None else stored.tags)
        return await tools.upsert(tx, replace(tool, tags=kept))


def tool_of(draft: ToolDraft, *, actor: Actor) -> Tool:
    """Return the tool that a draft makes, not stored; raise as `put` does."""
    told = told_of(draft)
    return _made(draft, told, _blank(told.schema, actor), actor)


async def update(db: Database, actor: Actor, tool_id: str, draft: ToolDraft) -> Tool:
    """Change a tool; of one that the server brings only what is its users' to say (api 13.4).

    Raises `ToolNameTaken` where a new schema has another tool's name.
    """
    async with db.write(actor) as tx:
        tool = await known(tx, tool_id, held=True)
        changed = _changed(tool, draft)
        if changed == tool:
            return tool
        changed = replace(changed, last_updated_by_id=actor.user_id)
        await tools.update(tx, changed)
        return changed


async def delete(db: Database, actor: Actor, tool_id: str) -> None:
    """Remove a tool from everywhere; rules that name it stay. Raises `Missing`."""
    async with db.write(actor) as tx:
        there(await tools.delete(tx, tool_id), "tool", tool_id)


async def add_base_tools(db: Database, actor: Actor) -> list[Tool]:
    """Make the built-in tools present as this version has them, and return them (api 13.5)."""
    base = builtin_tools()
    async with db.write(actor) as tx:
        await tools.seed(tx, base)
        stored = await tools.by_names(tx, [tool.name for tool in base])
    return [stored[tool.name] for tool in base]


async def search(
    db: Database, actor: Actor, query: str, *, where: ToolFilter, limit: int
) -> list[ToolHit]:
    """Return the tools that fit the words of `query` best, the newest first without one."""
    async with db.read(actor) as tx:
        found = await tools.list_tools(tx, where, Page(limit=_SEARCHED))
    return find_tools(found, query, limit=limit)


async def known(tx: Tx, tool_id: str, *, held: bool = False) -> Tool:
    """Return the tool; raise `Missing` for an unknown or foreign one."""
    return there(await tools.get(tx, tool_id, held=held), "tool", tool_id)


def told_of(draft: ToolDraft, *, name: str | None = None) -> Told:
    """Return what a draft with a source tells: its schema, else what the source says (X16).

    `name` is the function meant, where the source has several.
    """
    source = draft.source_code or ""
    if draft.json_schema is not None:
        return _given(draft.json_schema)
    if draft.source_type == "typescript":
        schema = derived_typescript(source, name=name, arguments=draft.args_json_schema)
    elif draft.source_type == "json":
        raise ToolSchemaInvalid("A source of the type json says nothing; give a `json_schema`.")
    elif draft.args_json_schema is not None:
        schema = described(source, draft.args_json_schema, name=name)
    else:
        schema = derived(source, name=name)
    return Told(schema=_named(schema))


def _given(schema: Json) -> Told:
    name, description = schema.get("name"), schema.get("description")
    if not isinstance(name, str):
        raise ToolSchemaInvalid("The schema has no `name`, which is the tool's name.")
    parameters = checked(schema.get("parameters") or {})
    text = description if isinstance(description, str) else ""
    made = ToolSchema(name=name, description=text, parameters=parameters)
    return Told(schema=_named(made), given=schema)


def _named(schema: ToolSchema) -> ToolSchema:
    if not _NAME.fullmatch(schema.name):
        raise ToolNameInvalid(
            f"`{schema.name}` cannot be a tool's name: models take 1 to 64 of the letters a to z "
            "and A to Z, digits, `_` and `-`.",
            name=schema.name,
        )
    return schema


def _is_made(tool: Tool) -> bool:
    """Whether a person made the tool: others come back as they were when the server starts."""
    return tool.tool_type == "custom" and tool.source_code is not None


def _blank(schema: ToolSchema, actor: Actor) -> Tool:
    return Tool(
        id=ids.new("tool"),
        name=schema.name,
        tool_type="custom",
        description="",
        parameters=schema.parameters,
        created_by_id=actor.user_id,
    )


def _made(draft: ToolDraft, told: Told, onto: Tool, actor: Actor) -> Tool:
    """Return the tool that has the draft's source in place of whatever it had."""
    tool = replace(
        onto,
        source_code=draft.source_code,
        source_type=draft.source_type or "python",
        args_json_schema=draft.args_json_schema,
        last_updated_by_id=actor.user_id,
        **_said(draft),
    )
    return _telling(tool, told, draft.description)


def _said(draft: ToolDraft) -> Mapping[str, object]:
    """Return the fields of a tool that the draft says something of."""
    said = {field.name: getattr(draft, field.name) for field in fields(draft)}
    return {name: said[name] for name in _KEPT if said[name] is not None}


def _telling(tool: Tool, told: Told, description: str | None) -> Tool:
    """Return the tool with what models are told; people may be told something else (13.2.5)."""
    schema = told.schema
    plain: Json = {
        "name": schema.name,
        "description": schema.description,
        "parameters": schema.parameters,
    }
    shown = schema.description if description is None else description
    whole = told.given or plain
    return replace(
        tool,
        name=schema.name,
        description=shown,
        parameters=schema.parameters,
        json_schema=None if whole == plain and shown == schema.description else whole,
    )


def _changed(tool: Tool, draft: ToolDraft) -> Tool:
    if not _is_made(tool):
        said = _said(draft)
        return replace(tool, **{name: said[name] for name in tools.CHANGEABLE if name in said})
    changed = replace(
        tool,
        source_code=tool.source_code if draft.source_code is None else draft.source_code,
        source_type=draft.source_type or tool.source_type,
        args_json_schema=draft.args_json_schema or tool.args_json_schema,
        **_said(draft),
    )
    told = _retold(changed, draft)
    if told is None:
        _check_function(tool, changed)
        shown = tool.description if draft.description is None else draft.description
        told = Told(schema=tool.schema, given=tool.json_schema)
    else:
        # A description of its own outlives the schema that it was not taken from.
        own = None if tool.description == tool.schema.description else tool.description
        shown = own if draft.description is None else draft.description
    return _telling(changed, told, shown)


def _retold(changed: Tool, draft: ToolDraft) -> Told | None:
    """Return the new schema; null where the change has none, a new source alone being none."""
    if draft.json_schema is not None:
        return _given(draft.json_schema)
    if draft.args_json_schema is None:
        return None
    if changed.source_type == "python":
        return Told(
            schema=_named(
                described(changed.source_code or "", draft.args_json_schema, name=changed.name)
            )
        )
    return Told(schema=replace(changed.schema, parameters=checked(draft.args_json_schema)))


def _check_function(before: Tool, after: Tool) -> None:
    """Raise `ToolFunctionMissing` where a new source lacks the function that is the tool (X19)."""
    if after.source_code == before.source_code or after.source_type == "json":
        return
    if _called(after) != after.name and _called(before) == before.name:
        raise ToolFunctionMissing(
            f"The source has no function `{before.name}` at its top level. Keep the name, or "
            "send a `json_schema` with the new one.",
            name=before.name,
        )


def _called(tool: Tool) -> str:
    source = tool.source_code or ""
    if tool.source_type == "typescript":
        return derived_typescript(source, name=tool.name, arguments={}).name
    return function_of(parsed(source), name=tool.name).name
