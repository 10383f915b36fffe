"""What adapters do for a loop that demands calls and goes on by heartbeats (P12, P21 to P25, R11)."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.envelopes import heartbeat_envelope
from eunoe.domain.events import ReasoningDelta, TextDelta
from eunoe.domain.messages import ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig
from eunoe.engine.ports import ModelRequest, ToolChoice
from eunoe.llm.tags import OpenedThought
from tests.fixtures.anthropic_server import AnthropicServer
from tests.llm.talk import ECHO, NOOP, asking, calls_in, finish_of, message, said, text_in
from tests.llm.wires import LANES

ANTHROPIC = LANES["anthropic"]
BEAT = heartbeat_envelope("Go on.", at=datetime(2026, 1, 2, tzinfo=UTC), timezone="UTC")
PLAIN = replace(ANTHROPIC.config, enable_reasoner=False, max_reasoning_tokens=0)


async def _sent(request: ModelRequest) -> dict[str, Any]:
    server = AnthropicServer()
    async with ANTHROPIC.model(server.answer) as model:
        await said(model, request)
    return server.requests[0]


def _beaten(config: ModelConfig, *, heartbeats: bool) -> ModelRequest:
    """Return a request whose last turn is a call, its result, and a heartbeat."""
    call = ToolCall(id="c1", name="noop", arguments='{"a": "x"}')
    result = ToolReturn(call_id="c1", name="noop", ok=True, output="fine", time="now")
    turn = [
        message("user", "hello"),
        message("assistant", calls=[call]),
        message("tool", returns=[result]),
        message("user", BEAT),
    ]
    request = asking(config=config, tools=[NOOP], history=turn, heartbeats=heartbeats)
    return replace(request, messages=request.messages[:-1])


@pytest.mark.anyio
@pytest.mark.rule("P21")
@pytest.mark.parametrize(
    ("config", "heartbeats", "blocks", "in_result"),
    [
        (PLAIN, False, ["tool_result"], False),
        (PLAIN, True, ["tool_result", "text"], False),
        (ANTHROPIC.config, True, ["tool_result"], True),
    ],
    ids=["answers in text", "goes on by heartbeats", "and reasons"],
)
async def test_a_heartbeat_after_a_result(
    config: ModelConfig, heartbeats: bool, blocks: list[str], in_result: bool
) -> None:
    sent = await _sent(_beaten(config, heartbeats=heartbeats))
    last = sent["messages"][-1]["content"]
    assert [block["type"] for block in last] == blocks
    assert ("heartbeat" in str(last[0]["content"])) is in_result


@pytest.mark.anyio
@pytest.mark.rule("P22")
@pytest.mark.parametrize(
    ("config", "opened"),
    [
        (PLAIN, True),
        (ANTHROPIC.config, False),
        (replace(PLAIN, model="claude-opus-4-5"), False),
        (replace(PLAIN, model="claude-sonnet-4-6"), False),
    ],
    ids=["plain", "reasons", "the largest", "refuses an opening"],
)
async def test_a_reply_is_opened_for_thoughts(config: ModelConfig, opened: bool) -> None:
    text = "SAY I think.</thinking> It is tea."
    request = asking(text, config=config, words_of_thought=True, heartbeats=True)
    server = AnthropicServer()
    async with ANTHROPIC.model(server.answer) as model:
        events = await said(model, request)
    last = server.requests[0]["messages"][-1]
    assert (last["role"] == "assistant") is opened
    if opened:
        assert "<thinking>" in str(last["content"])
        thoughts = [e for e in events if isinstance(e, ReasoningDelta)]
        assert "".join(e.text for e in thoughts) == "I think."
        assert not any(e.native for e in thoughts)
        assert text_in(events) == "It is tea."


@pytest.mark.anyio
@pytest.mark.rule("P24", "P25")
async def test_a_demanded_call_may_be_any() -> None:
    choice = ToolChoice(mode="required")
    sent = await _sent(asking(config=PLAIN, tools=[NOOP, ECHO], choice=choice, heartbeats=True))
    assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert len(sent["tools"]) == 2


@pytest.mark.rule("P22")
@given(
    thought=st.text("ab</thinkg> "),
    words=st.text("ab<> "),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_the_closing_tag_is_found_however_it_is_cut(
    thought: str, words: str, cuts: list[int]
) -> None:
    thought = thought.replace("</thinking>", "")
    whole = f"{thought}</thinking>{words}"
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    reader = OpenedThought()
    pieces = (whole[a:b] for a, b in pairwise(edges))
    events = [event for piece in pieces for event in reader.read(piece)] + reader.flush()
    before, _, after = whole.partition("</thinking>")
    thoughts = "".join(e.text for e in events if isinstance(e, ReasoningDelta))
    texts = "".join(e.text for e in events if isinstance(e, TextDelta))
    assert thoughts == before
    assert texts.lstrip() == after.lstrip()


@pytest.mark.anyio
@pytest.mark.rule("P34")
@pytest.mark.parametrize(
    ("text", "heartbeats", "called"),
    [
        ('{"name": "echo", "args": {"text": "hi"}}', True, True),
        ('{"functionCall": {"name": "echo", "args": {"text": "hi"}}}', True, True),
        ('{"name": "echo", "args": {"text": "hi"}}', False, False),
        ('{"name": "unknown", "args": {}}', True, False),
        ('{"name": "echo", "args": {"text": "hi"', True, False),
        ("Say hi.", True, False),
    ],
)
async def test_a_call_that_gemini_says_in_words(text: str, heartbeats: bool, called: bool) -> None:
    lane = LANES["google"]
    request = asking(f"SAY {text}", config=lane.config, heartbeats=heartbeats)
    request = replace(request, tools=(ECHO,))
    async with lane.model() as model:
        events = await said(model, request)
    calls = [(name, arguments) for _, name, arguments in calls_in(events)]
    assert calls == ([("echo", '{"text":"hi"}')] if called else [])
    assert text_in(events) == ("" if called else text)
    assert finish_of(events) == ("tool_calls" if called else "stop")
