"""Where the page is from that sends a request; programs say nothing of it.

Browsers let any page send requests to a server on its visitor's machine, also under a name that
is made to stand for it.
"""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_own(headers: Headers) -> bool:
    """Whether the page has the very address that is asked."""
    return _page(headers).netloc == headers.get("host")


def is_of_this_machine(headers: Headers) -> bool:
    """Whether it is the server's own, and that is asked under a name of the machine itself."""
    return is_own(headers) and _page(headers).hostname in _LOOPBACK


def _page(headers: Headers) -> SplitResult:
    try:
        return urlsplit(headers.get("origin", ""))
    except ValueError:
        return urlsplit("")
