"""A text as it is stored: pages of bounded size that know which line they begin in.

A range of lines is read from the few pages that hold it, so that what it costs to look into
a file does not grow with the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PAGE_CHARS: Final = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPage:
    """`first_line` counts from 0; `is_inside` says that the page begins within that line."""

    first_line: int
    is_inside: bool
    text: str


@dataclass(slots=True)
class Paginator:
    r"""Takes a text piece by piece and gives it back in pages; joined they are the text.

    Line ends become `\n`, and what no engine stores is dropped.
    """

    size: int = PAGE_CHARS
    line: int = 0
    _held: str = ""
    _inside: bool = False
    _returned: bool = False

    def take(self, text: str) -> Iterator[TextPage]:
        """Yield the pages that are full once `text` is added."""
        self._held += self._plain(text)
        while len(self._held) > self.size:
            end = self._held.rfind("\n", 0, self.size) + 1 or self.size
            yield self._page(end)

    def last(self) -> Iterator[TextPage]:
        """Yield what is left when the text is over."""
        if self._held:
            yield self._page(len(self._held))

    @property
    def line_count(self) -> int:
        """How many lines there are once `last` has been asked: a break at the end begins none."""
        return self.line + self._inside

    def _plain(self, text: str) -> str:
        if not text:
            return text
        begun, self._returned = self._returned, text.endswith("\r")
        text = text[1:] if begun and text.startswith("\n") else text
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")

    def _page(self, end: int) -> TextPage:
        text, self._held = self._held[:end], self._held[end:]
        page = TextPage(first_line=self.line, is_inside=self._inside, text=text)
        self.line += text.count("\n")
        self._inside = not text.endswith("\n")
        return page


def lines_of(pages: Iterator[TextPage]) -> Iterator[str]:
    """Yield the lines of pages in order, each with its break; a long one in several pieces."""
    for page in pages:
        *whole, rest = page.text.split("\n")
        yield from (f"{line}\n" for line in whole)
        if rest:
            yield rest
