"""What happens between a signal to stop and the end of the process: it drains."""

import asyncio
import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeAlias

from eunoe.runs.runner import Runner

_Handler: TypeAlias = Callable[[int, FrameType | None], object]
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def draining_first(runner: Runner) -> Generator[None]:
    """Let a signal to stop reach the one who handles it now only once the runner has drained.

    Who presses Ctrl-C a second time does not wait. A supervisor sends its own signal after the
    one of a terminal, which is no second wish.
    """
    loop = asyncio.get_running_loop()
    handlers: Mapping[int, _Handler] = {
        number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))
    }

    def on_signal(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and runner.draining:
            handlers[number](number, frame)
        else:
            loop.call_soon_threadsafe(runner.drain, lambda: handlers[number](number, None))

    for number in handlers:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
