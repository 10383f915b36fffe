"""The way to a collector: OTLP over HTTP, batched on threads of its own (G-23).

Needs the extra `otel`; only `setup` imports this, and only when an endpoint is set.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracerProvider
from opentelemetry.trace import TracerProvider as Tracers

_EXPORT_S: Final = 5.0
_CLOSE_MS: Final = 5_000
_SHORT_NAMES: Final = {"development": "dev", "staging": "dev"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The two providers of a process, until it ends."""

    tracers: Tracers
    meters: MeterProvider

    def close(self) -> None:
        """Send what is waiting, within seconds even when nobody answers."""
        if isinstance(self.tracers, TracerProvider):
            self.tracers.shutdown()
        self.meters.shutdown(timeout_millis=_CLOSE_MS)


def open_pipeline(
    *,
    endpoint: str | None,
    version: str,
    environment: str | None,
    readers: Sequence[MetricReader] = (),
) -> Pipeline:
    """Return providers that send to `endpoint`, a base URL; headers as OTEL_EXPORTER_OTLP_HEADERS.

    `readers` take the measurements too; without an endpoint they alone do, and there are no spans.
    The resource says which service this is (streaming 8.1).
    """
    name = f"eunoe-server-{environment}" if environment else "eunoe-server"
    described = {
        "service.name": name,
        "service.version": version,
        "host.name": socket.gethostname(),
    }
    if environment:
        described["deployment.environment"] = _SHORT_NAMES.get(environment, environment)
    resource = Resource.create(described)
    if endpoint is None:
        meters = MeterProvider(readers, resource=resource)
        return Pipeline(tracers=NoOpTracerProvider(), meters=meters)
    base = endpoint.rstrip("/")
    sending = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=f"{base}/v1/metrics", timeout=_EXPORT_S)
    )
    meters = MeterProvider([sending, *readers], resource=resource)
    tracers = TracerProvider(resource=resource)
    spans = OTLPSpanExporter(endpoint=f"{base}/v1/traces", timeout=_EXPORT_S)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    return Pipeline(tracers=tracers, meters=meters)
