"""Measurements (streaming 8.3): every instrument, and the deeds that are recorded in one call.

Durations are in milliseconds under every name. Attributes are of bounded variety: an
id is never one, save what the caller of the API asked to be counted by.
"""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Literal, Self, TypeAlias, get_args

from eunoe.telemetry.context import bound
from eunoe.telemetry.switch import Attribute, Attributes, switch
from eunoe.telemetry.traces import add_event

Counter: TypeAlias = Literal[
    "callback_attempt_total",
    "count_endpoint_requests",
    "count_tool_execution",
    "count_user_message",
    "db_pool_checkout_timeout_total",
    "lock_conflict_total",
    "provider_timeout_total",
    "request_timeout_total",
    "run_finished_total",
    "run_recovered_total",
    "run_started_total",
    "sse_disconnect_total",
    "stream_reattach_total",
]
Level: TypeAlias = Literal[
    "db_pool_in_use",
    "db_pool_waiters",
    "in_flight_background",
    "in_flight_foreground",
    "sse_active_sessions",
]
Histogram: TypeAlias = Literal[
    "db_checkout_latency_ms",
    "event_loop_lag_ms",
    "hist_endpoint_e2e_ms",
    "hist_file_process_bytes",
    "hist_llm_execution_time_ms",
    "hist_message_cost_usd",
    "hist_message_output_tokens",
    "hist_step_execution_time_ms",
    "hist_tool_execution_time_ms",
    "hist_ttft_ms",
    "request_admission_wait_ms",
    "sse_duration_ms",
]
Gauge: TypeAlias = Literal["asyncio_task_count", "readiness_state"]
Readiness: TypeAlias = Literal["ready", "warming", "draining", "degraded", "manual_disable"]
Departure: TypeAlias = Literal[
    "client_cancel", "network_error", "timeout", "upstream_error", "unknown"
]

READINESS: Final[tuple[Readiness, ...]] = get_args(Readiness)
_WAIT_SPAN: Final = "time_to_first_token"
_CONTEXT: Final = {
    "organization_id": "organization.id",
    "project_id": "project.id",
    "base_template_id": "base_template.id",
    "template_id": "template.id",
    "counted_agent_id": "agent.id",
}
"""Bound names that are attributes too: those the caller names in a header (streaming 8.3)."""


def count(name: Counter, /, **attributes: Attribute) -> None:
    """Count something that happened."""
    if switch.backend is not None:
        switch.backend.add(name, 1, attributes)


def shift(name: Level, amount: int, /, **attributes: Attribute) -> None:
    """Raise or lower the number of things that are going on."""
    if switch.backend is not None:
        switch.backend.add(name, amount, attributes)


def measure(name: Histogram, value: float, /, **attributes: Attribute) -> None:
    """Record one measured value."""
    if switch.backend is not None:
        switch.backend.record(name, value, attributes)


def record_readiness(state: Readiness) -> None:
    """Say which state the server is in: its gauge is 1, every other 0."""
    if switch.backend is not None:
        for other in READINESS:
            switch.backend.record("readiness_state", int(other == state), {"reason": other})


def record_run_started(run_type: str, *, asked: bool = True) -> None:
    """Count a run that began; `run_type` as in its metadata; `asked` for by a message."""
    count("run_started_total", run_type=run_type)
    if asked:
        count("count_user_message", **_asked_for())


def record_request(*, path: str, method: str, status: int, took_ms: float) -> None:
    """Count a request to speak to an agent, `path` being that of its route."""
    where: dict[str, Attribute] = {
        "endpoint_path": path,
        "method": method,
        "status_code": status,
        **_asked_for(),
    }
    count("count_endpoint_requests", **where)
    measure("hist_endpoint_e2e_ms", took_ms, **where)


def record_run_finished(*, status: str, stop_reason: str, run_type: str) -> None:
    """Count a run that reached its one terminal status."""
    count("run_finished_total", status=status, stop_reason=stop_reason, run_type=run_type)


@contextmanager
def in_flight(*, background: bool, route_class: str) -> Generator[None]:
    """Count a run as going on, for as long as the block lasts."""
    level: Level = "in_flight_background" if background else "in_flight_foreground"
    shift(level, 1, route_class=route_class)
    try:
        yield
    finally:
        shift(level, -1, route_class=route_class)


def record_reply(
    *, model: str, llm_ms: float, output_tokens: int | None = None, cost_usd: float | None = None
) -> None:
    """Record a model's reply, on the metrics and on the open span."""
    if switch.backend is None:
        return
    by_model: dict[str, Attribute] = {"model.name": model}
    measure("hist_llm_execution_time_ms", llm_ms, **by_model)
    if output_tokens is not None:
        measure("hist_message_output_tokens", output_tokens, **by_model)
    if cost_usd is not None:
        measure("hist_message_cost_usd", cost_usd, **by_model)
    add_event("llm_request_ms", duration_ms=round(llm_ms))


