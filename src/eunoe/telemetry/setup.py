"""Turning collection on, once, where the process starts."""

import importlib.util
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from eunoe import errors
from eunoe.telemetry.switch import switch

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider


def configure_telemetry(
    *, endpoint: str | None, version: str, environment: str | None = None, content: bool = False
) -> Callable[[], None]:
    """Send spans and metrics to the OTLP endpoint, if there is one; return what ends that.

    A process started under OpenTelemetry's own launcher keeps the providers it was given.
    Raises `errors.SettingInvalid` when an endpoint is set and the SDK is not installed.
    """
    if endpoint is None:
        if "OTEL_PYTHON_TRACER_PROVIDER" in os.environ:
            _use_providers_of_launcher(version=version, content=content)
        return stop_telemetry
    if importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        text = "EUNOE_OTLP_ENDPOINT is set; install what it needs: pip install 'eunoe[otel]'"
        raise errors.SettingInvalid(text)
    from eunoe.telemetry import otlp  # noqa: PLC0415 - the SDK is an extra, and slow to import

    pipeline = otlp.open_pipeline(endpoint=endpoint, version=version, environment=environment)
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

    switch.backend = OpenTelemetry(tracers=tracers, meters=meters, version=version, content=content)


def stop_telemetry() -> None:
    """Collect nothing from now on."""
    switch.backend = None


def _use_providers_of_launcher(*, version: str, content: bool) -> None:
    from opentelemetry import metrics, trace  # noqa: PLC0415 - off, it is never needed

    use_providers(
        tracers=trace.get_tracer_provider(),
        meters=metrics.get_meter_provider(),
        version=version,
        content=content,
    )
