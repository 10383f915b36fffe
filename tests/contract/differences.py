"""Where the served contract is not that of the official client, each with the reason.

The page of compatibility shows these; a test holds the document to everything else.
"""

from typing import Final

NOT_SERVED: Final[dict[str, str]] = {}
"""Methods that get a typed refusal."""

LEFT_OUT: Final[dict[str, dict[str, str]]] = {}
"""Parameters and fields of answers that the document leaves out, by method."""
