"""The functions that servers of this API used to share, and what each of them does."""

from typing import Final

RULES: Final = {
    "S57": "A request without messages is refused with 400, and so are messages that are no list.",
    "S63": "Messages that are empty or malformed are refused with 400 and a reason.",
}
