"""One conversation, to be asked of each vendor."""

from typing import Any

from eunoe.domain.messages import Message, Text, ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig
from eunoe.domain.tools import ToolSchema
from eunoe.engine.ports import ModelRequest
from tests.fixtures.anthropic_server import AnthropicServer
from tests.fixtures.google_server import GoogleServer
from tests.fixtures.responses_server import ResponsesServer
from tests.llm.talk import asking, image, message, said
from tests.llm.wires import LANES

PICK = ToolSchema(
    name="pick",
    description="Picks one.",
    parameters={
        "type": "object",
        "properties": {
            "of": {"type": "array", "items": {"type": "string"}},
            "at": {"type": "string", "format": "date-time", "default": "now"},
            "size": {"type": "integer", "exclusiveMinimum": 0, "format": "int32"},
        },
        "required": ["of"],
        "additionalProperties": False,
    },
)
STOP = ToolSchema(name="stop", description="Ends it.", parameters={"type": "object"})


def history(model: str, *thoughts: Any) -> list[Message]:
    """Return a turn with all that can be in one; `model` made it."""
    calls = [ToolCall(id=f"call_{n}", name="pick", arguments='{"of":["a"]}') for n in (1, 2)]
    results = [
        ToolReturn(call_id="call_1", name="pick", ok=True, output="a", time="now"),
        ToolReturn(call_id="call_2", name="pick", ok=False, output="none", time="now"),
    ]
    parts = [*thoughts, Text(text="I look.")]
    return [
        message("user", [Text(text="See"), image()]),
        message("assistant", parts, calls=calls, model=model),
        message("tool", returns=results),
    ]


def request(config: ModelConfig, *thoughts: Any, **more: Any) -> ModelRequest:
    more = {"tools": [PICK, STOP], "parallel": True, "user": "user-1"} | more
    return asking("Go on", config=config, history=history(config.model, *thoughts), **more)


def configured(provider: str, model: str, **more: Any) -> ModelConfig:
    base: dict[str, Any] = {
        "temperature": 0.5,
        "max_output_tokens": 500,
        "strict": True,
        "reasoning_effort": "low",
    }
    name, _, kind = provider.rpartition(":")
    return ModelConfig(
        handle=f"{name or kind}/{model}",
        model=model,
        provider_type=kind,
        provider_name=name or kind,
        **(base | more),
    )


SERVERS = {"anthropic": AnthropicServer, "google": GoogleServer, "responses": ResponsesServer}


async def asked(lane: str, request_: ModelRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the body and the headers that reach the provider."""
    server = SERVERS[lane]()
    async with LANES[lane].model(server.answer) as model:
        await said(model, request_)
    return server.requests[0], server.headers[0]
