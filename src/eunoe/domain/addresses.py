"""Which addresses of the network are anybody's, and which are somebody's own."""

import ipaddress
from typing import Final

_OWN_NAMES: Final = ("localhost", "metadata", "metadata.google.internal")
_OWN_SUFFIXES: Final = (
    ".localhost", ".local", ".localdomain", ".internal", ".home.arpa", ".svc", ".cluster.local",
)  # fmt: skip


def is_public(address: str) -> bool:
    """Whether an IP address is reachable, and meant to be, from everywhere."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_global and not parsed.is_multicast


def names_private(host: str) -> bool:
    """Whether a host says by its name or address that it is within somebody's own network."""
    name = host.strip("[]").rstrip(".").lower()
    if name in _OWN_NAMES or name.endswith(_OWN_SUFFIXES):
        return True
    try:
        return not is_public(name)
    except ValueError:
        return False
