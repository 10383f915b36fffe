"""Spans: where the time of a request went. While nothing collects, each costs next to nothing."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

from eunoe.telemetry.switch import Attribute, Attributes, Kind, Span, switch


class _Off:
    """The span, and its context manager, while tracing is off."""

    __slots__ = ()

    def set_attribute(self, key: str, value: Attribute, /) -> None: ...

    def add_event(self, name: str, /, attributes: Attributes | None = None) -> None: ...

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


OFF: Final[Span] = _Off()


def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: Kind = "internal",
    follows: str | None = None,
    within: str | None = None,
    **more: Attribute,
) -> AbstractContextManager[Span]:
    """Open a span for a `with` block, ended always, and marked failed if an exception leaves it.

    `follows` is a `traceparent` that this work continues, in another task or process:
    it becomes a link (streaming 8.2). `within` is one that it is a part of. Never hold one across
    the `yield` of a generator.
    """
    if switch.backend is None:
        return OFF
    said = {**(attributes or {}), **more}
    return switch.backend.span(name, said, kind=kind, follows=follows, within=within)


def describe(
    attributes: Attributes, *, name: str | None = None, failure: str | None = None
) -> None:
    """Say more of the span that is open here, if any; a `failure` is the kind of an error."""
    if switch.backend is not None:
        switch.backend.describe(name, attributes, failure)


def collects() -> bool:
    """Whether anything is collected, for who would have to work for what is said."""
    return switch.backend is not None


def add_event(name: str, **attributes: Attribute) -> None:
    """Note something on the span that is open here, if any."""
    if switch.backend is not None:
        switch.backend.add_event(name, attributes)


def trace_id() -> str | None:
    """Return the id of the trace that is open here, as a step stores it: 32 hex digits."""
    here = current_ids()
    return None if here is None else here[0]


def traceparent() -> str | None:
    """Return the open span as a W3C `traceparent`, to be kept and given to `follows` later."""
    here = current_ids()
    return None if here is None else f"00-{here[0]}-{here[1]}-01"


def current_ids() -> tuple[str, str] | None:
    """Return the trace id and span id that are current here, in hex."""
    return None if switch.backend is None else switch.backend.ids()
