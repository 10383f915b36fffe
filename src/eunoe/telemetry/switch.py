"""Where spans and measurements go: nowhere, until a backend is put in."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final, Literal, Protocol, TypeAlias

Attribute: TypeAlias = str | bool | int | float
Attributes: TypeAlias = Mapping[str, Attribute]
Kind: TypeAlias = Literal["internal", "server", "client"]


class Span(Protocol):
    """What may be said about the work in progress."""

    def set_attribute(self, key: str, value: Attribute, /) -> object: ...

    def add_event(self, name: str, /, attributes: Attributes | None = None) -> object: ...


class Backend(Protocol):
    """What collects. Nothing it does may fail or delay the caller (G-23)."""

    def span(
        self,
        name: str,
        attributes: Attributes,
        *,
        kind: Kind,
        follows: str | None,
        within: str | None,
    ) -> AbstractContextManager[Span]: ...

    def describe(self, name: str | None, attributes: Attributes, failure: str | None) -> None:
        """Say more of the span that is current here: its name, and what kind of error it met."""
        ...

    def past_span(
        self, name: str, attributes: Attributes, *, started_ns: int, reached: bool
    ) -> None:
        """Record a span that began at `started_ns` of Unix time and ends now.

        `reached` says whether what it waited for came.
        """
        ...

    def add_event(self, name: str, attributes: Attributes) -> None: ...

    def ids(self) -> tuple[str, str] | None:
        """Return the trace id and span id that are current here, in hex."""
        ...

    def add(self, instrument: str, amount: float, attributes: Attributes) -> None: ...

    def record(self, instrument: str, value: float, attributes: Attributes) -> None: ...


class _Switch:
    backend: Backend | None = None
    exposition: Callable[[], tuple[bytes, str]] | None = None
    """Returns the measurements as Prometheus reads them, and that form's media type."""


switch: Final = _Switch()
"""The one of this process. The functions of this package ask it on every call."""
