"""Every instrument that is declared is recorded, by real runs, and a scraper is shown it too."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any, Final, NoReturn, TypeAlias, get_args

import httpx
import pytest
from opentelemetry.trace import StatusCode
from starlette.exceptions import HTTPException

from eunoe import telemetry
from eunoe.domain.costs import Rates
from eunoe.domain.messages import Json
from eunoe.errors import DatabaseUnreachable
from eunoe.http.intake import Intake
from eunoe.http.sse import Chunks, EventStream
from eunoe.ids import new
from eunoe.llm.prices import Prices
from eunoe.runs.runner import Runner
from eunoe.service.ingest import Ingest
from eunoe.store import runs
from eunoe.store.postgresql import PostgresqlDatabase
from eunoe.telemetry import metrics
from eunoe.telemetry.guarded import Guarded
from eunoe.telemetry.switch import switch
from eunoe.wire.messages import Lens
from tests.collecting import Collected
from tests.http.calling import Clock, calling, carry_out, receiving
from tests.http.library import EMBEDDING
from tests.http.reading import STARTED, Client, numbered
from tests.runs.conftest import ACTOR, World, running, toolboxes
from tests.runs.faulty import waiting, worker
from tests.wire.said import RUN

pytestmark = [pytest.mark.anyio, pytest.mark.rule("streaming-8.3", "G-23")]

PRICE = (Rates(input=1_000_000, cached_input=0, cache_write=0, output=2_000_000),)
CONTEXT = {
    "x-organization-id": "org-1",
    "x-project-id": "project-1",
    "x-template-id": "template-1",
    "x-base-template-id": "base-1",
    "x-agent-id": "agent-1",
}
ASKED_FOR = {
    "organization.id": "org-1",
    "project.id": "project-1",
    "template.id": "template-1",
    "base_template.id": "base-1",
    "agent.id": "agent-1",
}
MODEL = {"model.name": "scripted-1"}
RUNS = {"route_class": "runs"}
TOOL = {"tool.name": "look", "tool.execution_success": True}
ROUTE = {
    "endpoint_path": "/v1/agents/{agent_id}/messages",
    "method": "POST",
    "status_code": 200,
    **ASKED_FOR,
}
ENDED = {"status": "completed", "stop_reason": "end_turn", "run_type": "send_message"}
POOL = {"engine_name": "postgresql"}
Deed: TypeAlias = Callable[[World, httpx.AsyncClient], Awaitable[object]]


@pytest.fixture
async def world(world: World) -> AsyncGenerator[World]:
    """A world in which the model has a price."""
    await world.runner.stop()
    prices = Prices([("openai/*", PRICE)])
    world.runner = Runner(
        world.db, models=world.brought, toolboxes=toolboxes(world.tools), prices=prices, grace_s=0.2
    )
    async with running(world.runner):
        yield world


@pytest.fixture
def collected() -> Iterator[Collected]:
    with Collected.here() as collected:
        yield collected


async def talk(
    world: World, http: httpx.AsyncClient, text: str = "CALL look {}", **more: Any
) -> httpx.Response:
    agent = await world.agent()
    path = f"/v1/agents/{agent.id}/messages"
    return await http.post(path, json={"input": text, **more}, headers=CONTEXT)


async def follow(world: World, http: httpx.AsyncClient) -> None:
    said = await talk(world, http)
    await http.post(f"/v1/runs/{said.headers['x-letta-run-id']}/stream")


async def in_background(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    path = f"/v1/agents/{agent.id}/messages/async"
    run = (await http.post(path, json={"input": "Hello"})).json()
    await world.runner.fold(ACTOR, run["id"])
    await world.runner.stop()


async def at_once(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "CALL wait {}")
    path = f"/v1/agents/{agent.id}/messages"
    assert (await http.post(path, json={"input": "Hello"})).status_code == 409
    world.tools.gate.set()
    await world.runner.fold(ACTOR, submitted.run.id)


async def too_slow(_world: World, _http: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async def echo(_scope: Any, receive: Any, _send: Any) -> None:
        while True:
            await receive()

    transport = httpx.ASGITransport(Intake(echo, timeout_s=0.01))
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as http:
        with pytest.raises(HTTPException):
            await http.post("/v1/x", content=pieces(), headers={"content-type": "text/plain"})


async def broken_off(_world: World, _http: httpx.AsyncClient) -> None:
    async def broken() -> AsyncGenerator[Any]:
        async for one in numbered([STARTED]):
            yield one
        raise DatabaseUnreachable

    await Client(EventStream(broken(), run_id=RUN, form=Chunks(run_id=RUN, lens=Lens()))).whole()


async def called_back(world: World, http: httpx.AsyncClient) -> None:
    async with receiving() as receiver, calling(world, Clock()) as callbacks:
        agent = await world.agent()
        body = {"messages": [{"role": "user", "content": "Hi"}], "callback_url": receiver.url}
        run = (await http.post(f"/v1/agents/{agent.id}/messages/async", json=body)).json()
        await world.runner.fold(ACTOR, run["id"])
        assert await carry_out(callbacks) == 1


async def read_a_file(world: World, http: httpx.AsyncClient) -> None:
    made = await http.post("/v1/folders/", json={"name": "Notes", "embedding": EMBEDDING})
    path = f"/v1/folders/{made.json()['id']}/upload"
    sent = await http.post(path, files={"file": ("a.txt", b"Figs are ripe.", "text/plain")})
    assert sent.status_code == 200, sent.text
    await Ingest(db=world.db, models=world.brought).carry_out(sent.json()["id"])


async def timed_out(world: World, http: httpx.AsyncClient) -> None:
    assert (await talk(world, http, "FAIL 408")).status_code == 504


async def watched(_world: World, _http: httpx.AsyncClient) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(telemetry.watch_event_loop(every_s=0.01), 0.1)


async def readied(_world: World, _http: httpx.AsyncClient) -> None:
    telemetry.record_readiness("ready")


async def waited_in_vain(_world: World, _http: httpx.AsyncClient) -> None:
    with pytest.raises(TimeoutError), telemetry.Checkout("postgresql"):
        raise TimeoutError


async def taken_over(world: World, _http: httpx.AsyncClient) -> None:
    run = await waiting(world, await world.agent(), "Hello")
    async with world.db.write(ACTOR) as tx:
        assert await runs.claim(tx, run.id) is not None
    await worker(world).carry_out(run.id)


ROWS: Final[dict[str, tuple[Deed, Json]]] = {
    "asyncio_task_count": (watched, {}),
    "callback_attempt_total": (called_back, {"outcome": "ok"}),
    "count_endpoint_requests": (talk, ROUTE),
    "count_tool_execution": (talk, TOOL),
    "count_user_message": (talk, ASKED_FOR),
    "db_checkout_latency_ms": (talk, POOL),
    "db_pool_checkout_timeout_total": (waited_in_vain, POOL),
    "db_pool_in_use": (talk, POOL),
    "db_pool_waiters": (talk, POOL),
    "event_loop_lag_ms": (watched, {}),
    "hist_endpoint_e2e_ms": (talk, ROUTE),
    "hist_file_process_bytes": (read_a_file, {}),
    "hist_llm_execution_time_ms": (talk, MODEL),
    "hist_message_cost_usd": (talk, MODEL),
    "hist_message_output_tokens": (talk, MODEL),
    "hist_step_execution_time_ms": (talk, {}),
    "hist_tool_execution_time_ms": (talk, TOOL),
    "hist_ttft_ms": (talk, MODEL),
    "in_flight_background": (in_background, RUNS),
    "in_flight_foreground": (talk, RUNS),
    "lock_conflict_total": (at_once, {}),
    "provider_timeout_total": (timed_out, {"provider": "openai"}),
    "readiness_state": (readied, {"reason": "ready"}),
    "request_admission_wait_ms": (talk, RUNS),
    "request_timeout_total": (too_slow, {}),
    "run_finished_total": (talk, ENDED),
    "run_recovered_total": (taken_over, {}),
    "run_started_total": (talk, {"run_type": "send_message"}),
    "sse_active_sessions": (follow, RUNS),
    "sse_disconnect_total": (broken_off, {**RUNS, "reason": "upstream_error"}),
    "sse_duration_ms": (follow, RUNS),
    "stream_reattach_total": (follow, {}),
}
DEEDS: Final[dict[Deed, list[str]]] = {
    deed: [name for name, (done, _) in ROWS.items() if done is deed] for deed, _ in ROWS.values()
}


def total(found: dict[str, list[tuple[dict[str, Any], float]]], name: str) -> float:
    return sum(value for _, value in found[name])


def test_every_instrument_is_looked_at() -> None:
    declared = [
        name
        for kind in (metrics.Counter, metrics.Level, metrics.Histogram, metrics.Gauge)
        for name in get_args(kind)
    ]
    assert sorted(declared) == sorted(ROWS)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
async def test_it_is_measured_with_its_attributes(
    world: World, http: httpx.AsyncClient, collected: Collected, deed: Deed
) -> None:
    await deed(world, http)
    found, shown = collected.points(), DEEDS[deed]
    if deed is talk and not isinstance(world.db, PostgresqlDatabase):  # SQLite has no pool.
        shown = [name for name in shown if ROWS[name][1] is not POOL]
    for name in shown:
        assert ROWS[name][1] in [attributes for attributes, _ in found[name]], name
    if "hist_file_process_bytes" in shown:
        assert total(found, "hist_file_process_bytes") == len(b"Figs are ripe.")
    if "hist_message_cost_usd" in shown:
        assert 0 < total(found, "hist_message_cost_usd") < 0.01
    await world.runner.stop()
    left = collected.points()
    for name in {*shown} & {*get_args(metrics.Level)}:
        assert {value for _, value in left[name]} == {0}, name


@pytest.fixture
def scraped() -> Iterator[None]:
    stop = telemetry.configure_telemetry(endpoint=None, version="0", prometheus=True)
    yield
    stop()


@pytest.mark.usefixtures("scraped")
async def test_a_scraper_is_shown_what_runs_leave(world: World, http: httpx.AsyncClient) -> None:
    await follow(world, http)
    await in_background(world, http)
    page = (await http.get("/metrics")).text
    left = [name for name, (deed, _) in ROWS.items() if deed in {talk, follow, in_background}]
    for name in left:
        if not name.startswith("db_") or isinstance(world.db, PostgresqlDatabase):
            assert re.search(rf"^# TYPE {name}", page, re.MULTILINE), name
    assert not re.search(r"\b(agent|run|step|tool|message)-[0-9a-f-]{36}", page)


# Spans (streaming 8.2)


@pytest.mark.rule("streaming-8.2")
async def test_a_foreground_run_is_part_of_its_request(
    world: World, http: httpx.AsyncClient, collected: Collected
) -> None:
    agent = await world.agent()
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {
        "traceparent": f"00-{trace}-b7ad6b7169203331-01",
        "x-stainless-package-version": "1.12.1",
        "x-stainless-lang": "python",
        "authorization": "Bearer hunter2",
    }
    path = f"/v1/agents/{agent.id}/messages"
    said = await http.post(f"{path}?word=hunter2", json={"input": "CALL look {}"}, headers=headers)
    await world.runner.stop()
    spans = collected.spans()
    request = spans["POST /v1/agents/{agent_id}/messages"]
    shown = dict(request.attributes or {})
    assert (
        shown.items()
        >= {
            "http.method": "POST",
            "http.route": "/v1/agents/{agent_id}/messages",
            "http.url": path,
            "http.status_code": 200,
            "http.agent_id": agent.id,
            "sdk.version": "1.12.1",
            "sdk.language": "python",
        }.items()
    )
    run, step = spans["agent_run"], spans["agent_step"]
    assert run.parent is not None
    assert request.context is not None
    assert run.parent.span_id == request.context.span_id
    assert step.parent is not None
    assert run.context is not None
    assert step.parent.span_id == run.context.span_id
    listed = (await http.get(f"/v1/runs/{said.headers['x-letta-run-id']}/steps")).json()
    assert {one["trace_id"] for one in listed} == {trace}
    told = "".join(span.to_json() for span in spans.values())
    assert "hunter2" not in told
    assert "CALL" not in told
    events = collected.events()
    assert events.keys() >= {
        "request_start_to_provider_request_start_ns",
        "llm_request_ms",
        "time_to_first_token_ms",
        "tool_execution_started",
        "tool_execution_completed",
        "step_ms",
    }
    assert events["tool_execution_completed"]["tool_id"] == "tool-look"


@pytest.mark.rule("streaming-8.2")
async def test_a_background_run_is_linked_to_its_request(
    world: World, http: httpx.AsyncClient, collected: Collected
) -> None:
    await in_background(world, http)
    spans = collected.spans()
    request, run = spans["POST /v1/agents/{agent_id}/messages/async"], spans["agent_run"]
    assert run.parent is None
    assert request.context is not None
    assert [link.context.trace_id for link in run.links] == [request.context.trace_id]


@pytest.mark.rule("streaming-8.2")
async def test_a_step_that_fails_is_ended_as_failed(
    world: World, http: httpx.AsyncClient, collected: Collected
) -> None:
    await talk(world, http, "FAIL 401")
    await world.runner.stop()
    step = collected.spans()["agent_step"]
    assert step.status.status_code is StatusCode.ERROR
    assert step.status.description == "ModelKeyRefused"
    assert collected.still_open == 0
    assert collected.points()["hist_step_execution_time_ms"]


async def test_what_no_route_serves_makes_no_name_of_its_own(
    http: httpx.AsyncClient, collected: Collected
) -> None:
    await http.get(f"/v1/nothing/{new('agent')}")
    assert "GET unknown" in collected.spans()


class _Broken:
    """A backend that cannot do a thing."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


async def test_telemetry_that_raises_changes_no_answer(
    world: World, http: httpx.AsyncClient
) -> None:
    """Whole, streamed, in the background, failed: with every call into the backend raising."""
    plain = await talk(world, http)
    failed = await talk(world, http, "FAIL 401")
    broken: Any = _Broken()
    switch.backend = Guarded(broken)
    try:
        said = await talk(world, http)
        refused = await talk(world, http, "FAIL 401")
        streamed = await talk(world, http, streaming=True)
        await in_background(world, http)
    finally:
        telemetry.stop_telemetry()
    assert said.status_code == plain.status_code == 200
    assert refused.status_code == failed.status_code
    kinds = [[one["message_type"] for one in reply.json()["messages"]] for reply in (said, plain)]
    assert kinds[0] == kinds[1]
    assert said.json()["usage"] == plain.json()["usage"]
    assert streamed.content.endswith(b"data: [DONE]\n\n")
