"""The backend that speaks to OpenTelemetry's API. Imported only when something collects."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final, get_args

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, MeterProvider, UpDownCounter
from opentelemetry.metrics import _Gauge as Gauge
from opentelemetry.trace import (
    Link,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    format_span_id,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from eunoe.telemetry import metrics
from eunoe.telemetry.context import bound
from eunoe.telemetry.switch import Attributes, Kind, Span

_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}
_UNITS: Final = {"_ms": "ms", "_bytes": "By", "_tokens": "{token}", "_usd": "{USD}"}


class OpenTelemetry:
    """Sends spans and measurements to the two providers. `content` lets exception texts through."""

    def __init__(
        self, *, tracers: TracerProvider, meters: MeterProvider, version: str, content: bool
    ) -> None:
        self._tracer = tracers.get_tracer("eunoe", version)
        self._content = content
        meter = meters.get_meter("eunoe", version)
        self._counters: dict[str, Counter | UpDownCounter] = {
            **{name: meter.create_counter(name) for name in get_args(metrics.Counter)},
            **{name: meter.create_up_down_counter(name) for name in get_args(metrics.Level)},
        }
        self._histograms: dict[str, Histogram] = {
            name: meter.create_histogram(name, unit=_unit(name))
            for name in get_args(metrics.Histogram)
        }
        self._gauges: dict[str, Gauge] = {
            name: meter.create_gauge(name) for name in get_args(metrics.Gauge)
        }

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Attributes,
        *,
        kind: Kind,
        follows: str | None,
        within: str | None,
    ) -> Generator[Span]:
        with self._tracer.start_as_current_span(
            name,
            context=None if within is None else _context(within),
            kind=_KINDS[kind],
            attributes={**bound(), **attributes},
            links=_links(follows),
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            try:
                yield opened
            except Exception as error:
                _fail(opened, type(error).__qualname__, error if self._content else None)
                raise

    def describe(self, name: str | None, attributes: Attributes, failure: str | None) -> None:
        here = get_current_span()
        if name is not None:
            here.update_name(name)
        here.set_attributes(attributes)
        if failure is not None:
            _fail(here, failure)

    def past_span(
        self, name: str, attributes: Attributes, *, started_ns: int, reached: bool
    ) -> None:
        opened = self._tracer.start_span(
            name, attributes={**bound(), **attributes}, start_time=started_ns
        )
        if reached:
            elapsed_ms = (time.time_ns() - started_ns) // 1_000_000
            opened.add_event(f"{name}_ms", {"ttft_ms": elapsed_ms})
        opened.end()

    def add_event(self, name: str, attributes: Attributes) -> None:
        get_current_span().add_event(name, attributes)

    def ids(self) -> tuple[str, str] | None:
        here = get_current_span().get_span_context()
        if not here.is_valid:
            return None
        return format_trace_id(here.trace_id), format_span_id(here.span_id)

    def add(self, instrument: str, amount: float, attributes: Attributes) -> None:
        self._counters[instrument].add(amount, attributes)

    def record(self, instrument: str, value: float, attributes: Attributes) -> None:
        if instrument in self._histograms:
            self._histograms[instrument].record(value, attributes)
        else:
            self._gauges[instrument].set(value, attributes)


def _fail(span: otel.Span, kind: str, error: Exception | None = None) -> None:
    span.set_status(Status(StatusCode.ERROR, kind))
    if error is not None:
        span.record_exception(error)
    else:
        span.add_event("exception", {"exception.type": kind})


def _context(traceparent: str) -> Context:
    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


def _links(traceparent: str | None) -> list[Link]:
    if traceparent is None:
        return []
    return [Link(get_current_span(_context(traceparent)).get_span_context())]


def _unit(name: str) -> str:
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "1")
