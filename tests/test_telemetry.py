"""Spans, measurements and error reports, collected in memory or by a receiver on loopback."""

import asyncio
import gzip
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NoReturn, cast

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from eunoe import telemetry
from eunoe.telemetry.guarded import Guarded
from eunoe.telemetry.switch import Backend, switch
from tests.collecting import Collected

pytestmark = pytest.mark.anyio


@pytest.fixture
def collected() -> Iterator[Collected]:
    with Collected.here() as collected:
        yield collected


def test_a_span_carries_what_is_bound_and_said(collected: Collected) -> None:
    with telemetry.bind(run_id="run-1", agent_id=None), telemetry.span("agent_step", step_id="s"):
        telemetry.add_event("tool_execution_started")
    span = collected.spans()["agent_step"]
    assert dict(span.attributes or {}) == {"run_id": "run-1", "step_id": "s"}
    assert [event.name for event in span.events] == ["tool_execution_started"]


@pytest.mark.rule("streaming-8.2")
def test_spans_nest_and_end_on_failure(collected: Collected) -> None:
    def fail() -> None:
        with telemetry.span("run"), telemetry.span("agent_step"):
            text = "the user said: my password is hunter2"
            raise ValueError(text)

    with pytest.raises(ValueError, match="hunter2"):
        fail()
    run, step = collected.spans()["run"], collected.spans()["agent_step"]
    assert step.parent is not None
    assert run.context is not None
    assert step.parent.span_id == run.context.span_id
    assert step.status.status_code is StatusCode.ERROR
    assert "hunter2" not in step.to_json()
    assert "ValueError" in step.to_json()


@pytest.mark.rule("streaming-8.2")
def test_work_in_the_background_is_linked_to_what_asked_for_it(collected: Collected) -> None:
    with telemetry.span("POST /v1/agents/{agent_id}/messages", kind="server"):
        ticket, trace = telemetry.traceparent(), telemetry.trace_id()
    assert telemetry.traceparent() is None
    with telemetry.span("run", follows=ticket):
        pass
    run = collected.spans()["run"]
    assert f"{run.links[0].context.trace_id:032x}" == trace
    assert run.parent is None


@pytest.mark.rule("streaming-8.3", "S8", "S10", "S11", "G-23")
def test_a_run_leaves_its_measurements(collected: Collected) -> None:
    with telemetry.bind(organization_id="org-1", run_id="run-1"):
        telemetry.record_run_started("send_message")
        with telemetry.span("agent_step"):
            telemetry.record_ttft_ms(12.5, model="gpt")
            telemetry.record_tool("get", duration_ms=3, success=False, tool_type="mcp", tool_id="t")
            telemetry.record_reply(model="gpt", llm_ms=40.4, output_tokens=7)
            telemetry.record_step(45.0)
        telemetry.record_run_finished(
            status="completed", stop_reason="end_turn", run_type="send_message"
        )
    points = collected.points()
    asked_for = {"organization.id": "org-1"}
    assert points["count_user_message"] == [(asked_for, 1)]
    assert points["hist_ttft_ms"] == [({"model.name": "gpt", **asked_for}, 12.5)]
    assert points["hist_llm_execution_time_ms"] == [({"model.name": "gpt"}, 40.4)]
    assert points["hist_step_execution_time_ms"] == [(asked_for, 45.0)]
    assert points["hist_message_output_tokens"] == [({"model.name": "gpt"}, 7)]
    failed = {"tool.name": "get", "tool.execution_success": False}
    assert points["count_tool_execution"] == [(failed, 1)]
    assert points["run_finished_total"][0][0]["stop_reason"] == "end_turn"
    assert "hist_message_cost_usd" not in points
    spans = collected.spans()
    assert [event.name for event in spans["agent_step"].events] == [
        "tool_execution_completed",
        "llm_request_ms",
        "step_ms",
    ]
    first = spans["time_to_first_token"]
    assert first.start_time is not None
    assert first.end_time is not None
    assert 12_000_000 <= first.end_time - first.start_time < 2_000_000_000
    assert first.events[0].name == "time_to_first_token_ms"


