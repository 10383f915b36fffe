"""Tool calls for models that were never taught any: a prompt, a schema, and the history in both.

A small model's own tool-call syntax is right by luck only, and llama.cpp does
not enforce it. What llama.cpp does enforce is a JSON schema on the whole
reply. So the offered tools become one schema whose first key is the decision:
`{"because": …, "reply": …}` or `{"because": …, "tool": …, "arguments": …}`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, cast

from eunoe.domain.messages import Message, Text, ToolReturn, text_of
from eunoe.domain.tools import ToolSchema
from eunoe.engine.ports import ModelRequest, ToolChoice
from eunoe.llm.local_guides import AT_ONCE, EXAMPLES, GUIDES, Shown
from eunoe.llm.local_schema import Schema, reduced, signature

BECAUSE: Final = "because"
REPLY: Final = "reply"
TOOL: Final = "tool"
ARGUMENTS: Final = "arguments"

_DESCRIPTION_CHARS: Final = 160
"""A tool's description is cut here: reading the prompt is what a small machine spends time on."""

_SECTION: Final = re.compile(r"<memory_blocks>(.*?)</memory_blocks>", re.DOTALL)
_BLOCK: Final = re.compile(
    r"^<(?P<label>[^<>/\n]+)>\n<description>.*?</description>\n<metadata>(?P<about>.*?)</metadata>",
    re.DOTALL | re.MULTILINE,
)
_TEXT: Final[Schema] = {"type": "string", "minLength": 1}


def constrained(request: ModelRequest) -> ModelRequest:
    """Return `request` with its tools turned into a prompt, examples and a schema of the reply."""
    system, *rest = request.messages
    labels = _writable_labels(text_of(system))
    offered = tuple(_offered(tool, labels) for tool in _chosen(request))
    may_reply = request.choice.mode == "auto" and request.choice.name is None
    reply = (request.response_schema or _TEXT) if may_reply else None
    examples = _examples(offered, system) if may_reply else ()
    return replace(
        request,
        messages=(
            _told(system, offered, may_reply=may_reply),
            *examples,
            *(_shown(message) for message in rest),
        ),
        tools=(),
        choice=ToolChoice(mode="none"),
        parallel=False,
        response_schema=reply_schema(offered, reply=reply),
    )


def reply_schema(tools: tuple[ToolSchema, ...], *, reply: Schema | None) -> Schema:
    """Return the schema of a whole answer: text shaped like `reply` if given, or a call."""
    branches = [
        _object(
            {
                BECAUSE: {"const": _because(tool.name)},
                TOOL: {"const": tool.name},
                ARGUMENTS: tool.parameters,
            }
        )
        for tool in tools
    ]
    if reply is not None:
        branches.insert(0, _object({BECAUSE: {"const": AT_ONCE}, REPLY: reply}))
    return branches[0] if len(branches) == 1 else {"oneOf": branches}


def _chosen(request: ModelRequest) -> tuple[ToolSchema, ...]:
    forced = tuple(tool for tool in request.tools if tool.name == request.choice.name)
    return forced or request.tools


def _offered(tool: ToolSchema, labels: list[str]) -> ToolSchema:
    """Return the tool as the model may call it: labels that exist, no arguments to stumble over."""
    arguments = reduced(tool.parameters)
    properties = cast("dict[str, Schema]", arguments.get("properties") or {})
    guide = GUIDES.get(tool.name)
    if guide is not None:
        required = cast("list[str]", arguments.get("required") or [])
        kept = {*guide.arguments, *required}
        properties = {name: one for name, one in properties.items() if name in kept}
        arguments["required"] = list(properties)
    if labels and "label" in properties and guide is not None:
        properties["label"] = {"enum": labels}
    arguments |= {"type": "object", "properties": properties, "additionalProperties": False}
    return replace(tool, parameters=arguments)


def _writable_labels(system: str) -> list[str]:
    section = _SECTION.search(system)
    if section is None:
        return []
    return [
        found["label"]
        for found in _BLOCK.finditer(section[1])
        if "read_only=true" not in found["about"]
    ]


