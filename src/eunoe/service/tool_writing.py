"""Letting a model write a tool; nothing is stored (api 13.5)."""

from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import orjson

from eunoe import ids
from eunoe.domain.arguments import call_arguments
from eunoe.domain.messages import Json, Message, Role, Text, ToolCall, text_of
from eunoe.domain.tool_drafts import ToolDraft, ToolWish, WrittenTool
from eunoe.domain.tools import ToolSchema
from eunoe.engine.ports import ModelRequest, ToolChoice
from eunoe.engine.reply import Reply
from eunoe.errors import Invalid, ModelReplyInvalid, ToolArgumentsInvalid
from eunoe.service.custom_tools import tool_of
from eunoe.service.models import Defaults, Models
from eunoe.store.db import Actor
from eunoe.tools.parameters import parameters, text

_HAND_IN: Final = ToolSchema(
    name="hand_in",
    description="Hand in the finished function, whole and ready to run.",
    parameters=parameters(
        ("source_code", "sample_args", "remarks"),
        source_code=text("The Python source: imports, helpers, and last the function."),
        sample_args=text('Arguments to try it with, a JSON object: `{"city": "Rome"}`.'),
        remarks=text("What its user should know, in a sentence or two."),
    ),
)
_TASK: Final = (
    "You write Python functions that other programs call as tools. Write one function at the top "
    "level, with a type for each argument and for what it returns, and a docstring in Google form "
    "that says what it does and, under `Args:`, what each argument is. Use str, int, float, bool, "
    "list and dict as types. Return text or JSON values, and let errors be raised. Hand it in by "
    "calling `hand_in`, once."
)


async def write_tool(
    actor: Actor, wish: ToolWish, *, models: Models, defaults: Defaults
) -> WrittenTool:
    """Ask a model for a tool and return it unsaved.

    Raises `Invalid` where no model is named, a `ModelError` where none answers properly, and
    an `Invalid` of the kind `tool_…` for a source that tells too little: ask again with it.
    """
    handle = wish.handle or defaults.model
    if handle is None:
        raise Invalid("No model was named and this server has no default one; send `handle`.")
    config = replace(await models.resolve(handle), response_format=None)
    request = ModelRequest(
        config=config,
        messages=(_said("system", _TASK), _said("user", _asked(wish))),
        tools=(_HAND_IN,),
        choice=ToolChoice(mode="required", name=_HAND_IN.name),
        stream=False,
        user=actor.user_id,
    )
    reply = Reply()
    async with aclosing(models.model_for(config).stream(request)) as events:
        async for event in events:
            reply.take(event)
    reply.check()
    said = reply.message(message_id="", agent_id="", model=config.model, at=datetime.now(UTC))
    handed = _handed_in(reply.calls)
    source = handed.get("source_code")
    if not isinstance(source, str):
        raise ModelReplyInvalid("The model handed in no source; ask again, or another model.")
    remarks = handed.get("remarks")
    return WrittenTool(
        tool=tool_of(ToolDraft(source_code=source), actor=actor),
        sample_arguments=_sample(handed.get("sample_args")),
        remarks=remarks if isinstance(remarks, str) else "" if said is None else text_of(said),
    )


def _asked(wish: ToolWish) -> str:
    """Return what the model is asked: what is wanted, what there is, what was wrong with it."""
    parts = [f"The function is called `{wish.name}`. What it is to do:\n{wish.prompt}"]
    if wish.starter_code:
        parts.append(f"Begin with this source:\n{wish.starter_code}")
    if wish.faults:
        listed = "\n".join(f"- {fault}" for fault in wish.faults)
        parts.append(f"An earlier version had these faults; avoid them:\n{listed}")
    return "\n\n".join(parts)


def _said(role: Role, text: str) -> Message:
    return Message(
        id=ids.new("message"),
        role=role,
        agent_id="",
        content=(Text(text=text),),
        created_at=datetime.now(UTC),
    )


def _handed_in(calls: tuple[ToolCall, ...]) -> Json:
    for one in calls:
        if one.name == _HAND_IN.name:
            try:
                return call_arguments(one.arguments)
            except ToolArgumentsInvalid as error:
                raise ModelReplyInvalid(f"What the model handed in is broken: {error}") from error
    return {}


def _sample(given: object) -> Json:
    """Return the arguments to try the tool with; none where the model wrote no object."""
    text = given if isinstance(given, str) else orjson.dumps(given).decode()
    try:
        return call_arguments(text)
    except ToolArgumentsInvalid:
        return {}
