"""Where MCP servers may be: a caller names the address, so the operator says how far it reaches."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from eunoe.domain.addresses import names_private
from eunoe.domain.mcp_servers import HttpServer, McpConfig, StdioServer
from eunoe.engine.addresses import looked_up
from eunoe.errors import AddressRefused, McpAddressRefused, McpStdioDisabled, McpUnreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Whether private and loopback addresses may be asked, and whether commands may be run."""

    private: bool = False
    stdio: bool = False

    def check(self, config: McpConfig) -> None:
        """Raise `McpStdioDisabled` or `McpAddressRefused` for what may not be (X43, X44).

        A URL with placeholders is checked when they are filled, and every name once more when
        it is known what it stands for.
        """
        match config:
            case StdioServer():
                if not self.stdio:
                    raise McpStdioDisabled(
                        "MCP servers that are commands are not allowed here. The operator of this "
                        "server allows them with EUNOE_MCP_STDIO=true; they run with its rights."
                    )
            case HttpServer(url=url):
                if "{{" not in url:
                    self.check_url(url)

    def check_url(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host, parts = None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host:
            raise McpAddressRefused("The URL of an MCP server begins with http:// or https://.")
        if not self.private and names_private(host):
            raise _private(host)

    async def address(self, host: str, port: int) -> str:
        """Return the address to connect to for a host, which is allowed at this moment."""
        try:
            return await looked_up(host, port, private=self.private)
        except AddressRefused as error:
            raise _private(host) from error
        except (OSError, UnicodeError) as error:
            raise McpUnreachable(f"The host {host} of the MCP server is not known.") from error


def _private(host: str) -> McpAddressRefused:
    return McpAddressRefused(
        f"The MCP server's host {host} is not at a public address. The operator of this server "
        "allows private ones with EUNOE_MCP_PRIVATE_HOSTS=true."
    )