def _because(name: str) -> str:
    guide = GUIDES.get(name)
    return guide.because if guide is not None else f"The tool {name} is what this needs"


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _told(system: Message, tools: tuple[ToolSchema, ...], *, may_reply: bool) -> Message:
    lines = [
        "# Tools",
        *(_line(tool) for tool in tools),
        "",
        "# How you answer",
        f'Write one JSON object. Its first key "{BECAUSE}" says what the last message is about:',
    ]
    if may_reply:
        lines.append(f'- "{AT_ONCE}": then "{REPLY}"')
    lines += [
        f'- "{_because(tool.name)}": then "{TOOL}": "{tool.name}" and its {ARGUMENTS}'
        for tool in tools
    ]
    return replace(system, content=(*system.content, Text(text="\n".join(lines))))


def _line(tool: ToolSchema) -> str:
    summary = " ".join(tool.description.split())
    if len(summary) > _DESCRIPTION_CHARS:
        summary = summary[:_DESCRIPTION_CHARS].rsplit(" ", 1)[0] + "…"
    return f"- {tool.name}({signature(tool.parameters)}): {summary}"


def _examples(tools: tuple[ToolSchema, ...], system: Message) -> tuple[Message, ...]:
    """Return turns that show the tools at work, or none where none of them is known."""
    offered = {tool.name: tool for tool in tools}
    if not any(name in offered for one in EXAMPLES for name, _ in one.calls):
        return ()
    turns = [turn for one in EXAMPLES for turn in _turns(one, offered)]
    return tuple(
        replace(system, id=f"{system.id}-{number}", role=role, content=(Text(text=text),))
        for number, turn in enumerate(turns)
        for role, text in (("user", turn[0]), ("assistant", turn[1]))
    )


def _turns(one: Shown, offered: dict[str, ToolSchema]) -> Iterator[tuple[str, str]]:
    said = one.said
    if one.calls:
        known = [(name, given) for name, given in one.calls if name in offered]
        arguments = _filled(known[0][1], offered[known[0][0]]) if known else None
        if arguments is None:
            return
        name = known[0][0]
        yield said, written_call(name, json.dumps(arguments, ensure_ascii=False))
        said = _done(name, one.result)
    yield said, written_reply(one.reply)


def _filled(given: dict[str, object], tool: ToolSchema) -> dict[str, object] | None:
    """Return an example's arguments as the tool wants them, None where they do not suit it."""
    properties = cast("dict[str, Schema]", tool.parameters["properties"])
    filled: dict[str, object] = {}
    for name, schema in properties.items():
        allowed = cast("list[object] | None", schema.get("enum"))
        if name in given and (allowed is None or given[name] in allowed):
            filled[name] = given[name]
        elif name == "label" and allowed:
            return None
        elif schema.get("type") == "boolean":
            filled[name] = True
        elif schema.get("type") == "string" and name not in given:
            filled[name] = _because(tool.name)
        else:
            return None
    return filled


def written_reply(text: str) -> str:
    """Return a reply as the model writes it."""
    return json.dumps({BECAUSE: AT_ONCE, REPLY: text}, ensure_ascii=False)


def written_call(name: str, arguments: str) -> str:
    """Return a call as the model writes it; `arguments` is JSON already."""
    head = json.dumps({BECAUSE: _because(name), TOOL: name}, ensure_ascii=False)
    return f'{head[:-1]}, "{ARGUMENTS}": {arguments or "{}"}}}'


def _shown(message: Message) -> Message:
    """Return a past message in the shapes that the model is told to write and to read."""
    if message.returns:
        texts = [_returned(item) for item in message.returns]
        return replace(message, role="user", content=(Text(text="\n".join(texts)),), returns=())
    if message.role != "assistant" and not message.calls:
        return message
    said = text_of(message)
    lines = [written_reply(said)] if said else []
    lines += [written_call(call.name, call.arguments) for call in message.calls]
    text = "\n".join(lines) or written_reply("…")
    return replace(message, role="assistant", content=(Text(text=text),), calls=())


def _returned(item: ToolReturn) -> str:
    output = item.output if isinstance(item.output, str) else json.dumps(item.output)
    if not item.ok:
        return f"[{item.name} failed] {output}"
    guide = GUIDES.get(item.name)
    return _done(item.name, "" if guide is not None and guide.is_quiet else output)


def _done(name: str, result: str) -> str:
    return f"[{name} done] {result}".rstrip()
