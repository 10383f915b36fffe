"""What becomes of failures and first tokens behind a status that is sent already (streaming 2.16)."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from eunoe import telemetry
from eunoe.domain.events import RunEvent
from eunoe.errors import DatabaseUnreachable, RunExpired
from eunoe.http.observed import Observed
from eunoe.http.sse import Chunks, EventStream
from eunoe.wire.messages import Lens
from tests.collecting import Collected
from tests.http.reading import STARTED, Client, frames, kinds, numbered
from tests.reporting import reports
from tests.runs.conftest import World
from tests.wire.said import RUN

pytestmark = pytest.mark.anyio

MANY = "one two three four five"


@pytest.fixture
def collected() -> Iterator[Collected]:
    with Collected.here() as collected:
        yield collected


@pytest.fixture
def reported() -> Iterator[list[BaseException]]:
    with reports() as found:
        yield found


async def streamed(http: httpx.AsyncClient, agent_id: str, text: str) -> bytes:
    body = {"input": text, "streaming": True, "stream_tokens": True}
    return (await http.post(f"/v1/agents/{agent_id}/messages", json=body)).content


@pytest.mark.rule("streaming-2.16", "S10", "S11", "S12", "S16", "S24", "G-23", "G-8")
@pytest.mark.parametrize(
    ("text", "came"), [(f"SAY {MANY}", True), (f"DROP 3\nSAY {MANY}", True), ("FAIL 500", False)]
)
async def test_a_first_token_is_measured_and_every_span_ended(
    world: World, http: httpx.AsyncClient, collected: Collected, text: str, *, came: bool
) -> None:
    agent = await world.agent()
    told = await streamed(http, agent.id, text)
    ended = kinds(told)[-4:] if "SAY" in text and "DROP" not in text else kinds(told)[-5:]
    assert ended[-1] == "[DONE]"
    assert ended.index("stop_reason") + 1 == ended.index("usage_statistics")
    assert told.count(b"[DONE]") == 1
    assert ("hist_ttft_ms" in collected.points()) is came
    await world.runner.stop()
    assert ("time_to_first_token" in collected.spans()) is came
    assert {"agent_run", "agent_step"} <= collected.spans().keys()
    assert collected.still_open == 0


@pytest.mark.rule("streaming-2.16", "streaming-8.4", "S26")
@pytest.mark.parametrize(
    ("text", "known"), [("FAIL 500", True), (f"DROP 2\nSAY {MANY}", True), ("FAIL 401", False)]
)
async def test_a_failed_stream_is_reported_and_a_refusal_is_not(
    world: World, http: httpx.AsyncClient, reported: list[BaseException], text: str, *, known: bool
) -> None:
    agent = await world.agent()
    told = await streamed(http, agent.id, text)
    assert kinds(told)[-3:] == ["error", "error_message", "[DONE]"]
    assert frames(told)[-2]["error_type"].startswith("llm_")
    assert bool(reported) is known


@pytest.mark.rule("streaming-2.16", "S21", "S26")
async def test_a_fault_of_ours_is_reported_and_told_without_its_text(
    world: World, http: httpx.AsyncClient, reported: list[BaseException]
) -> None:
    agent = await world.agent()
    nothing: Any = None
    world.tools.calls = nothing
    told = await streamed(http, agent.id, "CALL look {}")
    assert frames(told)[-2]["error_type"] == "internal_error"
    assert b"NoneType" not in told
    assert [type(one) for one in reported] == [AttributeError]


@pytest.mark.rule("streaming-2.16", "S26", "S24")
@pytest.mark.parametrize(("error", "known"), [(DatabaseUnreachable, True), (RunExpired, False)])
async def test_a_reading_that_breaks_is_reported_where_the_server_is_at_fault(
    reported: list[BaseException], error: Any, *, known: bool
) -> None:
    async def broken() -> AsyncGenerator[tuple[int, RunEvent]]:
        async for one in numbered([STARTED]):
            yield one
        raise error

    form = Chunks(run_id=RUN, lens=Lens())
    _, told = await Client(EventStream(broken(), run_id=RUN, form=form)).whole()
    assert kinds(told)[-1] == "[DONE]"
    assert bool(reported) is known


@pytest.mark.rule("S1")
async def test_nothing_is_reported_without_a_destination() -> None:
    assert telemetry.adopt_reports(dsn=None) is False
    assert telemetry.adopt_reports(dsn="") is False


@pytest.mark.rule("streaming-9.2")
async def test_a_request_that_is_cut_off_at_the_end_of_the_process_is_answered() -> None:
    begun, told = asyncio.Event(), list[Message]()

    async def hanging(_scope: Scope, _receive: Receive, _send: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        told.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/v1/agents/", "headers": []}
    request = asyncio.create_task(Observed(hanging)(scope, receive, send))
    await begun.wait()
    request.cancel()
    await request
    assert told[0]["status"] == 503
    assert b"stopping" in told[1]["body"]
