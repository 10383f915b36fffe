"""What a user was granted by an MCP server that wants them to sign in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from eunoe.domain.messages import Json


class Grants(Protocol):
    """The grant of one user with one server, as it is stored; nothing is an empty object."""

    async def load(self) -> Json: ...

    async def keep(self, granted: Json) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How a user is asked to sign in: `show` is given the address to visit and its state.

    `answer` waits for what the visit came to: `code`, and `iss` where it was told, or `error`.
    `callback` is the address that the visit ends at.
    """

    callback: str
    show: Callable[[str, str], Awaitable[None]]
    answer: Callable[[str], Awaitable[Json]]
