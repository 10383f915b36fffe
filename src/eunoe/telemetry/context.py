"""What the work at hand belongs to: bound once, then on every log record, span and metric."""

from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Final

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_bound: ContextVar[Mapping[str, str]] = ContextVar("eunoe_bound", default=_NOTHING)


class bind:  # noqa: N801 - read as a verb: `with bind(run_id=…):`
    """Bind ids for the length of a `with` block; None is left out, inner bindings win.

    Tasks started inside inherit them. Enter and leave in the same task: never around
    the `yield` of an async generator, which may be closed by another one.
    """

    __slots__ = ("_ids", "_token")

    def __init__(self, **ids: str | None) -> None:
        self._ids = ids
        self._token: Token[Mapping[str, str]] | None = None

    def __enter__(self) -> None:
        new = {name: value for name, value in self._ids.items() if value is not None}
        self._token = _bound.set({**_bound.get(), **new})

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _bound.reset(self._token)


def bound() -> Mapping[str, str]:
    """Return what is bound here, by name."""
    return _bound.get()
