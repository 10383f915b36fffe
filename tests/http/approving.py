"""What tests of approvals ask for, answer and look at, with the official client."""

from collections.abc import Sequence
from typing import Any

from letta_client import AsyncLetta

from eunoe.domain.agents import Agent
from eunoe.domain.messages import Json

ALL = [{"name": name, "arguments": {"n": 1}} for name in ("look", "count", "click", "fail")]


def rule(name: str, kind: str = "requires_approval", **fields: object) -> Json:
    return {"type": kind, "tool_name": name, "prompt_template": None, **fields}


CAREFUL = (rule("count"), rule("fail"))


async def asked(letta: AsyncLetta, agent: Agent, text: str, **options: Any) -> Any:
    """Return the request for approval that the answer to `text` ends with."""
    create: Any = letta.agents.messages.create
    answer = await create(agent.id, input=text, **options)
    assert answer.stop_reason.stop_reason == "requires_approval"
    request = answer.messages[-1]
    assert request.message_type == "approval_request_message"
    return request


def ids_of(request: Any) -> list[str]:
    return [call.tool_call_id for call in request.tool_calls]


def yes(call_id: str, *, approve: bool = True, **more: object) -> Any:
    return {"type": "approval", "tool_call_id": call_id, "approve": approve, **more}


def given(call_id: str, value: object, status: str = "success") -> Any:
    return {"type": "tool", "tool_call_id": call_id, "tool_return": value, "status": status}


async def answered(letta: AsyncLetta, agent: Agent, entries: Sequence[Any], *rest: Any) -> Any:
    items: Any = [{"type": "approval", "approvals": list(entries)}, *rest]
    return await letta.agents.messages.create(agent.id, messages=items)


async def waits(letta: AsyncLetta, agent: Agent) -> Any:
    found = await letta.agents.retrieve(agent.id, include=["agent.pending_approval"])
    return found.pending_approval


async def listed(letta: AsyncLetta, agent: Agent) -> list[Any]:
    page: Any = await letta.agents.messages.list(agent.id, limit=200)
    return page.items


def kinds(messages: Sequence[Any]) -> list[str]:
    return [one.message_type for one in messages]
