"""Files for the benchmark, made anew each time from the same numbers."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

from bench.rows import WORDS

_LINE_WORDS: Final = 12


def markdown(number: int, *, sections: int = 6) -> bytes:
    """Return notes of some 4 kB; one line of each names its number."""
    chance = random.Random(number)  # noqa: S311 -- it only fills files
    parts = [f"# Notes {number}\n", f"The mark of these notes is mark-{number:04}.\n"]
    for section in range(sections):
        parts += [f"## Part {section}\n", *(_line(chance) + "\n" for _ in range(8))]
    return "\n".join(parts).encode()


def pdf(*, pages: int, size: int) -> bytes:
    """Return a document of about `size` bytes: pages of text, each with a picture of noise."""
    chance = random.Random(pages)  # noqa: S311 -- it only fills files
    padding = size // pages
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", _kids(pages)]
    objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for page in range(pages):
        first = 4 + 3 * page
        text = _shown([f"Page {page}", *(_line(chance) for _ in range(40))])
        side = max(1, int((max(0, padding - len(text)) / 3) ** 0.5))
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources"
            b"<</Font<</F 3 0 R>>/XObject<</I %d 0 R>>>>>>" % (first + 1, first + 2),
            _stream(b"", text),
            _stream(
                b"/Type/XObject/Subtype/Image/ColorSpace/DeviceRGB/BitsPerComponent 8"
                b"/Width %d/Height %d" % (side, side),
                chance.randbytes(3 * side * side),
            ),
        ]
    return _document(objects)


def _line(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=_LINE_WORDS)).capitalize() + "."


def _kids(pages: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % (4 + 3 * page) for page in range(pages))
    return b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, kids)


def _shown(lines: Sequence[str]) -> bytes:
    shown = b"".join(b"(%s) Tj 0 -16 Td " % line.encode() for line in lines)
    return b"BT /F 9 Tf 40 740 Td %sET" % shown


def _stream(about: bytes, data: bytes) -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (about, len(data), data)


def _document(objects: Sequence[bytes]) -> bytes:
    body, places = bytearray(b"%PDF-1.4\n"), list[int]()
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, content)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    body += b"".join(b"%010d 00000 n \n" % place for place in places)
    body += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(body)


def notes(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of so many files of notes."""
    for number in range(count):
        yield f"notes-{number:04}.md", markdown(number)
