"""What every adapter makes of its provider, the same on the four wires that are spoken."""

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from eunoe.domain.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    ReasoningHidden,
    ReasoningSummary,
    SummaryDelta,
    TextDelta,
)
from eunoe.engine.ports import Model, ToolChoice
from eunoe.errors import (
    ContextOverflow,
    ModelCreditExhausted,
    ModelError,
    ModelKeyRefused,
    ModelOverloaded,
    ModelRateLimited,
    ModelReplyCut,
    ModelReplyEmpty,
    ModelRequestRefused,
    ModelTimedOut,
    ModelUnreachable,
)
from eunoe.llm.connection import Timeouts
from eunoe.llm.retries import Retries
from eunoe.testing.http_server import Answer, Answerer, Request
from tests.llm.talk import (
    ECHO,
    NOOP,
    asking,
    calls_in,
    finish_of,
    refusing,
    said,
    text_in,
    then_closed,
    usage_in,
)
from tests.llm.wires import KEY, LANES, Lane

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("lane", LANES.values(), ids=LANES)]
ONCE = Retries(most=0)
CALLS = 'CALLS [{"name": "noop", "arguments": {"a": "x"}}, {"name": "echo", "arguments": {"text": "é"}}]'


def ask(lane: Lane, text: str, **more: Any) -> Any:
    return asking(text, config=lane.config, **more)


def thought_in(events: Sequence[ModelEvent]) -> str:
    return "".join(e.text for e in events if isinstance(e, ReasoningDelta | SummaryDelta))


def seals_in(events: Sequence[ModelEvent]) -> list[str]:
    """Return what a later request must send back, in order."""
    seals = (
        getattr(event, "signature", None) or getattr(event, "encrypted", None) for event in events
    )
    return [seal for seal in seals if seal]


class Failing:
    """Gives `answers` first, one a request, then what the lane's server says."""

    def __init__(self, lane: Lane, *answers: Answer) -> None:
        self.requests: list[Request] = []
        self._answers = list(answers)
        self._served: Answerer = lane.served()

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        return self._answers.pop(0) if self._answers else self._served(request)


async def test_text_comes_in_pieces_and_ends(lane: Lane) -> None:
    async with lane.model() as model:
        events = await said(model, ask(lane, "SAY it is tea"))
    assert text_in(events) == "it is tea"
    assert len([e for e in events if isinstance(e, TextDelta) and e.text]) > 1
    assert finish_of(events) == "stop"


@pytest.mark.rule("R3", "streaming-2.8")
async def test_reasoning_comes_before_the_answer_with_its_seal(lane: Lane) -> None:
    async with lane.model() as model:
        events = await said(model, ask(lane, "THINK let me see SAY it is tea"))
    assert thought_in(events).replace("\n\n", " ") == "let me see"
    assert text_in(events) == "it is tea"
    kinds = [type(event) for event in events]
    first = min(kinds.index(kind) for kind in (ReasoningDelta, SummaryDelta) if kind in kinds)
    assert first < kinds.index(TextDelta)
    assert len(seals_in(events)) == (0 if lane is LANES["chat"] else 1)


@pytest.mark.rule("agent-10.1")
async def test_reasoning_that_is_kept_back_is_kept_whole(lane: Lane) -> None:
    async with lane.model() as model:
        events = await said(model, ask(lane, "HIDE b3BhcXVl SAY tea"))
    hidden = [e for e in events if isinstance(e, ReasoningHidden | ReasoningSummary)]
    match lane.config.provider_name:
        case "anthropic":
            assert hidden == [ReasoningHidden(state="redacted", data="b3BhcXVl")]
        case "openai":
            assert hidden == [ReasoningSummary(id="rs_1", summary=(), encrypted="b3BhcXVl")]
        case _:
            assert hidden == []
    assert text_in(events) == "tea"


@pytest.mark.rule("G-15", "FIX-50")
async def test_parallel_calls_keep_order_and_arguments(lane: Lane) -> None:
    async with lane.model() as model:
        events = await said(model, ask(lane, CALLS, tools=[NOOP, ECHO], parallel=True))
    calls = calls_in(events)
    assert [(name, arguments) for _, name, arguments in calls] == [
        ("noop", '{"a":"x"}'),
        ("echo", '{"text":"é"}'),
    ]
    ids = {call_id for call_id, _, _ in calls}
    assert len(ids) == 2
    assert all(len(call_id) <= 29 for call_id in ids)
    assert finish_of(events) == "tool_calls"


@pytest.mark.rule("FIX-19")
async def test_a_forced_tool_is_called_and_no_other(lane: Lane) -> None:
    choice = ToolChoice(mode="required", name="echo")
    async with lane.model() as model:
        events = await said(model, ask(lane, CALLS, tools=[NOOP, ECHO], choice=choice))
    assert [name for _, name, _ in calls_in(events)] == ["echo"]


@pytest.mark.rule("P19")
async def test_usage_tells_what_the_cache_held(lane: Lane) -> None:
    async with lane.model() as model:
        first = usage_in(await said(model, ask(lane, "one", tools=[NOOP])))
        second = usage_in(await said(model, ask(lane, "two", tools=[NOOP])))
    assert first is not None
    assert second is not None
    assert first.cached_input_tokens == 0
    assert second.cached_input_tokens
    assert second.prompt_tokens == first.prompt_tokens > second.cached_input_tokens
    assert second.total_tokens == second.prompt_tokens + second.completion_tokens


@pytest.mark.rule("FIX-68", "P38")
@pytest.mark.parametrize("status", [429, 500, 503, 529])
async def test_a_busy_provider_is_asked_again_when_it_says(lane: Lane, status: int) -> None:
    busy = refusing(status, lane.refusal(status, "busy"), headers={"retry-after": "0.05"})
    answer = Failing(lane, busy, busy)
    async with lane.model(answer) as model:
        assert text_in(await said(model, ask(lane, "SAY tea"))) == "tea"
    assert len(answer.requests) == 3


