"""How often each key may ask: a bucket of tokens for each, in this process alone."""

import time
from collections import OrderedDict
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from eunoe.errors import RequestsTooMany
from eunoe.http.errors import answer_of
from eunoe.http.scopes import EXEMPT
from eunoe.http.token_gate import CALLER_KEY

_KEPT: Final = 10_000
_MINUTE_S: Final = 60.0


class Rates:
    """ASGI middleware, inside the gate that knows who asks.

    Each key or access token may send `burst` requests at once, and gets `per_minute` back in
    a minute. Who comes with the password, or with nothing, shares one bucket.
    """

    def __init__(self, app: ASGIApp, *, per_minute: int, burst: int) -> None:
        self._app = app
        self._per_s = per_minute / _MINUTE_S
        self._burst = float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in EXEMPT:
            wait_s = self._taken(scope.get(CALLER_KEY, ""))
            if wait_s > 0:
                refusal = answer_of(RequestsTooMany(retry_after_s=wait_s))
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _taken(self, caller: str) -> float:
        """Take one token; return 0, or the seconds until there is one."""
        now = time.monotonic()
        left, since = self._buckets.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_s)
        taken = left >= 1
        self._buckets[caller] = (left - taken, now)
        if len(self._buckets) > _KEPT:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - left) / self._per_s
