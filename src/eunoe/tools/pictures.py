"""A picture that a tool gave, taken for one only where a model can be shown it.

What is stored is sent with every later request: one that is broken would have them all refused.
"""

import base64
from typing import Final

from eunoe.domain.messages import Image

MARKS: Final = {
    "image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}  # fmt: skip
"""How a picture of each type begins that models can be shown."""
_MOST_CHARS: Final = 8 * 1024 * 1024


def picture(data: object, media_type: object) -> Image | str:
    """Return the picture whose base64 `data` is, or words that stand for what is none.

    What the data are counts, whatever they are called: providers look for themselves.
    """
    if not isinstance(data, str) or media_type not in MARKS:
        return f"[image of type {media_type}, which cannot be seen here]"
    if len(data) > _MOST_CHARS:
        return "[image, too large to be seen here]"
    try:
        decoded = base64.b64decode(data, validate=True)
    except ValueError:
        decoded = b""
    kind = next((kind for kind, mark in MARKS.items() if decoded.startswith(mark)), None)
    return "[image, which is broken]" if kind is None else Image(media_type=kind, data=data)
