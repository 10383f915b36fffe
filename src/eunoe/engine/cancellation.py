"""How a run is told to stop while it waits for a model or a tool."""

from collections.abc import Generator
from contextlib import contextmanager

import anyio


class Cancellation:
    """Set once, from outside; ends whatever wait is covered then or later (G-11).

    `fence` is that of the run once it is owned here, so that who watches from outside can tell.
    """

    def __init__(self) -> None:
        self.requested = False
        self.fence = 0
        self._scope: anyio.CancelScope | None = None

    def request(self) -> None:
        self.requested = True
        if self._scope is not None:
            self._scope.cancel()

    @contextmanager
    def covering(self) -> Generator[None]:
        """Run the block until it is done or cancellation is requested, whichever is first."""
        with anyio.CancelScope() as scope:
            self._scope = scope
            if self.requested:
                scope.cancel()
            try:
                yield
            finally:
                self._scope = None
