"""Replies as odd servers write them: each is a real HTTP answer."""

import orjson
import pytest

from eunoe.domain.events import ReasoningDelta
from eunoe.errors import (
    ContextOverflow,
    ModelError,
    ModelRateLimited,
    ModelReplyCut,
    ModelReplyEmpty,
    ModelReplyInvalid,
)
from eunoe.llm.retries import Retries
from eunoe.testing.http_server import response, serving
from tests.llm.talk import (
    NOOP,
    OK,
    answering,
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
    then_closed,
    thought_in,
    usage_in,
)

pytestmark = pytest.mark.anyio
ONCE = Retries(most=0)


@pytest.mark.rule("streaming-2.9")
async def test_fragments_before_the_id_are_held_and_then_shown() -> None:
    answer = event_stream(
        fragment(0, arguments='{"a"'),
        fragment(0, name="noop", arguments=': "x'),
        fragment(0, id="c1", arguments='"'),
        fragment(0, arguments="}"),
        delta("tool_calls"),
    )
    async with replying(answer) as url, chat_at(url) as model:
        events = await said(model, asking(tools=[NOOP]))
    assert calls_in(events) == [("c1", "noop", '{"a": "x"}')]


async def test_calls_without_an_id_get_one_and_calls_that_share_an_index_stay_apart() -> None:
    answer = event_stream(
        fragment(0, id="a", name="noop", arguments='{"n": 1}'),
        fragment(0, id="b", name="noop", arguments='{"n": 2}'),
        delta("stop", tool_calls=[{"function": {"name": "echo", "arguments": {"text": "x"}}}]),
    )
    async with replying(answer) as url, chat_at(url) as model:
        events = await said(model, asking(tools=[NOOP]))
    assert finish_of(events) == "tool_calls"
    assert [(name, arguments) for _, name, arguments in calls_in(events)] == [
        ("noop", '{"n": 1}'),
        ("noop", '{"n": 2}{"text":"x"}'),
    ]


async def test_calls_without_an_index_are_told_apart_by_their_place() -> None:
    first = {"function": {"name": "noop", "arguments": "{}"}}
    second = {"function": {"name": "echo", "arguments": '{"text": "x"}'}}
    answer = event_stream(delta("tool_calls", tool_calls=[first, second]))
    async with replying(answer) as url, chat_at(url) as model:
        calls = calls_in(await said(model, asking(tools=[NOOP])))
    assert [(name, arguments) for _, name, arguments in calls] == [
        ("noop", "{}"),
        ("echo", '{"text": "x"}'),
    ]
    assert len({call_id for call_id, _, _ in calls}) == 2


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_has_two_spellings(field: str) -> None:
    answer = event_stream(
        delta(**{field: "hm "}), delta(**{field: "so"}), delta("stop", content="x")
    )
    async with replying(answer) as url, chat_at(url) as model:
        assert thought_in(await said(model, asking())) == "hm so"


async def test_a_signature_closes_the_reasoning() -> None:
    answer = event_stream(
        delta(reasoning_content="so"),
        delta(reasoning_content_signature="sig"),
        delta("stop", content="x"),
    )
    async with replying(answer) as url, chat_at(url) as model:
        thoughts = [e for e in await said(model, asking()) if isinstance(e, ReasoningDelta)]
    assert [(t.text, t.signature) for t in thoughts] == [("so", None), ("", "sig")]


async def test_content_may_be_a_list_of_parts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "tea"},
    ]
    async with replying(event_stream(delta("stop", content=parts))) as url, chat_at(url) as model:
        events = await said(model, asking())
    assert (thought_in(events), text_in(events)) == ("hm", "tea")


async def test_pings_carriage_returns_and_split_characters_do_no_harm() -> None:
    payload = b"data: " + orjson.dumps(delta(content="t\u00e9a")) + b"\r\n\r\n"
    cut = payload.index("é".encode()) + 1
    answer = event_stream(
        b": ping\n\n", payload[:cut], payload[cut:], b"event: x\n\n", delta("stop")
    )
    async with replying(answer) as url, chat_at(url) as model:
        assert text_in(await said(model, asking())) == "téa"


async def test_a_reply_is_whole_without_the_terminator() -> None:
    answer = event_stream(delta("stop", content="tea"), ended=False)
    async with replying(answer) as url, chat_at(url) as model:
        assert finish_of(await said(model, asking())) == "stop"


async def test_a_server_that_cannot_stream_answers_with_one_body() -> None:
    whole = {"choices": [{"message": {"content": "tea"}, "finish_reason": "stop"}]}
    async with replying(response(200, orjson.dumps(whole))) as url, chat_at(url) as model:
        assert text_in(await said(model, asking())) == "tea"


