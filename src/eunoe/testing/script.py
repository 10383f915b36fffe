"""The script language of the fake models: what they answer is said by the last user message.

    SAY <text>                 answer with that text (to the end of the line)
    THINK <text>               reason first; then whatever else the message asks for
    HIDE <text>                reason, and give only an opaque value of it, where the wire has such
    EMPTY                      answer with nothing at all, or with nothing but the reasoning
    CALL <tool> <json>         call the tool once, then give the final answer
    CALLS [{"name": …, "arguments": {…}}, …]   several calls in one reply
    STEPS <n>                  n calls of a harmless tool, one a turn, then the final answer
    FAIL <status>              refuse with that HTTP status
    DROP <k> | EOF <k> | HANG <k>   after k chunks close the connection, end without a finish
                               signal, or send nothing more
    SLOW <ms>                  wait that long before each chunk
    LENGTH                     say that the answer was cut because it had become too long

Anything else gets the final answer, a fixed sentence: through `send_message` where such a tool
is offered and may be called, as text otherwise. A forced tool is always obeyed. Nothing is
random: equal requests get equal answers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final, Literal, TypeAlias, cast

import orjson

from eunoe.domain.messages import Json

Fault: TypeAlias = Literal["drop", "eof", "hang"]

_SENTENCE: Final = "Here is the answer that never changes whatever was said before it"
_HARMLESS: Final = ("conversation_search", "archival_memory_search", "list_files", "noop")
_CALL: Final = re.compile(r"\bCALL[ \t]+([A-Za-z_][\w.-]*)[ \t]*")
_CALLS: Final = re.compile(r"\bCALLS[ \t]+(?=\[)")
_STEPS: Final = re.compile(r"\bSTEPS[ \t]+(\d+)")
_FAIL: Final = re.compile(r"\bFAIL[ \t]+([45]\d\d)")
_SAY: Final = re.compile(r"\bSAY[ \t]+(.+)")
_THINK: Final = re.compile(r"\bTHINK[ \t]+(.+)")
_HIDE: Final = re.compile(r"\bHIDE[ \t]+(\S+)")
_EMPTY: Final = re.compile(r"\bEMPTY\b")
_FAULT: Final = re.compile(r"\b(DROP|EOF|HANG)[ \t]+(\d+)")
_SLOW: Final = re.compile(r"\bSLOW[ \t]+(\d+)")
_LENGTH: Final = re.compile(r"\bLENGTH\b")
_COMMAND: Final = re.compile(
    r"\b(?:CALLS?|STEPS|FAIL|SAY|THINK|HIDE|EMPTY|DROP|EOF|HANG|SLOW|LENGTH)\b"
)


_SHOUT: Final = re.compile("[A-Z]{3}")
"""What every command has: told in a moment of a text of many megabytes, unlike each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One reply. `fault_after` is how many chunks come through before the fault."""

    text: str = ""
    thinking: str = ""
    hidden: str = ""
    calls: tuple[PlannedCall, ...] = ()
    fail_status: int | None = None
    fault: Fault | None = None
    fault_after: int = 0
    interval_s: float = 0.0
    cut: bool = False


def sentence(words: int) -> str:
    """Return the fixed answer, `words` long."""
    known = _SENTENCE.split()
    return " ".join((known * (words // len(known) + 1))[:words]) + "."


def unpacked(text: str) -> str:
    """Return what the user said, out of the JSON envelope that some servers put around it."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        value: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    message = cast("Json", value).get("message") if isinstance(value, dict) else None
    return message if isinstance(message, str) else text


