"""What each model costs: as the operator says, else nothing here, else as it is published.

The published table takes a third of a second to read, so it is read in a thread, when the first
model that may be in it is asked for.
"""

import asyncio
import json
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from eunoe.domain.addresses import names_private
from eunoe.domain.costs import FREE, Price, Rates
from eunoe.domain.models import ModelConfig
from eunoe.errors import SettingInvalid

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

Own: TypeAlias = Sequence[tuple[str, Price]]
"""Patterns of handles or models, and what those cost; the first that fits counts."""

_Usd: TypeAlias = Annotated[Decimal, Field(ge=0, le=1_000_000)]
_KEPT_S: Final = 3_600
"""How long a published price is taken for true: some hold from a day on, or by the hour."""
_MOST: Final = 10_000
_HERE: Final = frozenset({"local", "lmstudio_openai", "ollama", "sglang", "vllm"})
_PLACELESS: Final = {"bedrock": "aws", "google_vertex": "google"}
"""Types whose address follows from their region, by their names in the published table."""
_KINDS: Final = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok")

_log = structlog.get_logger("eunoe.prices")


class _Given(BaseModel):
    """An entry of the operator's file, in USD per million tokens."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    input: _Usd
    cached_input: _Usd | None = None
    cache_write: _Usd | None = None
    output: _Usd


def read_prices(path: Path | None) -> Own:
    """Return what an operator's file of TOML or JSON says; raise `SettingInvalid`."""
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8")
        entries = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        given = TypeAdapter(dict[str, _Given]).validate_python(entries)
    except (OSError, ValueError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise SettingInvalid(f"EUNOE_PRICES: {path} cannot be used: {why}") from error
    return [
        (name, (_rates([one.input, one.cached_input, one.cache_write, one.output]),))
        for name, one in given.items()
    ]


class Prices:
    """Answers at once for a model that was asked for before."""

    def __init__(self, own: Own = ()) -> None:
        self._own = own
        self._known: dict[tuple[str, str | None], tuple[float, asyncio.Future[Price | None]]] = {}

    def of(self, config: ModelConfig) -> asyncio.Future[Price | None]:
        """Return what will be the model's price, null where nobody knows it. It never fails."""
        key = (config.handle, config.endpoint)
        found = self._known.get(key)
        if found is not None and found[0] > time():
            return found[1]
        if len(self._known) >= _MOST:
            self._known.clear()
        looked_up = self._looked_up(config)
        self._known[key] = (time() + _KEPT_S, looked_up)
        return looked_up

    def _looked_up(self, config: ModelConfig) -> asyncio.Future[Price | None]:
        names = (config.handle, config.model)
        own = (price for it, price in self._own if any(fnmatchcase(name, it) for name in names))
        price = next(own, None)
        near = _is_near(urlsplit(config.endpoint or "").hostname)
        if price is None and (not near or config.provider_type in _PLACELESS):
            return asyncio.ensure_future(asyncio.to_thread(_published, config))
        if price is None and (config.provider_type in _HERE or config.provider_name == "llamacpp"):
            price = FREE  # It runs on machines of the operator's.
        known = asyncio.get_running_loop().create_future()
        known.set_result(price)
        return known


def _is_near(host: str | None) -> bool:
    return host is None or not {".", ":"} & {*host} or names_private(host)


def _published(config: ModelConfig) -> Price | None:
    """Return the price in the published table for where the model is asked (in a thread)."""
    try:
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - slow, see above

        _, model = get_snapshot().find_provider_model(
            config.model, None, _PLACELESS.get(config.provider_type), config.endpoint or None
        )
        return _price(model.get_prices(datetime.now(UTC)))
    except LookupError:
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on (G-23)
        _log.warning("price.failed", model=config.handle, error=type(error).__qualname__)
        return None


def _price(published: "ModelPrice") -> Price | None:
    prices = [getattr(published, kind) for kind in _KINDS]
    if prices[0] is None or prices[-1] is None:
        return None  # It is not sold by the token.
    steps = {-1} | {tier.start for one in prices for tier in getattr(one, "tiers", ())}
    return tuple(
        _rates([_beyond(one, above) for one in prices], above=above)
        for above in sorted(steps, reverse=True)
    )


def _beyond(price: "Decimal | TieredPrices | None", above: int) -> Decimal | None:
    """Return what holds for prompts longer than `above` tokens."""
    if price is None or isinstance(price, Decimal):
        return price
    return next((one.price for one in price.tiers[::-1] if one.start <= above), price.base)


def _rates(usd: Sequence[Decimal | None], *, above: int = -1) -> Rates:
    """Return rates in the order of `_KINDS`; what nobody says of the cache is as of all input."""
    said = [usd[0] if one is None else one for one in usd]
    given, cached, written, output = (round((one or 0) * 1_000_000) for one in said)
    return Rates(above=above, input=given, cached_input=cached, cache_write=written, output=output)
