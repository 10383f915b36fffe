"""Where a provider that a caller brought may be: every look-up of its host is checked.

The server's own providers are the operator's choice and are not looked at.
"""

from dataclasses import dataclass

from eunoe.engine.addresses import looked_up
from eunoe.errors import AddressRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """`private` lets requests into private and loopback networks, where models live.

    Where machines ask for their own credentials (link-local) nobody's requests go.
    """

    private: bool = False

    async def address(self, host: str, port: int) -> str:
        """Return the address to connect to. Raises `OSError` for one that is not allowed."""
        try:
            return await looked_up(host, port, private=self.private)
        except AddressRefused as error:
            text = (
                f"The host {host} of the provider is not at an address that may be asked; "
                "the operator of this server allows private ones with "
                "EUNOE_BYOK_PRIVATE_HOSTS=true"
            )
            raise OSError(text) from error
