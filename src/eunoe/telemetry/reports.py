"""Reports of unexpected errors to Sentry (S1, S26): on iff there is a DSN and the SDK is there."""

import importlib
import importlib.util
from typing import Final, Protocol, cast

import structlog

_log = structlog.get_logger("eunoe.telemetry")


class _Sentry(Protocol):
    """The part of `sentry_sdk` that is used; the package is the operator's to install."""

    def init(self, dsn: str, **options: object) -> object: ...

    def capture_exception(self, error: BaseException) -> str | None: ...

    def flush(self, timeout: float) -> None: ...


class _Reports:
    sentry: _Sentry | None = None


_reports: Final = _Reports()
_FLUSH_S: Final = 2.0


def configure_reports(*, dsn: str | None, version: str, environment: str | None = None) -> bool:
    """Report from now on if there is a DSN and `sentry_sdk` can be imported; say whether it is so.

    Bodies, local variables and personal data are left out: they hold messages and keys.
    """
    if not dsn:
        _reports.sentry = None
    elif importlib.util.find_spec("sentry_sdk") is None:
        _reports.sentry = None
        _log.warning("errors are not reported: install sentry-sdk, or unset EUNOE_SENTRY_DSN")
    else:
        sentry = cast("_Sentry", importlib.import_module("sentry_sdk"))
        sentry.init(
            dsn,
            release=f"eunoe@{version}",
            environment=environment,
            sample_rate=1.0,
            send_default_pii=False,
            max_request_body_size="never",
            include_local_variables=False,
            default_integrations=False,
        )
        _reports.sentry = sentry
    return _reports.sentry is not None


def adopt_reports(*, dsn: str | None) -> bool:
    """Report through the SDK as this process has set it up, iff there is a DSN; say whether (S1).

    For code of ours that runs in a process which is not our server.
    """
    if dsn and _reports.sentry is None and importlib.util.find_spec("sentry_sdk") is not None:
        _reports.sentry = cast("_Sentry", importlib.import_module("sentry_sdk"))
    return bool(dsn) and _reports.sentry is not None


def report(error: BaseException) -> None:
    """Report an unexpected error. A stream needs this said: its status is already 200 (8.4.3)."""
    if _reports.sentry is not None:
        _reports.sentry.capture_exception(error)


def flush_reports() -> None:
    """Give the reports under way a moment to leave; for the end of the process."""
    if _reports.sentry is not None:
        _reports.sentry.flush(timeout=_FLUSH_S)
