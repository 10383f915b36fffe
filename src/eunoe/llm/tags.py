"""Thoughts between tags in a model's text, told from the words after them (P22)."""

from dataclasses import dataclass
from typing import Final

from eunoe.domain.events import ModelEvent, ReasoningDelta, TextDelta

OPEN_TAG: Final = "<thinking>"
_CLOSE_TAG: Final = "</thinking>"


@dataclass(slots=True)
class OpenedThought:
    """Reads a reply whose opening tag was written for the model, up to the closing one.

    What may be the beginning of that tag is held back until it is known; `flush` gives it up.
    """

    _held: str = ""
    _closed: bool = False

    def read(self, text: str) -> list[ModelEvent]:
        if self._closed:
            return [TextDelta(text=text)]
        text = self._held + text
        thought, tag, rest = text.partition(_CLOSE_TAG)
        if tag:
            self._closed, self._held = True, ""
            words = rest.lstrip()
            return [*_thought(thought), *([TextDelta(text=words)] if words else [])]
        safe = len(text) - _begun(text)
        self._held = text[safe:]
        return _thought(text[:safe])

    def flush(self) -> list[ModelEvent]:
        held, self._held = self._held, ""
        return _thought(held)


def _thought(text: str) -> list[ModelEvent]:
    return [ReasoningDelta(text=text, native=False)] if text else []


def _begun(text: str) -> int:
    """Return how many characters at the end of `text` may begin the closing tag."""
    sizes = range(min(len(text), len(_CLOSE_TAG) - 1), 0, -1)
    return next((size for size in sizes if _CLOSE_TAG.startswith(text[-size:])), 0)
