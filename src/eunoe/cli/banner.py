"""What a server that is up says to who started it: where it is, what it serves, what to try."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.text import Text

from eunoe import errors
from eunoe.cli import models
from eunoe.cli.client import Client, Served
from eunoe.cli.failure import CommandFailed
from eunoe.llm.local_source import lacking
from eunoe.llm.providers import ProviderConfig, providers_from
from eunoe.settings import Settings

_PAUSE_S: Final = 0.02
_GIVE_UP_S: Final = 120.0
_SHOWN: Final = 4
_DEFAULT_PORT: Final = 8283


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUp:
    """What was made for this start and is shown now: a password, or the first key."""

    password: str | None = None
    key: str | None = None


def no_model() -> str:
    """Return what a server without any model says about it."""
    lacked = lacking()
    local = f"install what runs the local model: {lacked}" if lacked else "EUNOE_LOCAL_MODEL=auto"
    return (
        "none; set OPENAI_API_KEY, ANTHROPIC_API_KEY, OLLAMA_BASE_URL or another provider's "
        f"variable, or {local}"
    )


def announce(configured: Settings, version: str, made_up: MadeUp) -> None:
    """Wait until the server is healthy, then print what it offers. Runs beside it, on a thread."""
    credential = configured.credential or made_up.key
    with Client(configured.url, password=credential) as client:
        pause = threading.Event()
        for _ in range(round(_GIVE_UP_S / _PAUSE_S)):
            if client.version() is not None:
                break
            pause.wait(_PAUSE_S)
        else:
            return
        try:
            locked = configured.require_key and credential is None
            served = None if locked else client.served()
        except CommandFailed:
            # It was told to stop while it started; there is nothing left to announce.
            return
    show(Console(highlight=False), configured, version, served, made_up)


def show(
    console: Console, configured: Settings, version: str, served: Served | None, made_up: MadeUp
) -> None:
    """Print the banner."""
    rows = [("data", configured.database_label)]
    if served is not None:
        providers = providers_from(configured.provider_values)
        none = "none" if providers else no_model()
        embeddings = _some(served.embeddings) or "none; search finds words, not meanings"
        silent = [one for one in providers if not served.has_models_of(one.name)]
        missed = asyncio.run(_missed(silent))
        rows = [
            ("models", _some(served.models) or none),
            *missed,
            ("embeddings", embeddings),
            *rows,
        ]
    if made_up.password is not None:
        rows.append(("password", f"{made_up.password}  (for this start; EUNOE_PASSWORD sets one)"))
    if made_up.key is not None:
        rows.append(("key", f"{made_up.key}  (shown this once; it administers the server)"))
    console.print(Text(f"\nEunoe {version} listens on ") + Text(f"{configured.url}\n", "bold cyan"))
    for name, value in rows:
        console.print(Text(f"  {name:<11} ", "dim") + Text(value), soft_wrap=True)
    place = "" if configured.port == _DEFAULT_PORT else f" --url {configured.url}"
    console.print(Text("\nTry: ") + Text(f"eunoe chat{place}\n", "bold"), soft_wrap=True)


async def _missed(providers: Sequence[ProviderConfig]) -> list[tuple[str, str]]:
    """Say of each provider that adds no models why that is, as it says itself."""

    async def why(provider: ProviderConfig) -> tuple[str, str]:
        try:
            await models.asked(provider)
        except errors.ModelError as error:
            later = "; its models are served once it answers"
            return provider.name, f"{provider.base_url}: {error}; {models.remedy(error)}{later}"
        return provider.name, f"{provider.base_url}: lists no models"

    return await asyncio.gather(*map(why, providers))


def _some(handles: tuple[str, ...]) -> str:
    more = len(handles) - _SHOWN
    return ", ".join(handles[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