@pytest.mark.rule("FIX-68")
async def test_one_that_asks_for_an_hour_is_not_asked_again(lane: Lane) -> None:
    busy = refusing(429, lane.refusal(429, "busy"), headers={"retry-after": "3600"})
    answer = Failing(lane, busy)
    async with lane.model(answer) as model:
        with pytest.raises(ModelRateLimited) as caught:
            await said(model, ask(lane, "SAY tea"))
    assert caught.value.retry_after_s == 3_600
    assert len(answer.requests) == 1


@pytest.mark.rule("P35", "P36", "streaming-9.3")
@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (400, "what", ModelRequestRefused),
        (400, "the input exceeds the context window of this model", ContextOverflow),
        (400, "Your credit balance is too low", ModelCreditExhausted),
        (401, "who are you", ModelKeyRefused),
        (402, "pay", ModelCreditExhausted),
        (403, "not yours", ModelError),
        (404, "no such model", ModelError),
        (413, "too large", ContextOverflow),
        (422, "cannot be read", ModelError),
        (429, "slow down", ModelRateLimited),
        (500, "down", ModelError),
        (529, "busy", ModelOverloaded),
    ],
)
async def test_a_refusal_has_its_class(
    lane: Lane, status: int, text: str, error: type[ModelError]
) -> None:
    body = lane.refusal(status, f"{text}, {KEY}")
    async with lane.model(lambda _: refusing(status, body), retries=ONCE) as model:
        with pytest.raises(error) as caught:
            await said(model, ask(lane, "hello"))
    assert type(caught.value) is error
    assert caught.value.detail["http_status"] == status
    assert f"{lane.config.provider_name} answered {status}: {text}" in str(caught.value)
    assert KEY not in str(caught.value) + repr(caught.value.detail)


@pytest.mark.rule("P36")
@pytest.mark.parametrize(("status", "error"), [(400, ModelRequestRefused), (502, ModelError)])
async def test_a_page_in_place_of_a_refusal(
    lane: Lane, status: int, error: type[ModelError]
) -> None:
    page = refusing(status, b"<html><body>nginx</body></html>", content_type="text/html")
    async with lane.model(lambda _: page, retries=ONCE) as model:
        with pytest.raises(error) as caught:
            await said(model, ask(lane, "hello"))
    assert type(caught.value) is error
    assert "<html" not in str(caught.value)
    assert "check the base URL" in str(caught.value)


@pytest.mark.rule("P36")
async def test_a_page_in_place_of_a_reply(lane: Lane) -> None:
    page = refusing(200, b"<html><body>hello</body></html>", content_type="text/html")
    async with lane.model(lambda _: page, retries=ONCE) as model:
        with pytest.raises(ModelError):
            await said(model, ask(lane, "hello"))


@pytest.mark.rule("P40", "L36", "streaming-9.3")
async def test_an_empty_reply_is_a_failure_and_reasoning_alone_is_none(lane: Lane) -> None:
    async with lane.model(retries=ONCE) as model:
        with pytest.raises(ModelReplyEmpty):
            await said(model, ask(lane, "EMPTY"))
        events = await said(model, ask(lane, "THINK let me see EMPTY"))
    assert thought_in(events).replace("\n\n", " ") == "let me see"
    assert (text_in(events), finish_of(events)) == ("", "stop")


@pytest.mark.rule("G-15", "P41")
@pytest.mark.parametrize("fault", ["DROP 3", "EOF 3"])
@pytest.mark.parametrize("what", ["SAY one two three four five six", CALLS])
async def test_a_reply_that_breaks_off_is_a_failure(lane: Lane, fault: str, what: str) -> None:
    heard: list[ModelEvent] = []

    async def listen(model: Model) -> None:
        async for event in model.stream(ask(lane, f"{fault} {what}", tools=[NOOP, ECHO])):
            heard.append(event)  # noqa: PERF401 - what came before the failure counts

    async with lane.model() as model:
        with pytest.raises(ModelReplyCut):
            await listen(model)
    assert heard
    assert not any(isinstance(event, Finished) for event in heard)


@pytest.mark.rule("FIX-68")
async def test_a_provider_that_hangs_up_is_asked_again(lane: Lane) -> None:
    answer = Failing(lane, then_closed(b""))
    async with lane.model(answer) as model:
        assert text_in(await said(model, ask(lane, "SAY tea"))) == "tea"
    assert len(answer.requests) == 2


async def test_a_provider_that_is_not_there(lane: Lane) -> None:
    async with lane.model(lambda _: then_closed(b""), retries=ONCE) as model:
        with pytest.raises(ModelUnreachable):
            await said(model, ask(lane, "hello"))


@pytest.mark.rule("P39", "FIX-68", "streaming-9.3")
@pytest.mark.parametrize("after", [0, 2])
async def test_silence_is_a_timeout(lane: Lane, after: int) -> None:
    async with lane.model(timeouts=Timeouts(silence_s=0.3)) as model:
        with anyio.fail_after(20), pytest.raises(ModelTimedOut):
            await said(model, ask(lane, f"HANG {after} SAY one two three four"))


@pytest.mark.rule("P39", "FIX-68")
async def test_a_dribble_ends_with_the_time_for_the_request(lane: Lane) -> None:
    async with lane.model(timeouts=Timeouts(silence_s=4, total_s=0.5)) as model:
        with anyio.fail_after(20), pytest.raises(ModelTimedOut):
            await said(model, ask(lane, "SLOW 400 SAY " + "on and " * 20))