@pytest.mark.rule("streaming-8.3")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (asyncio.CancelledError(), "client_cancel"),
        (ConnectionResetError(), "network_error"),
        (TimeoutError(), "timeout"),
        (ValueError(), "unknown"),
    ],
)
def test_a_reader_is_counted_in_and_out(
    collected: Collected, error: BaseException, reason: str
) -> None:
    def leave() -> None:
        with telemetry.observe_sse("agent_messages"):
            assert collected.points()["sse_active_sessions"][0][1] == 1
            raise error

    with pytest.raises(type(error)):
        leave()
    points = collected.points()
    assert points["sse_active_sessions"][0][1] == 0
    disconnects = [({"route_class": "agent_messages", "reason": reason}, 1)]
    assert points["sse_disconnect_total"] == disconnects
    with telemetry.observe_sse("agent_messages"):
        pass
    assert collected.points()["sse_disconnect_total"] == disconnects


@pytest.mark.rule("streaming-8.3")
def test_readiness_is_one_hot(collected: Collected) -> None:
    telemetry.record_readiness("warming")
    telemetry.record_readiness("ready")
    states = {point["reason"]: value for point, value in collected.points()["readiness_state"]}
    assert {state for state, value in states.items() if value} == {"ready"}
    assert len(states) == 5


async def test_a_blocked_event_loop_shows(collected: Collected) -> None:
    asyncio.get_running_loop().call_later(0.03, sum, range(3_000_000))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(telemetry.watch_event_loop(every_s=0.01), 0.5)
    points = collected.points()
    assert points["event_loop_lag_ms"][0][1] > 5
    assert points["asyncio_task_count"][0][1] >= 1


def test_bindings_end_with_their_block_and_reach_tasks() -> None:
    async def read() -> dict[str, str]:
        return dict(telemetry.bound())

    async def start() -> dict[str, str]:
        with telemetry.bind(run_id="run-1", step_id="step-1"), telemetry.bind(run_id="run-2"):
            task = asyncio.create_task(read())
        assert telemetry.bound() == {}
        return await task

    assert asyncio.run(start()) == {"run_id": "run-2", "step_id": "step-1"}


def test_off_it_costs_nearly_nothing() -> None:
    """Each call is on the path of a message; 5 µs is the bound, on a machine under load too."""

    def bind_and_span() -> None:
        with telemetry.bind(run_id="run-1"), telemetry.span("agent_step", step_id="step-1"):
            pass

    def record() -> None:
        telemetry.record_reply(model="gpt", llm_ms=1.0, output_tokens=3)
        telemetry.record_step(2.0)
        telemetry.record_tool("t", duration_ms=1.0, success=True, tool_type="mcp", tool_id="t")

    for deed in (bind_and_span, record):
        assert min(timeit.repeat(deed, number=1000, repeat=20)) / 1000 < 5e-6


