"""`eunoe server`: check what can be checked, run uvicorn, and say what is there once it is."""

import asyncio
import gc
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import uvicorn
from pydantic import SecretStr
from rich.console import Console
from uvicorn.supervisors import Multiprocess

from eunoe import settings
from eunoe.app import VERSION, create_app, sealing
from eunoe.cli import models
from eunoe.cli.banner import MadeUp, announce
from eunoe.cli.failure import CommandFailed
from eunoe.cli.stopping import draining_first
from eunoe.llm.prices import read_prices
from eunoe.service.keys import create_first
from eunoe.settings import PREFIX, Settings
from eunoe.store.database import opened, served

Application: TypeAlias = Callable[..., Any]
"""An ASGI application. Which framework it is made with is not this command's to know."""

_PASSWORD_BYTES: Final = 24
_KEEP_ALIVE_S: Final = 30
# Objects made and not gone before the collector looks; a request makes some thousands that go.
_GARBAGE: Final = 10_000


def serve(*, host: str | None, port: int | None, workers: int | None, secure: bool) -> int:
    """Serve until told to stop. Raises `CommandFailed` when the address cannot be had."""
    # A host that lacks a password is not yet refused.
    set_one = settings.load(host="127.0.0.1").password if secure else ""
    made_up = secrets.token_urlsafe(_PASSWORD_BYTES) if set_one is None else None
    configured = settings.load(
        host=host,
        port=port,
        workers=workers,
        password=None if made_up is None else SecretStr(made_up),
    )
    # uvicorn raises the signal that ended it once more when all is closed: to stop is no failure.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    with bound(configured) as listener, served(configured.database_url):
        models.ensure(configured, Console(highlight=False))
        actual = configured.model_copy(update={"port": listener.getsockname()[1]})
        key = asyncio.run(_prepare(actual))
        made = MadeUp(password=made_up, key=key)
        threading.Thread(target=announce, args=(actual, VERSION, made), daemon=True).start()
        _run(actual, listener)
    return 0


def _run(configured: Settings, listener: socket.socket) -> None:
    if configured.workers == 1:
        uvicorn.Server(_config(configured, _application(configured))).run(sockets=[listener])
    else:
        _hand_down(configured)
        config = _config(configured, "eunoe.cli.serve:worker_app")
        Multiprocess(config, sockets=[listener]).run()


def worker_app() -> Application:
    """Return the application of one of several processes, which inherit the environment."""
    return _application(settings.load())


def _application(configured: Settings) -> Application:
    """Return the application; what was made for it stays, so the collector need not look at it."""
    app = create_app(configured, around=draining_first)
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    return app


def bound(configured: Settings) -> socket.socket:
    """Take the address now, so that nothing is started where it is taken already."""
    family = socket.AF_INET6 if ":" in configured.host else socket.AF_INET
    # Named as TCP's: only then asyncio has small pieces of a stream sent at once.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((configured.host, configured.port))
    except OSError as error:
        listener.close()
        sentence = (
            f"Cannot listen on {configured.host}:{configured.port}: {error.strerror}. "
            "Stop what is there, or choose another port: --port, EUNOE_PORT."
        )
        raise CommandFailed(sentence) from error
    listener.set_inheritable(True)
    return listener


async def _prepare(configured: Settings) -> str | None:
    """Bring the data up to date once, before any worker opens it; what is wrong ends here.

    Returns the first key, where keys are wanted and there is none yet that administers.
    """
    configured.data_dir.mkdir(parents=True, exist_ok=True)
    sealing(configured)
    read_prices(configured.prices)
    async with opened(configured.database_url) as db:
        return (
            await create_first(db) if configured.require_key and not configured.password else None
        )


def _hand_down(configured: Settings) -> None:
    """Put what options said into the environment of the processes to come."""
    os.environ[f"{PREFIX}HOST"] = configured.host
    os.environ[f"{PREFIX}PORT"] = str(configured.port)
    os.environ[f"{PREFIX}WORKERS"] = str(configured.workers)
    if configured.password is not None:
        os.environ[f"{PREFIX}PASSWORD"] = configured.password.get_secret_value()


def _config(configured: Settings, app: Application | str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=configured.workers,
        access_log=configured.log_level == "debug",
        lifespan="on",
        # The application sets up the logs, one form for all; uvicorn must not set up its own.
        log_config=None,
        server_header=False,
        # Readers are sent away when the grace is over, and that takes a moment.
        timeout_graceful_shutdown=round(configured.shutdown_grace_s) + 2,
        timeout_keep_alive=_KEEP_ALIVE_S,
        ws="none",
    )
