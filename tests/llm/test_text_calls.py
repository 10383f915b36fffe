"""Calls written as text: what is taken for a call, what stays text, and when text is passed on."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eunoe.domain.events import Finished, ModelEvent, ReasoningDelta, TextDelta
from eunoe.domain.tools import ToolSchema
from eunoe.engine.ports import ToolChoice
from eunoe.errors import ModelReplyCut
from eunoe.llm.dialects import dialect_of
from eunoe.llm.text_calls import MAX_HELD_CHARS, MAX_SIGNS, TextCalls
from tests.llm.talk import (
    CONFIG,
    ECHO,
    NOOP,
    asking,
    calls_in,
    chat_at,
    delta,
    event_stream,
    finish_of,
    fragment,
    replying,
    said,
    text_in,
)

_DATA: Final = json.loads(Path(__file__).with_name("written_replies.json").read_text("utf-8"))
REPLIES: Final = cast("list[dict[str, Any]]", _DATA["replies"])
TOOLS: Final = [
    ToolSchema(name=name, description="", parameters=parameters)
    for name, parameters in _DATA["tools"].items()
]
LEAST_RECOVERED: Final = 0.9
HERMES: Final = '<tool_call>\n{"name": "echo", "arguments": {"text": "hi"}}\n</tool_call>'

_PIECES = st.lists(
    st.sampled_from(
        [
            *"<[{`\n \"'}]>,:",
            "<tool_call>",
            "</tool_call>",
            "[TOOL_CALLS]",
            "<|python_tag|>",
            "<function=echo>",
            "<parameter=text>",
            "</parameter>",
            "</function>",
            "<think>",
            "</think>",
            "```json\n",
            "```",
            '{"name": "echo", "arguments": {"text": "hi"}}',
            '{"name": "echo", "arguments": {"text": "h',
            '{"name": "noop"',
            '[echo(text="x")]',
            "echo",
            "Hello, ",
            "é🙂",
        ]
    ),
    max_size=8,
).map("".join)
_FRAGMENTS = st.one_of(
    st.integers(1, 9).map(lambda size: [size] * 400),
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
)


def fragments(text: str, sizes: Sequence[int]) -> Iterator[str]:
    at = 0
    for size in sizes:
        if text[at:]:
            yield text[at : at + size]
        at += size
    if text[at:]:
        yield text[at:]


def read(
    parts: Sequence[str],
    *,
    tools: Sequence[ToolSchema] = (ECHO, NOOP),
    finish: Literal["stop", "tool_calls", "length", "content_filter"] = "stop",
) -> list[ModelEvent]:
    calls = TextCalls(tools)
    events: list[ModelEvent] = []
    for part in parts:
        events += calls.read([TextDelta(text=part)])
    return [*events, *calls.read([Finished(reason=finish)])]


def outcome(events: Sequence[ModelEvent]) -> tuple[str, list[tuple[str, object]], str]:
    calls = [(name, json.loads(arguments)) for _, name, arguments in calls_in(events)]
    return text_in(events), calls, finish_of(events)


def recovered(reply: dict[str, Any]) -> tuple[str, list[tuple[str, object]], str]:
    return outcome(read([reply["reply"]], tools=TOOLS, finish=reply["finish"]))


@pytest.mark.rule("agent-11.3", "FIX-7", "G-15")
@pytest.mark.parametrize("reply", REPLIES, ids=[f"{n}-{r['style']}" for n, r in enumerate(REPLIES)])
def test_each_reply_is_read_as_it_was_meant(reply: dict[str, Any]) -> None:
    meant = [] if reply["missed"] else [(name, arguments) for name, arguments in reply["calls"]]
    finish = "tool_calls" if meant else reply["finish"]
    assert recovered(reply) == (reply["text"], meant, finish)
    small = read([*reply["reply"]], tools=TOOLS, finish=reply["finish"])
    assert outcome(small) == recovered(reply)


@pytest.mark.rule("agent-11.3")
def test_most_calls_are_recovered_and_nothing_else_is_taken_for_one() -> None:
    made: Counter[str] = Counter()
    for reply in REPLIES:
        meant = [(name, arguments) for name, arguments in reply["calls"]]
        _, calls, _ = recovered(reply)
        assert not calls or calls == meant, reply["reply"]
        made["with calls"] += bool(meant)
        made["recovered"] += bool(calls)
    assert len(REPLIES) >= 200
    assert made["with calls"] < 0.65 * len(REPLIES)
    rate = made["recovered"] / made["with calls"]
    print(f"{made['recovered']} of {made['with calls']} recovered: {rate:.1%}")  # noqa: T201 - the figure of the how-to
    assert rate >= LEAST_RECOVERED
    told = Path(__file__).parents[2] / "docs/howto/local-models.md"
    assert f"{made['recovered']} of {made['with calls']} replies" in told.read_text("utf-8")


@pytest.mark.rule("agent-11.3")
@given(_PIECES, _FRAGMENTS, st.sampled_from(["stop", "length"]))
@example(HERMES + "\n" + HERMES + "\nDone.", [1] * 400, "stop")
@example("<think>a</think>\n" + HERMES, [3] * 400, "stop")
def test_however_a_reply_is_cut_it_means_the_same(
    text: str, sizes: list[int], finish: Literal["stop", "length"]
) -> None:
    assert outcome(read([*fragments(text, sizes)], finish=finish)) == outcome(
        read([text], finish=finish)
    )


@given(_PIECES)
def test_a_reply_that_was_cut_is_text(text: str) -> None:
    assert outcome(read([text], finish="length")) == (text, [], "length")


@given(st.text(alphabet=st.characters(exclude_characters="<[{`"), min_size=1), _FRAGMENTS)
def test_ordinary_text_is_passed_on_at_once(text: str, sizes: list[int]) -> None:
    calls = TextCalls([ECHO, NOOP])
    sent = shown = ""
    for part in fragments(text, sizes):
        sent += part
        shown += text_in(calls.read([TextDelta(text=part)]))
        assert shown == (sent if sent.strip() else "")
    assert shown + text_in([*calls.flush()]) == text


@pytest.mark.parametrize(
    ("begun", "then"),
    [
        ("1 <", " 2"),
        ("a [", "1] b"),
        ("<tool_", "box>"),
        ("<tool_call>", "x"),
        ('<tool_call>{"name": "ec', "ko"),
        ('{"', "title"),
        ('{"name": "', "Ada"),
        ("[", "1"),
        ("``", " x"),
        ("```js", "on5"),
        ("```", "python"),
        ("[ec", "ru"),
        ("[TOOL_CALLS]", "?"),
        ('{"name": "echo", "arguments": {"text": "hi"}}', "!"),
        (HERMES, " x"),
    ],
)
@pytest.mark.rule("agent-11.3")
def test_what_may_be_a_call_is_held_only_while_it_may(begun: str, then: str) -> None:
    calls = TextCalls([ECHO, NOOP])
    first = text_in(calls.read([TextDelta(text=begun)]))
    assert len(first) < len(begun)
    assert first + text_in(calls.read([TextDelta(text=then)])) == begun + then


def test_more_than_the_bound_is_not_held() -> None:
    begun = '<tool_call>{"name": "echo", "arguments": {"text": "'
    parts = [begun, *["x" * 1_000] * (MAX_HELD_CHARS // 900)]
    calls = TextCalls([ECHO])
    shown = "".join(text_in(calls.read([TextDelta(text=part)])) for part in parts)
    assert len(shown) > MAX_HELD_CHARS
    assert shown + text_in([*calls.flush()]) == "".join(parts)


def test_a_long_call_is_recovered() -> None:
    text = "y" * 60_000
    reply = HERMES.replace("hi", text)
    assert outcome(read([*fragments(reply, [7] * 10_000)])) == (
        "",
        [("echo", {"text": text})],
        "tool_calls",
    )


def test_a_reply_of_markers_alone_is_text_in_the_end() -> None:
    wrong = HERMES.replace("echo", "unknown") + "\n"
    for number, made in ((MAX_SIGNS - 1, 1), (MAX_SIGNS, 0)):
        events = read([wrong * number + HERMES])
        assert len(calls_in(events)) == made
        assert text_in(events) == wrong * number + ("" if made else HERMES)


def test_structured_calls_make_all_text_text() -> None:
    calls = TextCalls([ECHO])
    events = [*calls.read([TextDelta(text=HERMES), ReasoningDelta(text="hm")])]
    assert [type(event) for event in events] == [ReasoningDelta]


@pytest.mark.anyio
@pytest.mark.rule("agent-11.3")
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_self_hosted_model_calls_by_text(*, stream: bool) -> None:
    answer = event_stream(
        delta(content="I will say it.\n<tool"), delta(content=HERMES[5:]), delta("stop")
    )
    async with replying(answer) as url, chat_at(url) as model:
        events = await said(model, asking(tools=[ECHO], stream=stream))
    assert outcome(events) == ("I will say it.\n", [("echo", {"text": "hi"})], "tool_calls")


@pytest.mark.anyio
async def test_who_calls_as_servers_do_is_not_read_for_calls() -> None:
    answer = event_stream(
        delta(content=HERMES),
        fragment(0, id="c1", name="noop", arguments='{"a":"x"}'),
        delta("tool_calls"),
    )
    async with replying(answer) as url, chat_at(url) as model:
        events = await said(model, asking(tools=[ECHO, NOOP]))
    assert outcome(events) == (HERMES, [("noop", {"a": "x"})], "tool_calls")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "more",
    [
        {"tools": []},
        {"tools": [ECHO], "choice": ToolChoice(mode="none")},
        {"tools": [ECHO], "response_schema": {"type": "object"}},
    ],
    ids=["no tools", "no call wanted", "JSON wanted"],
)
async def test_where_no_call_is_expected_none_is_read(more: dict[str, Any]) -> None:
    answer = event_stream(delta(content=HERMES), delta("stop"))
    async with replying(answer) as url, chat_at(url) as model:
        events = await said(model, asking(**more))
    assert outcome(events) == (HERMES, [], "stop")


@pytest.mark.anyio
async def test_a_stream_that_breaks_shows_what_was_held() -> None:
    async with replying(event_stream(delta(content="<tool_call>"))) as url, chat_at(url) as model:
        stream = model.stream(asking(tools=[ECHO]))
        assert await anext(stream) == TextDelta(text="<tool_call>")
        with pytest.raises(ModelReplyCut):
            await anext(stream)


@pytest.mark.parametrize(
    ("provider", "url", "looked_at"),
    [
        ("openai", "https://api.openai.com/v1", False),
        ("azure", "https://x.openai.azure.com", False),
        ("openai", "http://localhost:8080/v1", True),
        *(
            (name, "http://localhost/v1", True)
            for name in ("ollama", "vllm", "sglang", "lmstudio_openai", "openrouter", "together")
        ),
    ],
)
def test_only_where_models_may_do_so_are_calls_looked_for(
    provider: str, url: str, *, looked_at: bool
) -> None:
    assert dialect_of(provider, base_url=url, model=CONFIG.model).text_calls is looked_at
