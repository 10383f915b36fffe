"""Agents that act through tools alone: what their calls say to the loop, and when they go on.

Such an agent must call a tool in every step, its message to the user being one such call. With
the call it says whether it wants to be woken again once the result is there.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from eunoe.domain.arguments import REQUEST_HEARTBEAT, THINKING
from eunoe.domain.messages import Json, Message, Reasoning, Text, ToolCall, ToolReturn
from eunoe.domain.runs import StopReason
from eunoe.domain.tool_rules import DENIED, REFUSED, Child, Conditional, MaxCount, ToolRule, named
from eunoe.domain.tools import ToolSchema

SEND_MESSAGE: Final = "send_message"
MESSAGE: Final = "message"
_THINKING: Final[Json] = {
    "type": "string",
    "description": "Your private thought before you act: what you know, and why this call is the "
    "next step. Nobody but you reads it.",
}
_HEARTBEAT: Final[Json] = {
    "type": "boolean",
    "description": "Whether to wake you as soon as the result is there, so that you can go on. "
    "Without it your turn ends with this call.",
}


# What a model is offered


def with_heartbeat(tool: ToolSchema, *, terminal: bool, thinking: bool) -> ToolSchema:
    """Return `tool` with the arguments that speak to the loop (L54).

    A thought comes first, so that it is written before what follows from it; a tool that ends
    the turn has no heartbeat to ask for.
    """
    own: Json = dict(tool.parameters.get("properties") or {})
    required = [name for name in tool.parameters.get("required") or () if name in own]
    properties = {THINKING: _THINKING, **own} if thinking else own
    required = [THINKING, *required] if thinking else required
    if not terminal:
        properties = {**properties, REQUEST_HEARTBEAT: _HEARTBEAT}
        required = [*required, REQUEST_HEARTBEAT]
    parameters = {**tool.parameters, "properties": properties, "required": required}
    return replace(tool, parameters={"type": "object", **parameters})


def formed(tool: ToolSchema, response_format: Json | None) -> ToolSchema:
    """Return the message tool with a message of the agent's `response_format` (L60)."""
    shape = _shape(response_format or {})
    own: Json = tool.parameters.get("properties") or {}
    if tool.name != SEND_MESSAGE or shape is None or MESSAGE not in own:
        return tool
    return replace(tool, parameters={**tool.parameters, "properties": {**own, MESSAGE: shape}})


def _shape(response_format: Json) -> Json | None:
    match response_format.get("type"):
        case "json_schema":
            given: Json = response_format.get("json_schema") or {}
            shape: Json = given.get("schema") or given
            return shape
        case "json_object":
            return {"type": "object", "description": "The message, as an object of any fields."}
        case _:
            return None


# What a model is shown of its own calls


def as_written(call: ToolCall, arguments: str) -> ToolCall:
    """Return the call as the model is to remember it, what it said to the loop included (L58).

    `arguments` is the text of a JSON object.
    """
    rows = [
        *([_pair(THINKING, call.thinking)] if call.thinking else ()),
        *([inner] if (inner := arguments.strip()[1:-1].strip()) else ()),
        *([_pair(REQUEST_HEARTBEAT, call.heartbeat)] if call.heartbeat is not None else ()),
    ]
    return ToolCall(id=call.id, name=call.name, arguments=f"{{{', '.join(rows)}}}")


def kept_arguments(call: ToolCall) -> str:
    """Return the arguments with what was said to the loop, as far as they are an object."""
    text = call.arguments.strip()
    whole = call.heartbeat is not None and text.startswith("{") and text.endswith("}")
    return as_written(call, text).arguments if whole else call.arguments


def _pair(key: str, value: object) -> str:
    return f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"


def speaks_by_calls(message: Message) -> bool:
    """Whether the heartbeat loop made the message: its text was never an answer (FIX-74)."""
    return bool(message.calls) and message.calls[0].heartbeat is not None


def with_text_back(message: Message) -> Message:
    """Return a message with what the model wrote beside its call as the text that it was."""
    parts = tuple(
        Text(text=part.text) if isinstance(part, Reasoning) and not part.native else part
        for part in message.content
    )
    return message if parts == message.content else replace(message, content=parts)


# When it goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What follows from calls that have come to something: the turn ends, or the agent is woken.

    `told` is why; of null the outcome alone is said. Nothing is told where the turn ends.
    """

    stop: StopReason | None = None
    told: str | None = None
    ok: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What decides beside the calls: the rules, what must still be called, and steps left."""

    rules: Sequence[ToolRule]
    refused: Collection[str]
    unmet: Sequence[str]
    last_step: bool


def aftermath(
    calls: Sequence[ToolCall], returns: Sequence[ToolReturn], situation: Situation
) -> Aftermath:
    """Return how the turn goes on after `calls`, of which there mostly is one (L55 to L57).

    A call that failed wakes the agent whatever it asked for, once for each (FIX-10).
    """
    ended: StopReason = "end_turn"
    woken: Aftermath | None = None
    for call, result in zip(calls, returns, strict=True):
        after = _after(call, result, situation)
        if after.stop is None:
            woken = woken or after
        elif after.stop == "tool_rule":
            ended = after.stop
    if woken is None:
        return Aftermath(stop=ended)
    return Aftermath(stop="max_steps") if situation.last_step else woken


def _after(call: ToolCall, result: ToolReturn, situation: Situation) -> Aftermath:
    if call.id in situation.refused:
        return _answered(call, result)
    if not result.ok:
        return Aftermath(ok=False)
    ends = call.name in named(situation.rules, "exit_loop")
    told = None if ends else _led_on(call.name, situation.rules)
    if told is not None:
        return Aftermath(told=told)
    if call.heartbeat and not ends:
        return Aftermath()
    if situation.unmet:
        names = ", ".join(situation.unmet)
        return Aftermath(told=f"Before your response may end you still have to call: {names}.")
    return Aftermath(stop="tool_rule" if call.heartbeat else "end_turn")


def _answered(call: ToolCall, result: ToolReturn) -> Aftermath:
    """Return what follows a call that was not run: a rule, a person or the client decided (H14)."""
    text = result.output if isinstance(result.output, str) else ""
    if text.startswith(DENIED):
        return Aftermath(told=f"The user did not allow `{call.name}`; go on without it.")
    if text.startswith(REFUSED):
        return Aftermath(told=f"A rule did not allow `{call.name}`; go on within the rules.")
    return Aftermath(ok=result.ok)


def _led_on(name: str, rules: Sequence[ToolRule]) -> str | None:
    """Return why the rules make a turn go on after the tool, null where they do not."""
    if any(isinstance(one, _LEADING) and one.tool_name == name for one in rules):
        return f"A rule says what may follow `{name}`; go on with it."
    if name in named(rules, "continue_loop"):
        return f"A rule says that you go on after `{name}`."
    return None


_LEADING: Final = (Child, Conditional, MaxCount)
"""The rules that make a turn go on after their tool (TR18)."""
