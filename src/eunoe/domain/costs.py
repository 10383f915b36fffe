"""What models cost: in whole billionths of a dollar, so that sums are exact."""

from dataclasses import dataclass
from typing import Final

from eunoe.domain.runs import Usage

NANOS: Final = 1_000_000_000
"""In a dollar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """In USD per million tokens, times a million: so a token costs so many billionths / 1000."""

    input: int
    cached_input: int
    cache_write: int
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """`dearer` has the rates for prompts of more than so many tokens, the largest number first."""

    rates: Rates
    dearer: tuple[tuple[int, Rates], ...] = ()

    @property
    def is_free(self) -> bool:
        return self == FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What steps cost together; `unpriced_steps` of them are not in it, for nobody knows."""

    group: str | None
    steps: int
    unpriced_steps: int
    cost_nanos: int | None


FREE: Final = Price(rates=Rates(input=0, cached_input=0, cache_write=0, output=0))


def cost_nanos(usage: Usage | None, price: Price | None) -> int | None:
    """Return what a call cost, null where its price is not known, or not what it used."""
    if price is None or (usage is None and not price.is_free):
        return None
    used = usage or Usage()
    rates = next((it for above, it in price.dearer if used.prompt_tokens > above), price.rates)
    cached, written = used.cached_input_tokens or 0, used.cache_write_tokens or 0
    thousandths = (
        max(used.prompt_tokens - cached - written, 0) * rates.input
        + cached * rates.cached_input
        + written * rates.cache_write
        + used.completion_tokens * rates.output
    )
    return (thousandths + 500) // 1000


def usd(nanos: int | None) -> float | None:
    return None if nanos is None else nanos / NANOS
