"""What a user was granted by an MCP server that wants them to sign in."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import httpx2


class Grants(Protocol):
    """The grants of one user with one server."""

    async def auth(self, url: str) -> "httpx2.Auth | None":
        """Return what puts the user's token on each request, null for none."""
        ...
