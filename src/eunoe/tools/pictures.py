"""A picture that a tool gave, taken for one only where a model can be shown it."""

from typing import Final

from eunoe.domain import pictures
from eunoe.domain.messages import Image

_MOST_CHARS: Final = 8 * 1024 * 1024


def picture(data: object, media_type: object) -> Image | str:
    """Return the picture whose base64 `data` is, or words that stand for what is none."""
    if not isinstance(data, str) or media_type not in pictures.MARKS:
        return f"[image of type {media_type}, which cannot be seen here]"
    if len(data) > _MOST_CHARS:
        return "[image, too large to be seen here]"
    return pictures.picture(data, called=str(media_type)) or "[image, which is broken]"
