"""Where a provider that a caller brought may be: every look-up of its host is checked.

The connection goes to the very address that was checked, so that a second look-up cannot
differ. The server's own providers are the operator's choice and are not looked at.
"""

import asyncio
import socket
from dataclasses import dataclass

from eunoe.domain.addresses import is_reachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """`private` lets requests into private and loopback networks, where models live.

    Where machines ask for their own credentials (link-local) nobody's requests go.
    """

    private: bool = False

    async def address(self, host: str, port: int) -> str:
        """Return the address to connect to. Raises `OSError` for one that is not allowed."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not all(is_reachable(one, private=self.private) for one in addresses):
            text = (
                f"The host {host} of the provider is not at an address that may be asked; "
                "the operator of this server allows private ones with "
                "EUNOE_BYOK_PRIVATE_HOSTS=true"
            )
            raise OSError(text)
        return addresses[0]
