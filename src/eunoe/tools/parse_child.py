"""Reads a file from stdin and writes its text to stdout: a program, run by `tools.child`.

    python -I parse_child.py pdf|docx|html|page|text [URL]

A page is one of the web: its markdown is written, with links as they are from the URL on. It may
need a gibibyte and a minute, no more. What is wrong with a file is its last line on stderr, and
its status is then 3.
"""

import io
import re
import resource
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from html.parser import HTMLParser
from typing import IO, Final
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

_MEMORY_BYTES: Final = 1024 * 1024 * 1024
_CPU_S: Final = 60
_MOST_TEXT: Final = 50 * 1024 * 1024
_MOST_UNPACKED: Final = 200 * 1024 * 1024
_SAMPLE_BYTES: Final = 256 * 1024
_FAILED: Final = 3
_URL_AT: Final = 2
_FOREIGN: Final = frozenset("\0ŠŽšžÐÝÞðýþ¤¦¨¬¯³¶¹\xad\xb8")
"""What cp1252 makes of letters that other encodings have at these places."""
_MOST_STRANGE: Final = 0.4
_WORD: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class UnreadableError(Exception):
    """There is no text in the file that this program could get out."""


def pdf(data: bytes) -> Iterator[str]:
    """Yield the text of each page."""
    from pypdf import PdfReader  # noqa: PLC0415 -- only a PDF pays for it

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError("The PDF is locked with a password.")
    for page in reader.pages:
        text = page.extract_text().strip()
        if text:
            yield f"{text}\n\n"


