"""Error reports as the SDK is given them, caught before they leave."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import sentry_sdk

from eunoe import telemetry

_DSN = "http://key@127.0.0.1:9/1"


@contextmanager
def reports() -> Generator[list[BaseException]]:
    """Collect what is reported inside the block."""
    found: list[BaseException] = []

    def keep(_event: Any, hint: dict[str, Any]) -> None:
        found.append(hint["exc_info"][1])

    sentry_sdk.init(_DSN, before_send=keep, default_integrations=False)
    telemetry.adopt_reports(dsn=_DSN)
    try:
        yield found
    finally:
        telemetry.configure_reports(dsn=None, version="0")
        sentry_sdk.init(default_integrations=False)
