"""Where the host is that a caller named: at an address that was checked, and is connected to.

The connection goes to that very address, so that a second look-up cannot answer differently.
"""

import asyncio
import socket

from eunoe.domain.addresses import is_reachable
from eunoe.errors import AddressRefused


async def looked_up(host: str, port: int, *, private: bool) -> str:
    """Return the address to connect to; with `private` it may be in a network of the server's.

    Raises `AddressRefused` where any address of the host may not be asked, and what the look-up
    raises.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not all(is_reachable(one, private=private) for one in addresses):
        raise AddressRefused
    return addresses[0]
