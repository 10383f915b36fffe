"""Where a provider that a caller brought may be: every look-up of its host is checked.

The connection goes to the very address that was checked, so that a second look-up cannot
differ. The server's own providers are the operator's choice and are not looked at.
"""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

from eunoe.domain.addresses import is_public


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
        if not all(map(self._allows, addresses)):
            text = (
                f"The host {host} of the provider is not at an address that may be asked; "
                "the operator of this server allows private ones with "
                "EUNOE_BYOK_PRIVATE_HOSTS=true"
            )
            raise OSError(text)
        return addresses[0]

    def _allows(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address.partition("%")[0])
        mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
        one = mapped or parsed
        if one.is_link_local or one.is_multicast or one.is_unspecified:
            return False
        return self.private or is_public(address)
