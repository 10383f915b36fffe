"""What telemetry sees of requests, through real providers that keep it in memory."""

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from eunoe import telemetry
from eunoe.http.observed import Observed
from eunoe.ids import new

pytestmark = pytest.mark.anyio


@pytest.mark.rule("streaming-8.2")
async def test_a_request_is_a_span_that_says_its_route_and_status_and_no_content() -> None:
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    served = FastAPI()
    served.add_api_route("/v1/agents/{agent_id}", answer)
    served.add_api_route("/v1/health/", answer)
    app = Observed(served)
    kept = InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(kept))
    telemetry.use_providers(tracers=tracers, meters=MeterProvider(), version="0", content=False)
    try:
        async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
            await client.get(f"/v1/agents/{new('agent')}?secret=word")
            await client.get("/v1/health/")
    finally:
        telemetry.stop_telemetry()

    (span,) = kept.get_finished_spans()
    assert span.name == "GET /v1/agents/{agent_id}"
    assert dict(span.attributes or {})["http.status_code"] == 200
    assert "word" not in str(span.to_json())
