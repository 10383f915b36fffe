"""What a local model is asked: the tools in its prompt, in its schema and in its history."""

import json
from typing import Any, cast

import jsonschema_rs
import pytest

from eunoe.domain.messages import ToolCall, ToolReturn, text_of
from eunoe.domain.tools import ToolSchema
from eunoe.engine.ports import ModelRequest, ToolChoice
from eunoe.llm.local_guides import EXAMPLES, GUIDES
from eunoe.llm.local_tools import constrained, written_call, written_reply
from eunoe.tools.builtin import builtin_tools
from tests.llm.talk import CONFIG, ECHO, NOOP, asking, message

TOOLS = {tool.name: tool.schema for tool in builtin_tools()}
MEMORY = tuple(TOOLS[name] for name in ("memory_insert", "memory_replace", "conversation_search"))


def block(label: str, *, read_only: bool = False) -> str:
    about = "- read_only=true\n" if read_only else ""
    return (
        f"<{label}>\n<description>\nWhat it is.\n</description>\n<metadata>\n{about}"
        f"- chars_current=0\n</metadata>\n<value>\n<fake>\n</value>\n</{label}>"
    )


SYSTEM = message(
    "system",
    f"You help.\n\n<memory_blocks>\nYours.\n\n{block('persona')}\n\n"
    f"{block('rules', read_only=True)}\n\n{block('human')}\n</memory_blocks>",
)


def remembering(*tools: ToolSchema, choice: ToolChoice | None = None) -> ModelRequest:
    return ModelRequest(
        config=CONFIG,
        messages=(SYSTEM, message("user", "I am Ada.")),
        tools=tools,
        choice=choice or ToolChoice(),
    )


def branches(request: ModelRequest) -> list[dict[str, Any]]:
    schema = request.response_schema
    assert schema is not None
    return cast("list[dict[str, Any]]", schema.get("oneOf", [schema]))


def tool_of(branch: dict[str, Any]) -> str | None:
    tool = branch["properties"].get("tool")
    return tool["const"] if tool else None


def test_the_model_may_reply_or_call_each_tool_and_nothing_else() -> None:
    asked = constrained(asking(tools=[ECHO, NOOP]))
    assert [tool_of(branch) for branch in branches(asked)] == [None, "echo", "noop"]
    assert asked.tools == ()
    for branch in branches(asked):
        assert next(iter(branch["properties"])) == "because"


@pytest.mark.parametrize("choice", [ToolChoice(mode="required"), ToolChoice(name="noop")])
def test_where_a_call_is_wanted_there_is_no_reply(choice: ToolChoice) -> None:
    asked = constrained(asking(tools=[ECHO, NOOP], choice=choice))
    named = ["echo", "noop"] if choice.name is None else ["noop"]
    assert [tool_of(branch) for branch in branches(asked)] == named
    assert '"reply"' not in text_of(asked.messages[0])


def test_a_reply_keeps_the_shape_that_was_asked_for() -> None:
    shape: dict[str, object] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    asked = constrained(asking(tools=[NOOP], response_schema=shape))
    assert branches(asked)[0]["properties"]["reply"] == shape


def test_labels_are_those_of_the_blocks_that_may_be_written() -> None:
    asked = constrained(remembering(TOOLS["memory_insert"]))
    arguments = branches(asked)[1]["properties"]["arguments"]
    assert arguments["properties"]["label"] == {"enum": ["persona", "human"]}
    assert set(arguments["properties"]) == {"label", "new_string"}


@pytest.mark.parametrize("dialect", ["plain", "heartbeats"])
def test_the_examples_are_what_the_schema_allows(dialect: str) -> None:
    """Every example that is shown could have been written under the schema it teaches."""
    tools = [TOOLS[name] for name in GUIDES if name in TOOLS]
    if dialect == "heartbeats":
        tools = [with_heartbeat(tool) for tool in tools]
    asked = constrained(remembering(*tools))
    schema = asked.response_schema
    assert schema is not None
    validator = jsonschema_rs.Draft202012Validator(schema)
    shown = asked.messages[1:-1]
    assert len(shown) >= 2 * len(EXAMPLES)
    assert [one.role for one in shown] == ["user", "assistant"] * (len(shown) // 2)
    for one in shown:
        if one.role == "assistant":
            validator.validate(json.loads(text_of(one)))


def with_heartbeat(tool: ToolSchema) -> ToolSchema:
    parameters = tool.parameters
    properties = {
        "thinking": {"type": "string"},
        **parameters["properties"],
        "request_heartbeat": {"type": "boolean"},
    }
    required = ["thinking", *parameters["required"], "request_heartbeat"]
    return ToolSchema(
        name=tool.name,
        description=tool.description,
        parameters={**parameters, "properties": properties, "required": required},
    )


def test_tools_that_are_not_known_come_without_examples() -> None:
    asked = constrained(asking(tools=[ECHO]))
    assert [one.role for one in asked.messages] == ["system", "user"]
    assert "- echo(text: string): Says it again." in text_of(asked.messages[0])


def test_an_example_about_a_block_that_is_missing_is_left_out() -> None:
    system = message("system", f"<memory_blocks>\n{block('notes')}\n</memory_blocks>")
    request = ModelRequest(
        config=CONFIG, messages=(system, message("user", "Hello.")), tools=MEMORY
    )
    shown = [text_of(one) for one in constrained(request).messages[1:-1]]
    assert not any("memory_insert" in text for text in shown)
    assert any("conversation_search" in text for text in shown)


def test_the_history_is_in_the_shape_that_the_model_writes() -> None:
    call = ToolCall(id="call_1", name="echo", arguments='{"text": "é"}')
    result = ToolReturn(call_id="call_1", name="echo", ok=False, output={"a": 1}, time="")
    history = [
        message("user", "Say it."),
        message("assistant", calls=[call]),
        message("tool", returns=[result]),
        message("assistant", "Done."),
    ]
    asked = constrained(asking("Thanks", tools=[ECHO], history=history))
    assert [(one.role, text_of(one)) for one in asked.messages[1:]] == [
        ("user", "Say it."),
        ("assistant", written_call("echo", '{"text": "é"}')),
        ("user", '[echo failed] {"a": 1}'),
        ("assistant", written_reply("Done.")),
        ("user", "Thanks"),
    ]
    assert all(not one.calls and not one.returns for one in asked.messages)


def test_what_stands_before_the_last_message_does_not_depend_on_it() -> None:
    """The prompt's beginning is the same bytes from turn to turn, so it is read once."""
    one = constrained(remembering(*MEMORY)).messages[:-1]
    longer = ModelRequest(
        config=CONFIG,
        messages=(SYSTEM, message("user", "I am Ada."), message("user", "And?")),
        tools=MEMORY,
    )
    assert constrained(longer).messages[: len(one)] == one
