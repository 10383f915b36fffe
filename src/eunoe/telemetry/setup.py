"""Turning collection on, once, where the process starts."""

import importlib.util
import os
import sys
from collections.abc import Callable
from shlex import quote
from typing import TYPE_CHECKING

from eunoe import errors
from eunoe.telemetry.guarded import Guarded
from eunoe.telemetry.switch import switch

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.trace import TracerProvider


def configure_telemetry(
    *,
    endpoint: str | None,
    version: str,
    environment: str | None = None,
    content: bool = False,
    prometheus: bool = False,
) -> Callable[[], None]:
    """Send spans and metrics to the OTLP endpoint, if there is one; return what ends that.

    With `prometheus` the metrics are kept for `exposed`, whether they are sent or not.
    A process started under OpenTelemetry's own launcher keeps the providers it was given.
    Raises `errors.SettingInvalid` when either is wanted and the SDK is not installed.
    """
    if endpoint is None and not prometheus:
        if "OTEL_PYTHON_TRACER_PROVIDER" in os.environ:
            _use_providers_of_launcher(version=version, content=content)
        return stop_telemetry
    _demand("EUNOE_OTLP_ENDPOINT", "opentelemetry.exporter.otlp.proto.http")
    readers: list[MetricReader] = []
    if prometheus:
        _demand("EUNOE_METRICS", "opentelemetry.exporter.prometheus")
        from eunoe.telemetry.prometheus import Exposition  # noqa: PLC0415 - as below

        switch.exposition = exposition = Exposition()
        readers.append(exposition.reader)
    from eunoe.telemetry import otlp  # noqa: PLC0415 - the SDK is an extra, and slow to import

    pipeline = otlp.open_pipeline(
        endpoint=endpoint, version=version, environment=environment, readers=readers
    )
    use_providers(
        tracers=pipeline.tracers, meters=pipeline.meters, version=version, content=content
    )

    def stop() -> None:
        stop_telemetry()
        pipeline.close()

    return stop


def use_providers(
    *, tracers: "TracerProvider", meters: "MeterProvider", version: str, content: bool = False
) -> None:
    """Collect with these providers from now on, e.g. with in-memory ones in a test."""
    from eunoe.telemetry.otel import OpenTelemetry  # noqa: PLC0415 - off, it is never needed

    switch.backend = Guarded(
        OpenTelemetry(tracers=tracers, meters=meters, version=version, content=content)
    )


def exposed() -> tuple[bytes, str] | None:
    """Return the measurements in Prometheus' form, and its media type; null while that is off."""
    return None if switch.exposition is None else switch.exposition()


def stop_telemetry() -> None:
    """Collect nothing from now on."""
    switch.backend = switch.exposition = None


def _demand(setting: str, module: str) -> None:
    if importlib.util.find_spec(module) is None:
        needed = f"{quote(sys.executable)} -m pip install 'eunoe[otel]'"
        raise errors.SettingInvalid(f"{setting} is set; install what it needs: {needed}")


def _use_providers_of_launcher(*, version: str, content: bool) -> None:
    from opentelemetry import metrics, trace  # noqa: PLC0415 - off, it is never needed

    use_providers(
        tracers=trace.get_tracer_provider(),
        meters=metrics.get_meter_provider(),
        version=version,
        content=content,
    )
