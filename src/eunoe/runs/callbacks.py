"""Telling a caller's URL that something has ended: at least once, and never before (G-20).

That it is to be told is a row, written with the end. An attempt takes the row for a while and no
longer than a process may be trusted to live; what came of it is shown on the run. A redirect is
not followed, and private addresses are not gone to unless the operator says so.
"""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import httpx
import orjson
import structlog

from eunoe import telemetry
from eunoe.domain.messages import Json
from eunoe.domain.runs import CalledBack
from eunoe.errors import AddressRefused
from eunoe.runs.jobs import Duty, present
from eunoe.runs.outbound import Outbound
from eunoe.store import callbacks
from eunoe.store.callbacks import Callback
from eunoe.store.db import Actor, Database

CALLBACK: Final = "callback"
DELAYS_S: Final = (10, 60, 300, 1_800)
"""How long to wait after each attempt that failed; one more attempt than there are delays."""
_AT_ONCE: Final = 8
_TIMEOUT_S: Final = 5.0
# Longer than an attempt takes, so that one that died with its process is made again.
_LEASE: Final = timedelta(seconds=30)
_PASSING: Final = frozenset({408, 425, 429})
_OK: Final = range(200, 300)
_SERVER_FAULT: Final = 500

_log = structlog.get_logger("eunoe.callbacks")


class Told(Protocol):
    """Returns what a receiver is told of an end, null where there is nothing to tell of."""

    def __call__(self, actor: Actor, subject_id: str) -> Awaitable[Json | None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """`told` has what is said of a subject, by the prefix of its id; `secret` signs it."""

    db: Database
    outbound: Outbound
    told: Mapping[str, Told]
    secret: str | None = None
    now: Callable[[], datetime] = present

    def duty(self) -> Duty:
        return Duty(name=CALLBACK, carry_out=self.carry_out, pending=self.pending, at_once=_AT_ONCE)

    async def pending(self) -> list[str]:
        async with self.db.read(Actor()) as tx:
            return await callbacks.due(tx, now=self.now())

    async def carry_out(self, subject_id: str) -> None:
        """Make one attempt where one is due; one that fails puts off the next."""
        now = self.now()
        async with self.db.write(Actor()) as tx:
            one = await callbacks.take(tx, subject_id, now=now, until=now + _LEASE)
        if one is None:
            return
        body = await self.told[subject_id.partition("-")[0]](one.actor, subject_id)
        if body is None:
            async with self.db.write(one.actor) as tx:
                await callbacks.remove(tx, subject_id)
            return
        told, again = await self._attempt(one, orjson.dumps(body))
        delay_s = DELAYS_S[one.attempts - 1] if again and one.attempts <= len(DELAYS_S) else None
        next_at = None if delay_s is None else told.at + timedelta(seconds=delay_s)
        async with self.db.write(one.actor) as tx:
            await callbacks.settle(tx, subject_id, told, next_at=next_at)
        outcome = "ok" if told.error is None else "failed" if next_at is None else "put_off"
        telemetry.count("callback_attempt_total", outcome=outcome)
        if told.error is not None:
            _log.warning(
                "callback.failed", subject=subject_id, attempt=one.attempts, outcome=outcome
            )

    async def _attempt(self, one: Callback, body: bytes) -> tuple[CalledBack, bool]:
        """Return what came of an attempt, and whether another may fare better."""
        try:
            url = httpx.URL(one.url)
            async with self.outbound.stream(
                "POST", url, headers=self._headers(one, body), content=body, timeout_s=_TIMEOUT_S
            ) as response:
                status = response.status_code
        except (AddressRefused, httpx.InvalidURL) as error:
            return CalledBack(at=self.now(), error=str(error)), False
        except (httpx.HTTPError, OSError, UnicodeError) as error:
            text = f"The URL cannot be reached ({type(error).__name__})."
            return CalledBack(at=self.now(), error=text), True
        if status in _OK:
            return CalledBack(at=self.now(), status_code=status), False
        text = f"The URL answered {status}."
        again = status >= _SERVER_FAULT or status in _PASSING
        return CalledBack(at=self.now(), status_code=status, error=text), again

    def _headers(self, one: Callback, body: bytes) -> dict[str, str]:
        """Return the headers of Standard Webhooks: the id is the same at every attempt."""
        sent = str(int(self.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "eunoe",
            "webhook-id": one.subject_id,
            "webhook-timestamp": sent,
        }
        if self.secret is not None:
            signed = b".".join((one.subject_id.encode(), sent.encode(), body))
            digest = hmac.new(_key(self.secret), signed, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers


def _key(secret: str) -> bytes:
    """Return the bytes that sign, which a secret `whsec_…` holds in base64."""
    return base64.b64decode(secret.removeprefix("whsec_"))
