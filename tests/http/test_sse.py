"""How a run's events become a stream, and how it ends (streaming 2)."""

import asyncio
from collections.abc import AsyncGenerator

import anyio
import pytest

from eunoe.domain.events import RunEvent
from eunoe.errors import DatabaseUnreachable
from eunoe.http.sse import Chunks, EventStream
from eunoe.wire.messages import Lens
from tests.http.reading import (
    ENDED,
    FAILED,
    SAID,
    STARTED,
    STOPPED,
    USED,
    Client,
    frames,
    kinds,
    numbered,
)
from tests.wire.said import RUN

pytestmark = pytest.mark.anyio


def stream(
    events: AsyncGenerator[tuple[int, RunEvent]], *, pings: bool = True, keepalive_s: float = 20.0
) -> EventStream:
    form = Chunks(run_id=RUN, lens=Lens(), pings=pings)
    return EventStream(events, run_id=RUN, form=form, keepalive_s=keepalive_s)


@pytest.mark.rule("streaming-2.1", "streaming-2.3")
async def test_frames_and_headers() -> None:
    events = numbered([STARTED, SAID, STOPPED, USED, ENDED])
    start, body = await Client(stream(events)).whole()
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"cache-control"] == b"no-cache"
    assert headers[b"x-accel-buffering"] == b"no"
    assert headers[b"x-letta-run-id"] == RUN.encode()
    assert b"content-length" not in headers
    assert kinds(body) == ["ping", "assistant_message", "stop_reason", "usage_statistics", "[DONE]"]
    assert body.endswith(b"data: [DONE]\n\n")
    assert b'"seq_id":2,' in body
    assert b'"is_err":null' in body


@pytest.mark.rule("streaming-2.15", "G-8")
async def test_a_failed_run_names_its_error_event() -> None:
    events = numbered([STARTED, STOPPED, USED, FAILED, ENDED])
    _, body = await Client(stream(events)).whole()
    assert kinds(body) == [
        "ping",
        "stop_reason",
        "usage_statistics",
        "error",
        "error_message",
        "[DONE]",
    ]


@pytest.mark.rule("streaming-4.6", "G-4")
async def test_a_reader_past_the_end_gets_the_terminator_at_once() -> None:
    _, body = await Client(stream(numbered([]))).whole()
    assert body == b"data: [DONE]\n\n"


@pytest.mark.rule("G-8")
@pytest.mark.parametrize(
    ("before", "end"),
    [
        ([STARTED], ["ping", "stop_reason", "error", "error_message", "[DONE]"]),
        ([STOPPED], ["stop_reason", "error", "error_message", "[DONE]"]),
        ([STOPPED, FAILED], ["stop_reason", "error", "error_message", "[DONE]"]),
    ],
)
async def test_a_reading_that_breaks_still_ends_properly(
    before: list[RunEvent], end: list[str]
) -> None:
    async def broken() -> AsyncGenerator[tuple[int, RunEvent]]:
        async for numbered_event in numbered(before):
            yield numbered_event
        raise DatabaseUnreachable

    _, body = await Client(stream(broken())).whole()
    assert kinds(body) == end


@pytest.mark.rule("streaming-2.14")
@pytest.mark.parametrize("pings", [True, False])
async def test_silence_is_filled_without_touching_the_reading(*, pings: bool) -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncGenerator[tuple[int, RunEvent]]:
        yield 1, SAID
        await go_on.wait()
        yield 2, ENDED

    client = Client(stream(slow(), pings=pings, keepalive_s=0.01))
    read: list[bytes] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.run)
        read.extend([await client.read() for _ in range(3)])
        go_on.set()
        while read[-1] != b"data: [DONE]\n\n":
            read.append(await client.read())
    assert kinds(read[0]) == ["assistant_message"]
    if not pings:
        assert set(read[1:-1]) == {b": keepalive\n\n"}
        return
    beats = [frames(beat)[0] for beat in read[1:-1]]
    assert {(one["message_type"], one["run_id"], one["seq_id"]) for one in beats} == {
        ("ping", RUN, 1)
    }
    assert len({one["id"] for one in beats}) == len(beats)


@pytest.mark.rule("streaming-2.14")
async def test_no_keepalive_while_there_is_data() -> None:
    now = 0.0
    beats = asyncio.Event()

    async def busy() -> AsyncGenerator[tuple[int, RunEvent]]:
        nonlocal now
        for seq in range(1, 6):
            now += 0.9
            yield seq, SAID
            await anyio.lowlevel.checkpoint()
        beats.set()
        yield 6, ENDED

    form = Chunks(run_id=RUN, lens=Lens())
    response = EventStream(busy(), run_id=RUN, form=form, keepalive_s=1.0, clock=lambda: now)
    _, body = await Client(response).whole()
    assert kinds(body) == ["assistant_message"] * 5 + ["[DONE]"]


@pytest.mark.rule("G-7", "streaming-2.17")
async def test_a_client_that_leaves_ends_the_reading_and_frees_it() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[tuple[int, RunEvent]]:
        try:
            yield 1, SAID
            await asyncio.Event().wait()
        finally:
            closed.set()

    client = Client(stream(endless()))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.run)
        await client.read()
        client.leave()
        with anyio.fail_after(10):
            await closed.wait()