def plan(
    *, said: str, tool_turns: int, tools: Mapping[str, Json], choice: str | None, words: int = 12
) -> Plan:
    """Return the reply to the user's text `said`, `tool_turns` replies of tools after it.

    `tools` maps each offered name to its parameters; `choice` is `auto`, `none`, `required`
    or the name of a forced tool.
    """
    if not _SHOUT.search(said):
        said = ""
    failing = _FAIL.search(said)
    if failing:
        return Plan(fail_status=int(failing[1]))
    hidden = _HIDE.search(said)
    thinking = _THINK.search(said)
    if _EMPTY.search(said):
        return Plan(thinking=_until_command(thinking[1]) if thinking else "")
    fault = _FAULT.search(said)
    slow = _SLOW.search(said)
    calls = _calls(said, turn=tool_turns, tools=tools, choice=choice)
    saying = _SAY.search(said)
    text = saying[1].strip() if saying else sentence(words)
    if not calls and choice != "none" and "send_message" in tools:
        calls, text = (_sample("send_message", tools, {"message": text}, last=True),), ""
    elif calls:
        text = ""
    return Plan(
        text=text,
        calls=calls,
        thinking=_until_command(thinking[1]) if thinking and not tool_turns else "",
        hidden=hidden[1] if hidden and not tool_turns else "",
        fault=cast("Fault", fault[1].lower()) if fault else None,
        fault_after=int(fault[2]) if fault else 0,
        interval_s=int(slow[1]) / 1000 if slow else 0.0,
        cut=_LENGTH.search(said) is not None,
    )


def with_fault(plan_: Plan, *, fault: Fault, after: int) -> Plan:
    return replace(plan_, fault=fault, fault_after=after)


def _until_command(text: str) -> str:
    command = _COMMAND.search(text)
    return (text[: command.start()] if command else text).strip()


def _calls(
    said: str, *, turn: int, tools: Mapping[str, Json], choice: str | None
) -> tuple[PlannedCall, ...]:
    if not tools or choice == "none":
        return ()
    if choice is not None and choice in tools:
        said_call = _CALL.search(said)
        own = _json_at(said, said_call.end()) if said_call and said_call[1] == choice else None
        return (_sample(choice, tools, own if isinstance(own, dict) else None),)
    asked = _asked(said, turn=turn, tools=tools)
    if choice == "required" and len(tools) == 1:
        # Who must call something can call nothing but what there is.
        asked = tuple(call for call in asked if call.name in tools)
    if asked or choice != "required" or "send_message" in tools:
        return asked
    return (_sample(_harmless(tools), tools, None),)


def _asked(said: str, *, turn: int, tools: Mapping[str, Json]) -> tuple[PlannedCall, ...]:
    steps = _STEPS.search(said)
    if steps and turn < int(steps[1]):
        return (_sample(_harmless(tools), tools, None),)
    if turn > 0:
        return ()
    several = _CALLS.search(said)
    if several:
        items = _json_at(said, several.end())
        return tuple(
            _sample(item["name"], tools, item.get("arguments", {}))
            for item in cast("Sequence[Json]", items or ())
        )
    one = _CALL.search(said)
    if one is None:
        return ()
    arguments = _json_at(said, one.end())
    return (_sample(one[1], tools, arguments if isinstance(arguments, dict) else None),)


def _harmless(tools: Mapping[str, Json]) -> str:
    """Return the tool that does least when called again and again."""
    names = [name for name in _HARMLESS if name in tools]
    return (names or [n for n in tools if n != "send_message"] or list(tools))[0]


def _json_at(text: str, start: int) -> Json | list[Any] | None:
    if text[start : start + 1] not in {"{", "["}:
        return None
    try:
        value, _ = JSONDecoder().raw_decode(text, start)
    except JSONDecodeError:
        return None
    return cast("Json | list[Any]", value)


def _sample(
    name: str, tools: Mapping[str, Json], arguments: Json | None, *, last: bool = False
) -> PlannedCall:
    """Return a call with `arguments`, and a value of the right type where one is required."""
    properties: Json = tools.get(name, {}).get("properties") or {}
    required: list[str] = tools.get(name, {}).get("required") or []
    full = {key: _example(properties.get(key) or {}) for key in required} | (arguments or {})
    if "request_heartbeat" in properties and "request_heartbeat" not in (arguments or {}):
        full["request_heartbeat"] = not last
    return PlannedCall(name=name, arguments=orjson.dumps(full).decode())


_EXAMPLES: Final[Json] = {
    "string": "example",
    "integer": 1,
    "number": 1,
    "boolean": False,
    "array": [],
    "object": {},
}


def _example(schema: Json) -> object:
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    return _EXAMPLES.get(kind) if isinstance(kind, str) else None
