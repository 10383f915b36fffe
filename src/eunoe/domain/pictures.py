"""What a picture is, by its bytes: providers look for themselves, whatever it is called.

What is stored is sent with every later request: one that is none would have them all refused.
"""

import base64
import re
from typing import Final

from eunoe.domain.messages import Image

MARKS: Final = {
    "image/png": re.compile(rb"\x89PNG"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
"""How a picture of each type begins that every model can be shown that sees."""
_OTHERS: Final = re.compile(rb"BM|II\*\0|MM\0\*|.{4}ftyp", re.DOTALL)
"""How those do that some can: BMP, TIFF, HEIC and AVIF."""


def picture_type(data: bytes, *, called: str) -> str | None:
    """Return the media type of what is called a picture, null for what is none."""
    if not called.startswith("image/"):
        return None
    found = (kind for kind, mark in MARKS.items() if mark.match(data))
    return next(found, called if called not in MARKS and _OTHERS.match(data) else None)


def picture(data: str, *, called: str, detail: str | None = None) -> Image | None:
    """Return the picture whose base64 `data` is, null for what is none."""
    try:
        kind = picture_type(base64.b64decode(data, validate=True), called=called)
    except ValueError:
        return None
    return None if kind is None else Image(media_type=kind, data=data, detail=detail)
