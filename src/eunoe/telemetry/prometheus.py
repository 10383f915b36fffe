"""The measurements as a scraper reads them. Imported only when the setting is on.

Needs the extra `otel`. A registry of its own, so that a second server in the process
shows nothing of this one.
"""

from typing import Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


class Exposition:
    """What is measured, kept for whoever asks; `reader` is what it is fed by."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.reader = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)

    def __call__(self) -> tuple[bytes, str]:
        return generate_latest(self._registry), CONTENT_TYPE
