"""A picture that a tool gave, taken for one only where a model can be shown it.

What is stored is sent with every later request: one that is broken would have them all refused.
"""

import base64
import binascii
from typing import Final

from eunoe.domain.messages import Image

TYPES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_MOST_CHARS: Final = 8 * 1024 * 1024


def picture(data: object, media_type: object) -> Image | str:
    """Return the picture whose base64 `data` is, or words that stand for what is none."""
    if not isinstance(data, str) or media_type not in TYPES:
        return f"[image of type {media_type}, which cannot be seen here]"
    if len(data) > _MOST_CHARS:
        return "[image, too large to be seen here]"
    try:
        is_empty = not base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        is_empty = True
    if is_empty:
        return "[image, which is broken]"
    return Image(media_type=str(media_type), data=data)
