"""What refusals and broken connections become, and when a request is made again."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import anyio
import httpx
import orjson
import pytest

from eunoe.errors import (
    ContextOverflow,
    ModelCreditExhausted,
    ModelError,
    ModelKeyRefused,
    ModelOverloaded,
    ModelRateLimited,
    ModelReplyCut,
    ModelRequestRefused,
    ModelTimedOut,
    ModelUnreachable,
)
from eunoe.llm.connection import Timeouts
from eunoe.llm.faults import Origin, refusal, retry_after_s
from eunoe.llm.retries import Retries, wait_s
from eunoe.testing.http_server import Answer, Request, serving
from eunoe.testing.model_server import scripted_model_server
from tests.llm.talk import (
    OK,
    answering,
    asking,
    chat_at,
    delta,
    event_stream,
    fragment,
    refusing,
    replying,
    said,
    text_in,
    then_closed,
)

pytestmark = pytest.mark.anyio
ONCE = Retries(most=0)


def _error(message: str, **more: object) -> bytes:
    return orjson.dumps({"error": {"message": message, **more}})


CASES = [
    (400, _error("x", code="context_length_exceeded"), ContextOverflow),
    (400, _error("This model's maximum context length is 8192 tokens"), ContextOverflow),
    (400, _error("the request exceeds the available context size"), ContextOverflow),
    (400, _error("prompt is too long: 210000 tokens > 200000 maximum"), ContextOverflow),
    (413, b"", ContextOverflow),
    (402, _error("x"), ModelCreditExhausted),
    (429, _error("x", code="insufficient_quota"), ModelCreditExhausted),
    (400, _error("Your credit balance is too low"), ModelCreditExhausted),
    (429, _error("slow down"), ModelRateLimited),
    (429, _error("rate limit on the context window of your tier"), ModelRateLimited),
    (401, _error("who are you"), ModelKeyRefused),
    (403, _error("not yours"), ModelError),
    (404, _error("no such model"), ModelError),
    (422, _error("what"), ModelError),
    (408, _error("late"), ModelTimedOut),
    (409, _error("busy"), ModelRequestRefused),
    (400, _error("what"), ModelRequestRefused),
    (529, _error("busy"), ModelOverloaded),
    (503, _error("busy", type="overloaded_error"), ModelOverloaded),
    (503, _error("down"), ModelError),
    (500, _error("down"), ModelError),
    (500, b"<html><body>nginx</body></html>", ModelError),
    (400, b"<!doctype html>", ModelRequestRefused),
    (502, b"bad gateway", ModelError),
    (400, b'{"detail": "what"}', ModelRequestRefused),
    (400, b'[{"error": {"message": "what"}}]', ModelRequestRefused),
]


@pytest.mark.rule("P36", "streaming-9.3")
@pytest.mark.parametrize(("status", "body", "error"), CASES)
async def test_a_refusal_has_its_class(status: int, body: bytes, error: type[ModelError]) -> None:
    async with (
        serving(lambda _: refusing(status, body)) as url,
        chat_at(url, retries=ONCE) as model,
    ):
        with pytest.raises(error) as caught:
            await said(model, asking())
    assert type(caught.value) is error
    assert caught.value.detail["http_status"] == status
    assert "fake answered" in str(caught.value)
    assert "<" not in str(caught.value)


@pytest.mark.rule("P36")
async def test_no_error_shows_the_key() -> None:
    key = "sk-secret-0123456789abcdef"
    other = "sk-proj-AAAABBBBCCCCDDDDEEEE"
    body = _error(f"Incorrect API key provided: {key}; or was it {other}")
    async with serving(lambda _: refusing(401, body)) as url, chat_at(url, api_key=key) as model:
        with pytest.raises(ModelKeyRefused) as caught:
            await said(model, asking())
    shown = str(caught.value) + repr(caught.value.detail)
    assert key not in shown
    assert other not in shown
    assert "Incorrect API key provided: [redacted]" in shown


@pytest.mark.rule("P37", "api-3.1")
def test_a_callers_own_key_is_marked() -> None:
    origin = Origin(name="mine", is_byok=True)
    error = refusal(401, _error("no"), headers={}, origin=origin)
    assert str(error).endswith(" [BYOK]")
    assert error.detail["is_byok"] is True


@pytest.mark.rule("FIX-68")
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
async def test_what_may_heal_is_asked_for_again(status: int) -> None:
    answer, requests = answering(refusing(status), refusing(status), OK)
    async with serving(answer) as url, chat_at(url) as model:
        assert text_in(await said(model, asking())) == "fine"
    assert len(requests) == 3


@pytest.mark.rule("FIX-68")
@pytest.mark.parametrize(
    ("status", "body"),
    [(400, _error("x")), (401, _error("x")), (402, _error("x")), (404, _error("x")), (413, b""),
     (429, _error("x", code="insufficient_quota")), (500, _error("x", code="context_length_exceeded"))],
)  # fmt: skip
async def test_what_cannot_heal_is_asked_for_once(status: int, body: bytes) -> None:
    answer, requests = answering(refusing(status, body), OK)
    async with serving(answer) as url, chat_at(url) as model:
        with pytest.raises(ModelError):
            await said(model, asking())
    assert len(requests) == 1


async def test_retries_end() -> None:
    answer, requests = answering(refusing(500))
    async with serving(answer) as url, chat_at(url) as model:
        with pytest.raises(ModelError):
            await said(model, asking())
    assert len(requests) == 3


@pytest.mark.rule("FIX-68")
async def test_the_provider_says_how_long_to_wait() -> None:
    answer, requests = answering(refusing(429, headers={"retry-after-ms": "60"}), OK)
    async with serving(answer) as url, chat_at(url) as model:
        began = time.monotonic()
        await said(model, asking())
    assert len(requests) == 2
    assert time.monotonic() - began >= 0.06


async def test_one_that_asks_for_too_long_a_wait_is_not_asked_again() -> None:
    answer, requests = answering(refusing(429, headers={"retry-after": "3600"}), OK)
    async with serving(answer) as url, chat_at(url) as model:
        with pytest.raises(ModelRateLimited) as caught:
            await said(model, asking())
    assert caught.value.retry_after_s == 3600
    assert len(requests) == 1


def test_retry_after_is_read_in_every_form() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after_s({"retry-after": "1.5"}) == 1.5
    assert retry_after_s({"retry-after": "9", "retry-after-ms": "250"}) == 0.25
    assert retry_after_s({"retry-after": later}) == pytest.approx(90, abs=3)
    assert retry_after_s({"retry-after": "soon"}) is None
    assert retry_after_s({}) is None


def test_waits_grow_and_never_outlast_the_request() -> None:
    retries = Retries(most=5, first_s=1.0, longest_s=3.0)
    error = ModelUnreachable()
    waits = [wait_s(error, attempt=n, left_s=100.0, retries=retries) for n in range(6)]
    assert waits[5] is None
    for wait, longest in zip(waits[:5], (1.0, 2.0, 3.0, 3.0, 3.0), strict=True):
        assert wait is not None
        assert longest / 2 <= wait <= longest
    assert wait_s(error, attempt=0, left_s=0.1, retries=retries) is None


async def test_a_provider_that_is_not_there() -> None:
    async with serving(lambda _: OK) as url:
        pass
    async with chat_at(url) as model:
        with pytest.raises(ModelUnreachable):
            await said(model, asking())


async def test_a_provider_that_hangs_up_at_once_is_tried_again() -> None:
    answer, requests = answering(OK)

    def cut_once(request: Request) -> Answer:
        good = answer(request)
        return then_closed(b"") if len(requests) == 1 else good

    async with serving(cut_once) as url, chat_at(url) as model:
        assert text_in(await said(model, asking())) == "fine"
    assert len(requests) == 2


@pytest.mark.rule("G-15")
@pytest.mark.parametrize("fault", ["DROP 3", "EOF 3"])
async def test_a_reply_that_breaks_off_is_an_error(fault: str) -> None:
    async with scripted_model_server() as url, chat_at(url) as model:
        with pytest.raises(ModelReplyCut):
            await said(model, asking(fault))


def _sent(body: bytes, *, length: int) -> bytes:
    """Return a response that says it has `length` bytes."""
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    return f"{head}content-length: {length}\r\n\r\n".encode() + body


_PAYLOADS = (
    delta(reasoning_content="hm"),
    delta(content="fine é"),
    fragment(0, id="c", name="echo", arguments='{"text"'),
    fragment(0, arguments=': "x"}'),
    delta("tool_calls"),
)
_REPLY = event_stream(*_PAYLOADS)
_BODY = b"".join(b"data: " + orjson.dumps(one) + b"\n\n" for one in _PAYLOADS) + b"data: [DONE]\n\n"
_SIZES = [place for place in range(len(_REPLY)) if _REPLY[place : place + 8] == b"\r\ndata: "]


async def _dribbled(reply: bytes) -> AsyncIterator[bytes]:
    for place in range(len(reply)):
        yield reply[place : place + 1]
        await asyncio.sleep(0)


@pytest.mark.rule("G-15")
@pytest.mark.parametrize(
    ("always", "replies"),
    [
        (True, [_dribbled(_REPLY), _dribbled(_sent(_BODY, length=len(_BODY)))]),
        (False, [then_closed(_REPLY[:size]) for size in range(len(_REPLY))]),
        (True, [then_closed(_sent(_BODY, length=len(_BODY) + more)) for more in (1, 9, 1_000)]),
        (False, [then_closed(_sent(_BODY, length=length)) for length in range(0, len(_BODY), 3)]),
        (False, [then_closed(_REPLY[: at - 1] + _REPLY[at:]) for at in _SIZES]),
        (False, [then_closed(_REPLY[: at - 1] + b"g" + _REPLY[at:]) for at in _SIZES]),
    ],
    ids=["byte by byte", "cut anywhere", "longer", "shorter", "lengths that lie", "no lengths"],
)
async def test_a_reply_is_whole_or_an_error(
    always: bool, replies: list[AsyncIterator[bytes]]
) -> None:
    """Whole is one whose end was announced, whatever became of the connection then."""
    async with replying(_REPLY) as url, chat_at(url) as model:
        whole = await said(model, asking())
    left = list(replies)
    came: list[str] = []
    async with serving(lambda _: left.pop(0)) as url, chat_at(url, retries=ONCE) as model:
        while left:
            try:
                assert await said(model, asking()) == whole
                came.append("whole")
            except ModelError as error:
                came.append(error.code)
    assert (set(came) == {"whole"}) == always


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.rule("streaming-9.3")
async def test_silence_is_a_timeout_and_is_not_tried_again(after: int) -> None:
    patience = Timeouts(silence_s=0.1, total_s=5)
    async with scripted_model_server() as url, chat_at(url, timeouts=patience) as model:
        with anyio.fail_after(3), pytest.raises(ModelTimedOut):
            await said(model, asking(f"HANG {after}"))


async def test_a_dribble_ends_with_the_time_for_the_request() -> None:
    patience = Timeouts(silence_s=2, total_s=0.2)
    async with scripted_model_server() as url, chat_at(url, timeouts=patience) as model:
        with anyio.fail_after(3), pytest.raises(ModelTimedOut):
            await said(model, asking("SLOW 30 SAY " + "on and " * 200))


async def test_a_whole_body_may_take_all_the_time_there_is() -> None:
    patience = Timeouts(silence_s=0.05, total_s=5)
    async with scripted_model_server() as url, chat_at(url, timeouts=patience) as model:
        async with httpx.AsyncClient() as http:
            await http.post(url.replace("/v1", "/control"), json={"first_token_ms": 150})
        assert text_in(await said(model, asking("SAY at last", stream=False))) == "at last"