@pytest.mark.parametrize(
    ("usage", "cached", "thought"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, None, None),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 3}, 3, None),
        (
            {
                "prompt_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            0,
            4,
        ),
    ],
)
async def test_usage_says_null_for_what_was_not_reported(
    usage: dict[str, object], cached: int | None, thought: int | None
) -> None:
    answer = event_stream(delta("stop", content="x"), {"choices": [], "usage": usage})
    async with replying(answer) as url, chat_at(url) as model:
        counted = usage_in(await said(model, asking()))
    assert counted is not None
    assert counted.prompt_tokens == 5
    assert (counted.cached_input_tokens, counted.reasoning_tokens) == (cached, thought)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("length", "length"), ("content_filter", "content_filter"), ("function_call", "tool_calls")],
)
async def test_the_finish_reason_is_passed_on(word: str, reason: str) -> None:
    answer = event_stream(fragment(0, id="a", name="noop", arguments="{"), delta(word))
    async with replying(answer) as url, chat_at(url) as model:
        assert finish_of(await said(model, asking(tools=[NOOP]))) == reason


@pytest.mark.rule("G-15")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (event_stream(delta(content="half"), ended=False), ModelReplyCut),
        (event_stream(delta(content="half")), ModelReplyCut),
        (event_stream(delta(content="half"), b'data: {"choi\n\n'), ModelReplyInvalid),
        (event_stream(delta(content="half"), b'data: {"choi', ended=False), ModelReplyCut),
        (event_stream(delta("stop")), ModelReplyEmpty),
        (event_stream(delta("stop", reasoning=" \n")), ModelReplyEmpty),
        (event_stream(delta("because", content="x")), ModelReplyInvalid),
        (event_stream(delta(content="x"), b"data: 7\n\n"), ModelReplyInvalid),
        (event_stream({"choices": [7]}), ModelReplyInvalid),
        (event_stream({"usage": [7], "choices": []}), ModelReplyInvalid),
        (event_stream(fragment(0, id="a", arguments="{}"), delta("tool_calls")), ModelReplyInvalid),
        (response(200, b'{"choices": [{"message": {"content": "half'), ModelReplyCut),
        (response(200, b'{"choices": [{"message": {"content": "x"}}]}'), ModelReplyCut),
        (response(200, b"[]"), ModelReplyInvalid),
        (response(200, b"{}"), ModelReplyInvalid),
        (response(200, b"<html></html>", content_type="text/html"), ModelReplyInvalid),
        (response(200, b'{"choices": []}').replace(b": 15", b": 150"), ModelReplyCut),
    ],
)
async def test_what_is_not_a_whole_reply_is_no_reply(
    answer: bytes, error: type[ModelError]
) -> None:
    closing = serving(lambda _: then_closed(answer))
    async with closing as url, chat_at(url, retries=ONCE) as model:
        with pytest.raises(error):
            await said(model, asking())


@pytest.mark.parametrize(
    ("reported", "error"),
    [
        ({"message": "slow down", "code": 429}, ModelRateLimited),
        ({"message": "too long", "code": "context_length_exceeded"}, ContextOverflow),
        ("it broke", ModelError),
    ],
)
async def test_an_error_in_the_middle_has_the_class_that_it_has_before(
    reported: object, error: type[ModelError]
) -> None:
    answer = event_stream(delta(content="half"), {"error": reported})
    async with replying(answer) as url, chat_at(url) as model:
        with pytest.raises(error) as caught:
            await said(model, asking())
    assert type(caught.value) is error


async def test_nothing_is_asked_twice_once_something_was_shown() -> None:
    answer, requests = answering(event_stream(delta(content="half"), ended=False), OK)
    async with serving(answer) as url, chat_at(url) as model:
        with pytest.raises(ModelReplyCut):
            await said(model, asking())
    assert len(requests) == 1


async def test_a_reply_that_broke_before_its_first_word_is_asked_for_again() -> None:
    answer, requests = answering(event_stream(ended=False), OK)
    async with serving(answer) as url, chat_at(url) as model:
        assert text_in(await said(model, asking())) == "fine"
    assert len(requests) == 2


async def test_a_line_without_an_end_is_refused() -> None:
    endless = b"data: " + b"x" * (17 * 1024 * 1024)
    async with replying(event_stream(endless)) as url, chat_at(url, retries=ONCE) as model:
        with pytest.raises(ModelReplyInvalid, match="16 MiB"):
            await said(model, asking())
