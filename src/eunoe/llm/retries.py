"""When to ask a provider again, and after how long (FIX-68)."""

import asyncio
import random
import time
from dataclasses import dataclass
from http import HTTPStatus

from eunoe.errors import (
    ContextOverflow,
    ModelCreditExhausted,
    ModelError,
    ModelOverloaded,
    ModelRateLimited,
    ModelReplyCut,
    ModelReplyEmpty,
    ModelTimedOut,
    ModelUnreachable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """`most` further attempts, with waits that double from `first_s` up to `longest_s`.

    What a provider asks for is honoured up to `longest_asked_s`; one that asks
    for more is not asked again.
    """

    most: int = 2
    first_s: float = 0.5
    longest_s: float = 8.0
    longest_asked_s: float = 30.0


def heals(error: ModelError) -> bool:
    """Return whether the same request may succeed now: 408, 409, 429, 5xx, a lost connection."""
    match error:
        case ModelRateLimited() | ModelOverloaded() | ModelUnreachable() | ModelReplyCut():
            return True
        case ModelTimedOut():
            # A silent provider has had its time; one that said so, or never listened, has not.
            return bool(error.detail.get("connecting")) or "http_status" in error.detail
        case ContextOverflow() | ModelCreditExhausted():
            return False
        case ModelReplyEmpty():
            # Some providers give nothing now and then, and the same request is answered next time.
            return bool(error.detail.get("passing"))
        case _:
            status = error.detail.get("http_status")
            return isinstance(status, int) and (
                status == HTTPStatus.CONFLICT or status >= HTTPStatus.INTERNAL_SERVER_ERROR
            )


def wait_s(error: ModelError, *, attempt: int, left_s: float, retries: Retries) -> float | None:
    """Return the seconds to wait after failed attempt `attempt`, the first of which is 0.

    None where asking again is of no use or would outlast the request.
    """
    if attempt >= retries.most or not heals(error):
        return None
    if error.retry_after_s is not None:
        wait = error.retry_after_s
        if wait > retries.longest_asked_s:
            return None
    else:
        longest = min(retries.longest_s, retries.first_s * 2**attempt)
        wait = longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
    return wait if wait < left_s else None


class Attempts:
    """The attempts at one request, which may take until `deadline`, the waits between included."""

    def __init__(self, retries: Retries, *, total_s: float) -> None:
        self.deadline = time.monotonic() + total_s
        self._retries = retries
        self._failed = 0

    async def again(self, error: ModelError) -> None:
        """Wait until the next attempt is due; raise `error` where there is to be none."""
        left_s = self.deadline - time.monotonic()
        wait = wait_s(error, attempt=self._failed, left_s=left_s, retries=self._retries)
        if wait is None:
            raise error
        self._failed += 1
        await asyncio.sleep(wait)