def docx(data: bytes) -> Iterator[str]:
    """Yield the text of each paragraph; the cells of a row stand beside each other."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if archive.getinfo("word/document.xml").file_size > _MOST_UNPACKED:
            raise UnreadableError("The document is too large once it is unpacked.")
        with archive.open("word/document.xml") as body:
            yield from _paragraphs(_Bounded(body))


class _Bounded:
    """A reader that gives no more than may be unpacked, whatever the archive said of it."""

    def __init__(self, inner: IO[bytes]) -> None:
        self._inner = inner
        self._left = _MOST_UNPACKED

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(size if size >= 0 else self._left)
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableError("The document is too large once it is unpacked.")
        return data


def _paragraphs(body: _Bounded) -> Iterator[str]:
    held: list[str] = []
    in_cell = 0
    for event, element in ET.iterparse(body, events=("start", "end")):  # noqa: S314 -- expat bounds what entities make, and this process is bounded
        name = element.tag.removeprefix(_WORD)
        if event == "start":
            in_cell += name == "tc"
            continue
        match name:
            case "t":
                held.append(element.text or "")
            case "tab":
                held.append("\t")
            case "br" | "cr":
                held.append("\n")
            case "tc":
                in_cell -= 1
                held.append("\t")
            case "p" if in_cell:
                held.append(" ")
                element.clear()
            case "p" | "tr":
                yield "".join(held).rstrip() + "\n\n"
                held = []
                element.clear()
            case _:
                pass


_BLOCKS: Final = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl",
        "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5",
        "h6", "head", "header", "hr", "li", "main", "nav", "ol", "option", "p", "pre", "section",
        "table", "tbody", "tfoot", "thead", "title", "tr", "ul",
    }
)  # fmt: skip
_APART: Final = frozenset({"td", "th"})
_UNSEEN: Final = frozenset({"script", "style", "template", "noscript", "svg", "math"})
_SPACE: Final = re.compile(r"[ \t\r\n\f]+")


class _Page(HTMLParser):
    """Gathers what a reader of the page would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self._unseen = 0
        self._verbatim = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._unseen += tag in _UNSEEN
        self._verbatim += tag == "pre"
        self._part(tag)

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))
        self._verbatim = max(0, self._verbatim - (tag == "pre"))
        self._part(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.seen.append(data if self._verbatim else _SPACE.sub(" ", data))

    def _part(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.seen.append("\n")
        elif tag in _APART:
            self.seen.append("\t")


def html(data: bytes) -> Iterator[str]:
    """Yield the text of the page, a block of it in a paragraph."""
    page = _Page()
    page.feed(decoded(data))
    page.close()
    rows = [_row(row) for row in "".join(page.seen).split("\n")]
    yield re.sub(r"\n{3,}", "\n\n", "\n".join(rows)).strip() + "\n"


def _row(row: str) -> str:
    """Return a row without the one space that is left of a break; text as it is keeps its own."""
    return row.rstrip() if row.startswith("  ") else row.strip()


_ASIDE: Final = frozenset(
    {"nav", "footer", "aside", "form", "button", "select", "iframe", "dialog"}
)
_MAIN: Final = frozenset({"main", "article"})
_MARKED: Final = {"li": "- ", "td": " | ", "th": " | ", "p": "\n\n", "dt": "\n\n"} | {
    f"h{level}": f"\n\n{'#' * level} " for level in range(1, 7)
}
_ENOUGH: Final = 0.3
_EMPTY_LINK: Final = re.compile(r"\[\s*\]\([^)]*\)")
_APART_ROWS: Final = re.compile(r"^([-|] .*)\n\n(?=[-|] )", re.MULTILINE)
_SPLIT_LINK: Final = re.compile(r"\[\s+([^\]]*?)\s*\]\(")


class _Article(_Page):
    """Gathers what the page is about, as markdown: `main` is what it says is that itself."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._links: list[str | None] = []
        self._aside = self._inner = self._titled = 0
        self.title = ""
        self.main: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inner += tag in _MAIN
        self._aside += tag in _ASIDE or (tag == "header" and not self._inner)
        self._titled += tag == "title"
        super().handle_starttag(tag, attrs)
        if tag == "a":
            link = urljoin(self._url, (dict(attrs).get("href") or "").strip())
            is_link = link.startswith(("http://", "https://")) and " " not in link
            self._links.append(link if is_link and "#" not in link else None)
            self._say("[" if self._links[-1] else "")
        self._say({"pre": "\n```\n"}.get(tag) or _MARKED.get(tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._say("\n```\n")
        if tag == "a" and self._links and (link := self._links.pop()):
            self._say(f"]({link})")
        super().handle_endtag(tag)
        self._aside = max(0, self._aside - (tag in _ASIDE or (tag == "header" and not self._inner)))
        self._inner = max(0, self._inner - (tag in _MAIN))
        self._titled = max(0, self._titled - (tag == "title"))

    def handle_data(self, data: str) -> None:
        if self._titled and not self._unseen:
            self.title = self.title or _SPACE.sub(" ", data).strip()
        elif not self._unseen:
            self._say(data if self._verbatim else _SPACE.sub(" ", data))

    def _part(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._say("\n")

    def _say(self, text: str) -> None:
        if text and not self._aside:
            self.seen.append(text)
            if self._inner:
                self.main.append(text)


def page(data: bytes) -> Iterator[str]:
    """Yield the markdown of what a page of the web is about, or all its text where that is none."""
    article = _Article(sys.argv[2] if len(sys.argv) > _URL_AT else "")
    article.feed(decoded(data))
    article.close()
    whole, inner = _markdown(article.seen), _markdown(article.main)
    body = inner if len(inner) >= _ENOUGH * len(whole) else whole
    if not body:
        yield from html(data)
        return
    title = article.title
    yield body if not title or f"# {title}\n" in f"{body}\n" else f"# {title}\n\n{body}"


def _markdown(pieces: list[str]) -> str:
    text = _SPLIT_LINK.sub(r"[\1](", _EMPTY_LINK.sub("", "".join(pieces)))
    rows = [_row(row) for row in text.split("\n")]
    return _APART_ROWS.sub(r"\1\n", re.sub(r"\n{3,}", "\n\n", "\n".join(rows))).strip()


def text(data: bytes) -> Iterator[str]:
    yield decoded(data)


def decoded(data: bytes) -> str:
    """Return bytes as text: by their mark, as UTF-8, else by what they look like."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    if _is_western(data[:_SAMPLE_BYTES]):
        return data.decode("cp1252", errors="replace")
    from charset_normalizer import from_bytes  # noqa: PLC0415 -- only what is not UTF-8 pays

    best = from_bytes(data[:_SAMPLE_BYTES]).best()
    if best is None or data.count(0) > len(data) // 100:
        raise UnreadableError("The file is not text in any encoding that is known.")
    return data.decode(best.encoding, errors="replace")


def _is_western(data: bytes) -> bool:
    """Whether it is text as most such files have it: now and then a letter beyond ASCII.

    Guessing by likelihood takes it for other languages that have other letters at these places.
    """
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    letters = [letter for letter in text if letter.isalpha()]
    strange = sum(letter > "\x7f" for letter in letters)
    return strange <= _MOST_STRANGE * len(letters) and _FOREIGN.isdisjoint(text)


_READERS: Final[dict[str, Callable[[bytes], Iterator[str]]]] = {
    "pdf": pdf,
    "docx": docx,
    "html": html,
    "page": page,
    "text": text,
}


def _bounded() -> None:
    for what, most in ((resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_CPU, _CPU_S)):
        # Not every system has each of them; where one is missing the others still hold.
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def main(kind: str) -> int:
    """Write the text of what is on stdin; return the status of the process."""
    _bounded()
    size = 0
    try:
        for piece in _READERS[kind](sys.stdin.buffer.read()):
            encoded = piece.encode("utf-8", errors="replace")
            size += len(encoded)
            if size > _MOST_TEXT:
                return _failed("The text in the file has more than 50 MiB.")
            sys.stdout.buffer.write(encoded)
        sys.stdout.buffer.flush()
    except UnreadableError as error:
        return _failed(str(error))
    except MemoryError:
        return _failed("To read the file takes more memory than it is given.")
    except Exception as error:  # noqa: BLE001 -- a broken file breaks its reader in any way
        return _failed(f"The file is damaged or not what its type says ({type(error).__name__}).")
    return 0


def _failed(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return _FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
