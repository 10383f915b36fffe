"""`eunoe mcp`: a running server's agents, for programs that start their MCP servers as commands."""

import asyncio
from importlib.metadata import version

from eunoe import settings
from eunoe.cli.client import connected
from eunoe.tools.mcp_serving import bridge


def serve(*, url: str | None) -> int:
    """Pass on what is asked over standard input, until it ends."""
    with connected(url) as client:
        client.agents()  # Tells why not, where the bridge would only fail.
    configured = settings.load()
    headers: dict[str, str] = {}
    if configured.credential is not None:
        headers["Authorization"] = f"Bearer {configured.credential}"
    address = f"{(url or configured.url).rstrip('/')}/mcp"
    asyncio.run(bridge(address, headers, version=version("eunoe")))
    return 0
