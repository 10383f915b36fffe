"""`GET /metrics`, asked as a scraper asks."""

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from eunoe import telemetry
from eunoe.http.api import Policy, build_api
from eunoe.http.deps import Runtime
from tests.runs.conftest import World

pytestmark = pytest.mark.anyio

PASSWORD = "a password for the test alone"  # noqa: S105 - as it says
MEASURED = (
    "count_endpoint_requests",
    "count_tool_execution",
    "count_user_message",
    "hist_endpoint_e2e_ms",
    "hist_llm_execution_time_ms",
    "hist_message_output_tokens",
    "hist_step_execution_time_ms",
    "hist_tool_execution_time_ms",
    "hist_ttft_ms",
    "in_flight_foreground",
    "run_finished_total",
    "run_started_total",
    "sse_active_sessions",
    "sse_duration_ms",
    "stream_reattach_total",
)


@pytest.fixture
def shown() -> Iterator[None]:
    stop = telemetry.configure_telemetry(endpoint=None, version="0", prometheus=True)
    yield
    stop()


@pytest.mark.rule("streaming-8.3")
@pytest.mark.usefixtures("shown")
async def test_a_scraper_sees_what_was_measured_and_no_id(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    said = await http.post(f"/v1/agents/{agent.id}/messages", json={"input": "CALL look {}"})
    run_id = said.headers["x-letta-run-id"]
    await http.post(f"/v1/runs/{run_id}/stream")
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in MEASURED:
        assert re.search(rf"^# TYPE {name}", answer.text, re.MULTILINE), name
    assert 'in_flight_foreground{route_class="runs"} 0.0' in answer.text
    assert not re.search(r"\b(agent|run|step|tool|message)-[0-9a-f-]{36}", answer.text)


@pytest.mark.rule("streaming-8.3")
async def test_while_it_is_off_there_is_no_such_page(http: httpx.AsyncClient) -> None:
    answer = await http.get("/metrics")
    assert answer.status_code == 404
    assert "EUNOE_METRICS" in answer.text


@pytest.mark.rule("streaming-8.3")
@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize(("given", "status"), [({}, 401), ({"user_id": "x"}, 401), (None, 200)])
async def test_with_a_password_a_scraper_brings_it(
    given: dict[str, str] | None, status: int
) -> None:
    @asynccontextmanager
    async def unopened() -> AsyncGenerator[Runtime]:
        raise AssertionError("the page needs no running server")
        yield  # pyright: ignore[reportUnreachable] -- makes this a generator

    app = build_api(unopened, version="0", policy=Policy(password=PASSWORD))
    headers = {"authorization": f"Bearer {PASSWORD}"} if given is None else given
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://eunoe") as client:
        answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == status