def test_off_nothing_of_opentelemetry_is_imported() -> None:
    probe = (
        "import sys\nfrom eunoe import telemetry\n"
        "telemetry.configure_telemetry(endpoint=None, version='0')\n"
        "with telemetry.span('x'): telemetry.record_ttft_ms(1, model='m')\n"
        "print(*[name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


class Receiver:
    """An HTTP server on loopback that keeps what it is sent, or with a status refuses it."""

    def __init__(self, status: int = 200) -> None:
        received: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                received.append((self.path, body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Say nothing."""

        self.received = received
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.mark.rule("streaming-8.1")
def test_a_collector_is_sent_both(receiver: Receiver) -> None:
    stop = telemetry.configure_telemetry(
        endpoint=f"http://{receiver.address}/", version="1.2.3", environment="staging"
    )
    with telemetry.span("agent_step"):
        telemetry.record_run_started("send_message")
    stop()
    sent = dict(receiver.received)
    assert set(sent) == {"/v1/traces", "/v1/metrics"}
    assert b"agent_step" in sent["/v1/traces"]
    assert b"run_started_total" in sent["/v1/metrics"]
    for text in (b"eunoe-server-staging", b"1.2.3", b"deployment.environment", b"dev"):
        assert text in sent["/v1/traces"]


@pytest.mark.rule("G-23")
@pytest.mark.slow
def test_a_collector_that_is_gone_delays_nobody() -> None:
    receiver = Receiver()
    receiver.close()
    stop = telemetry.configure_telemetry(endpoint=f"http://{receiver.address}", version="0")
    started = time.perf_counter()
    for _ in range(200):
        with telemetry.span("agent_step"):
            telemetry.record_reply(model="gpt", llm_ms=1.0)
    assert (time.perf_counter() - started) / 200 < 0.005
    stop()
    assert time.perf_counter() - started < 20


class Faulty(SpanProcessor):
    """Raises as a span begins, as it ends, or both."""

    def __init__(self, *, start: bool, end: bool) -> None:
        self._start, self._end = start, end

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self._start:
            raise RuntimeError

    def on_end(self, span: ReadableSpan) -> None:
        if self._end:
            raise RuntimeError


@pytest.mark.rule("G-23")
@pytest.mark.parametrize(("start", "end"), [(True, False), (False, True), (True, True)])
def test_a_collector_that_raises_changes_nothing(
    collected: Collected, *, start: bool, end: bool
) -> None:
    def work(*, fail: bool) -> str:
        with telemetry.span("agent_run"), telemetry.span("agent_step") as span:
            span.set_attribute("step_id", "step-1")
            telemetry.add_event("tool_execution_started")
            telemetry.record_ttft_ms(1.0, model="gpt")
            if fail:
                raise KeyError
            return "done"

    collected.tracers.add_span_processor(Faulty(start=start, end=end))
    assert work(fail=False) == "done"
    with pytest.raises(KeyError):
        work(fail=True)
    assert telemetry.trace_id() is None


class _Broken:
    """A backend that cannot do a thing."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


@pytest.mark.rule("G-23")
def test_a_backend_that_cannot_do_a_thing_is_told_of_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure_logging(level="info", format="json")
    switch.backend = Guarded(cast(Backend, _Broken()))
    try:
        with telemetry.span("agent_run", step_id="step-1"):
            telemetry.count("run_recovered_total")
            telemetry.measure("hist_ttft_ms", 1.0)
            telemetry.record_ttft_ms(1.0, model="gpt")
            assert telemetry.trace_id() is None
    finally:
        telemetry.stop_telemetry()
    said = capsys.readouterr()
    assert (said.out + said.err).count("telemetry.failed") == 1


class Stuck(SpanExporter):
    """Takes what it is sent and is not done with it before it is let go."""

    def __init__(self) -> None:
        self.taken, self.free = threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken.set()
        self.free.wait()
        return SpanExportResult.SUCCESS


@pytest.mark.rule("G-23")
def test_a_collector_that_is_stuck_holds_nobody_up(collected: Collected) -> None:
    stuck = Stuck()
    batches = BatchSpanProcessor(
        stuck, schedule_delay_millis=1, max_queue_size=8, max_export_batch_size=8
    )
    collected.tracers.add_span_processor(batches)
    try:
        with telemetry.span("agent_step"):
            pass
        assert stuck.taken.wait(10)
        started = time.perf_counter()
        for _ in range(200):
            with telemetry.span("agent_step"):
                telemetry.record_reply(model="gpt", llm_ms=1.0)
        assert (time.perf_counter() - started) / 200 < 0.005
    finally:
        stuck.free.set()
        batches.shutdown()


@pytest.mark.rule("streaming-8.3")
def test_a_scraper_and_a_collector_are_both_told(receiver: Receiver) -> None:
    stop = telemetry.configure_telemetry(
        endpoint=f"http://{receiver.address}", version="0", prometheus=True
    )
    telemetry.record_run_started("send_message")
    exposed = telemetry.exposed()
    stop()
    assert exposed is not None
    assert b'run_started_total{run_type="send_message"} 1.0' in exposed[0]
    assert b"run_started_total" in dict(receiver.received)["/v1/metrics"]
    assert telemetry.exposed() is None


REPORTING = """
import sys
from eunoe import telemetry
on = telemetry.configure_reports(dsn=sys.argv[1] or None, version="1.2.3", environment="test")
def fail(secret):
    raise ValueError("as designed")
try:
    fail("hunter2")
except ValueError as error:
    telemetry.report(error)
telemetry.flush_reports()
print(on)
"""


def _report_to(dsn: str) -> str:
    return subprocess.check_output([sys.executable, "-c", REPORTING, dsn], text=True).strip()


@pytest.mark.rule("S1", "S26", "streaming-8.4")
def test_errors_are_reported_iff_there_is_somewhere_to_report_them(receiver: Receiver) -> None:
    pytest.importorskip("sentry_sdk")
    assert _report_to("") == "False"
    assert receiver.received == []
    assert _report_to(f"http://key@{receiver.address}/1") == "True"
    (body,) = [body for path, body in receiver.received if path == "/api/1/envelope/"]
    assert b"as designed" in body
    assert b"eunoe@1.2.3" in body
    assert b"hunter2" not in body