def record_step(step_ms: float) -> None:
    """Record a step that ended, its tools included, for better or worse."""
    if switch.backend is not None:
        measure("hist_step_execution_time_ms", step_ms, **_asked_for())
        add_event("step_ms", duration_ms=round(step_ms))


def record_tool(
    name: str, *, duration_ms: float, success: bool, tool_type: str, tool_id: str
) -> None:
    """Record a tool call that ended, for better or worse."""
    if switch.backend is None:
        return
    attributes: dict[str, Attribute] = {"tool.name": name, "tool.execution_success": success}
    count("count_tool_execution", **attributes)
    measure("hist_tool_execution_time_ms", duration_ms, **attributes)
    add_event(
        "tool_execution_completed",
        tool_name=name,
        duration_ms=round(duration_ms),
        success=success,
        tool_type=tool_type,
        tool_id=tool_id,
    )


def record_ttft_ms(
    ttft_ms: float,
    *,
    model: str | None,
    config: Attributes | None = None,
    started_ns: int | None = None,
) -> None:
    """Record that the first token came `ttft_ms` after the request: a metric, and a span (S8-S11).

    The span is made now and dated back, so that a stream with no token leaves none open:
    to `started_ns` of Unix time where that is known. `config` is what is said of the model
    on it; by default its name.
    """
    if switch.backend is None:
        return
    by_model: dict[str, Attribute] = {} if model is None else {"model.name": model}
    measure("hist_ttft_ms", ttft_ms, **by_model, **_asked_for())
    if config is None:
        config = {} if model is None else {"model": model}
    attributes = _of_config(config) | {"time_to_first_token_ms": int(ttft_ms)}
    began_ns = time.time_ns() - int(ttft_ms * 1_000_000) if started_ns is None else started_ns
    switch.backend.past_span(_WAIT_SPAN, attributes, started_ns=began_ns, reached=True)


def record_no_token(*, started_ns: int, config: Attributes) -> None:
    """Record that a request of `started_ns`, Unix time, came to no token: a span alone (S12)."""
    if switch.backend is not None:
        switch.backend.past_span(
            _WAIT_SPAN, _of_config(config), started_ns=started_ns, reached=False
        )


def _of_config(config: Attributes) -> dict[str, Attribute]:
    return {f"llm_config.{name}": config[name] for name in config}


class Session:
    """One reader of a stream; say why it went if it did not stay to the end."""

    __slots__ = ("departure",)

    def __init__(self) -> None:
        self.departure: Departure | None = None


@contextmanager
def observe_sse(route_class: str) -> Generator[Session]:
    """Measure a reader's stay. An exception that leaves the block counts as a disconnect."""
    session, started = Session(), time.perf_counter()
    shift("sse_active_sessions", 1, route_class=route_class)
    try:
        yield session
    except BaseException as error:
        session.departure = session.departure or departure_of(error)
        raise
    finally:
        shift("sse_active_sessions", -1, route_class=route_class)
        duration_ms = (time.perf_counter() - started) * 1000
        measure("sse_duration_ms", duration_ms, route_class=route_class)
        if session.departure is not None:
            count("sse_disconnect_total", route_class=route_class, reason=session.departure)


class Checkout:
    """The wait for a connection of a pool, until it is `got`, and its use after that."""

    __slots__ = ("_began", "_engine", "_level")

    def __init__(self, engine: str) -> None:
        self._engine = {"engine_name": engine}
        self._began = 0.0
        self._level: Level = "db_pool_waiters"

    def __enter__(self) -> Self:
        if switch.backend is not None:
            self._began = time.perf_counter()
            shift(self._level, 1, **self._engine)
        return self

    def got(self) -> None:
        if self._began:
            waited_ms = (time.perf_counter() - self._began) * 1000
            measure("db_checkout_latency_ms", waited_ms, **self._engine)
            shift(self._level, -1, **self._engine)
            self._level = "db_pool_in_use"
            shift(self._level, 1, **self._engine)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not self._began:
            return
        shift(self._level, -1, **self._engine)
        if self._level == "db_pool_waiters" and isinstance(error, TimeoutError):
            count("db_pool_checkout_timeout_total", **self._engine)


def departure_of(error: BaseException) -> Departure:
    """Return why a reader is gone, from what its stream ended with."""
    match error:
        case asyncio.CancelledError() | GeneratorExit():
            return "client_cancel"
        case TimeoutError():
            return "timeout"
        case OSError():
            return "network_error"
        case _:
            return "unknown"


async def watch_event_loop(*, every_s: float = 1.0) -> None:
    """Measure, for ever, how late the event loop wakes up and how many tasks it has."""
    while True:
        due = time.perf_counter() + every_s
        await asyncio.sleep(every_s)
        measure("event_loop_lag_ms", max(0.0, time.perf_counter() - due) * 1000)
        if switch.backend is not None:
            switch.backend.record("asyncio_task_count", len(asyncio.all_tasks()), {})


def _asked_for() -> dict[str, Attribute]:
    here = bound()
    return {attribute: here[name] for name, attribute in _CONTEXT.items() if name in here}
