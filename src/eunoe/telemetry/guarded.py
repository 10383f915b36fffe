"""Telemetry is passive (G-23): what a backend raises is logged, once a kind, and dropped."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Final, TypeAlias

import structlog

from eunoe.telemetry.switch import Attributes, Backend, Kind, Span
from eunoe.telemetry.traces import OFF

Leave: TypeAlias = Callable[
    [type[BaseException] | None, BaseException | None, TracebackType | None], None
]

_log: Final = structlog.get_logger("eunoe.telemetry")


class Guarded:
    """A backend whose faults never reach what it watches."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._told: set[type[Exception]] = set()

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
        with ExitStack() as stack:
            opened = OFF
            with self._passive():
                watched = self._backend.span(
                    name, attributes, kind=kind, follows=follows, within=within
                )
                opened = watched.__enter__()
                stack.push(self._closing(watched))
            yield opened

    def _closing(self, watched: AbstractContextManager[Span]) -> Leave:
        """Return what ends a span; the error that leaves it is told to it, and goes on."""

        def leave(
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: TracebackType | None,
        ) -> None:
            with self._passive(besides=error):
                watched.__exit__(kind, error, traceback)

        return leave

    def describe(self, name: str | None, attributes: Attributes, failure: str | None) -> None:
        with self._passive():
            self._backend.describe(name, attributes, failure)

    def past_span(
        self, name: str, attributes: Attributes, *, started_ns: int, reached: bool
    ) -> None:
        with self._passive():
            self._backend.past_span(name, attributes, started_ns=started_ns, reached=reached)

    def add_event(self, name: str, attributes: Attributes) -> None:
        with self._passive():
            self._backend.add_event(name, attributes)

    def ids(self) -> tuple[str, str] | None:
        with self._passive():
            return self._backend.ids()
        return None

    def add(self, instrument: str, amount: float, attributes: Attributes) -> None:
        with self._passive():
            self._backend.add(instrument, amount, attributes)

    def record(self, instrument: str, value: float, attributes: Attributes) -> None:
        with self._passive():
            self._backend.record(instrument, value, attributes)

    @contextmanager
    def _passive(self, *, besides: BaseException | None = None) -> Generator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on
            if error is not besides and type(error) not in self._told:
                self._told.add(type(error))
                _log.warning("telemetry.failed", error=type(error).__qualname__)
