"""How a command says that it cannot go on: one sentence, then exit."""

from typing import Final

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130


class CommandFailed(Exception):
    """The command cannot do this; its text says why and what to do next."""

    def __init__(self, sentence: str, *, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code
