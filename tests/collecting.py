"""Spans and measurements, collected in memory by a test's own providers."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Self

from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from eunoe import telemetry


class _Open(SpanProcessor):
    spans = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.spans += 1

    def on_end(self, span: ReadableSpan) -> None:
        self.spans -= 1


class Collected:
    """What a test's own providers hold."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._open = _Open()
        self.tracers.add_span_processor(self._open)
        self.meters = MeterProvider([self._metrics])

    @classmethod
    @contextmanager
    def here(cls) -> Generator[Self]:
        """Collect what happens inside the block."""
        collected = cls()
        telemetry.use_providers(tracers=collected.tracers, meters=collected.meters, version="0")
        try:
            yield collected
        finally:
            telemetry.stop_telemetry()

    @property
    def still_open(self) -> int:
        """How many spans have begun and not ended."""
        return self._open.spans

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._spans.get_finished_spans()}

    def events(self) -> dict[str, dict[str, Any]]:
        """Return what was noted on any span, by name; the last of each."""
        return {
            event.name: dict(event.attributes or {})
            for span in self._spans.get_finished_spans()
            for event in span.events
        }

    def points(self) -> dict[str, list[tuple[dict[str, Any], float]]]:
        """Return each instrument's points: their attributes, and their value or sum."""
        data = self._metrics.get_metrics_data()
        found: dict[str, list[tuple[dict[str, Any], float]]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        value = getattr(point, "value", None)
                        if value is None:
                            value = getattr(point, "sum")  # noqa: B009 - histograms alone have it
                        attributes = dict(point.attributes or {})
                        found.setdefault(metric.name, []).append((attributes, value))
        return found
