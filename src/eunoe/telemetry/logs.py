"""Logs: JSON a collector can read, or text on a terminal; ours and the libraries' alike."""

import logging
import sys
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import IO, Any, Final, Literal, TypeAlias, cast

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from eunoe.telemetry import context, traces
from eunoe.telemetry.redaction import Blot, redacted

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
Format: TypeAlias = Literal["auto", "console", "json"]
_Raised: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_HEARD_AT_INFO: Final = ("eunoe", "uvicorn.error")
"""All other libraries are heard from WARNING on: below that, several of them write whole
requests, keys and messages included."""

_FIRST: Final = ("timestamp", "level", "logger", "message")


def configure_logging(
    *,
    level: Level = "info",
    format: Format = "auto",  # noqa: A002 - named like the setting
    content: bool = False,
    secrets: Iterable[str] = (),
    stream: IO[str] | None = None,
) -> None:
    """Send every log record to `stream`, by default standard error, in one form; again replaces.

    `content` lets the text of messages through; `secrets` are values that must not appear.
    """
    out = sys.stderr if stream is None else stream
    shared = _shared(content=content)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    as_json = format == "json" or (format == "auto" and not out.isatty())
    last = _json_chain() if as_json else _console_chain(colors=out.isatty())
    handler = _Handler(out)
    handler.setFormatter(
        _Formatter(
            blot=Blot(secrets),
            processors=last,
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _drop_colors, *shared],
        )
    )
    root = logging.getLogger()
    for earlier in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in _HEARD_AT_INFO:
        logging.getLogger(name).setLevel(level.upper())


class _Handler(logging.StreamHandler[IO[str]]):
    """Ours among the root logger's handlers."""


class _Formatter(ProcessorFormatter):
    """structlog's formatter, whose finished lines pass the blot: also what an exception quotes."""

    def __init__(
        self, *, blot: Blot, processors: list[Processor], foreign_pre_chain: list[Processor]
    ) -> None:
        super().__init__(processors=processors, foreign_pre_chain=foreign_pre_chain)
        self._blot = blot

    def format(self, record: logging.LogRecord) -> str:
        return self._blot(super().format(record))


def _shared(*, content: bool) -> list[Processor]:
    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        for name, value in event.items():
            if not name.startswith("_") and name not in {"event", "exc_info"}:
                event[name] = redacted(name, value, content=content)
        return event

    return [
        _add_context,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]


def _add_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name, value in context.bound().items():
        event.setdefault(name, value)
    ids = traces.current_ids()
    if ids is not None:
        event["trace_id"], event["span_id"] = ids
    return event


def _json_chain() -> list[Processor]:
    return [
        _add_place,
        _add_exception,
        ProcessorFormatter.remove_processors_meta,
        structlog.processors.EventRenamer("message"),
        _order,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _console_chain(*, colors: bool) -> list[Processor]:
    # The fancy tracebacks show local variables, and with them keys and messages.
    plain = structlog.dev.plain_traceback
    return [
        ProcessorFormatter.remove_processors_meta,
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain),
    ]


def _drop_colors(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop the second, coloured copy that uvicorn makes of some of its messages."""
    event.pop("color_message", None)
    return event


def _order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put what a reader looks for first at the front."""
    first = {name: event.pop(name) for name in _FIRST if name in event}
    return {**first, **event}


def _add_place(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = cast("logging.LogRecord", event["_record"])
    event["module"], event["function"], event["line"] = (
        record.module,
        record.funcName,
        record.lineno,
    )
    return event


def _add_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    raised = _raised(event.pop("exc_info", None))
    if raised is not None:
        kind, error, trace = raised
        event["exception"] = {
            "type": kind.__qualname__,
            "message": str(error),
            "stacktrace": "".join(traceback.format_exception(kind, error, trace)),
        }
    return event


def _raised(info: Any) -> _Raised | None:  # noqa: ANN401 - the logging module gives it many forms
    if isinstance(info, BaseException):
        return type(info), info, info.__traceback__
    if not info:
        return None
    found = cast("_Raised | tuple[None, None, None]", info if info is not True else sys.exc_info())
    return found if found[1] is not None else None
