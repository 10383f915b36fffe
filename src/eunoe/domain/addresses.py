"""Which addresses of the network are anybody's, and which are somebody's own."""

import ipaddress
from typing import Final, TypeAlias

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_EMBEDDING: Final = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""Networks of addresses that end in an IPv4 address, which is where they lead."""
_OWN_NETWORKS: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "fec0::/10")))
"""Somebody's own by their definition, though not by that of the standard library."""
_OF_MACHINES: Final = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"))
)
"""Where clouds tell machines of themselves, beside the link-local address of most."""
_OWN_NAMES: Final = ("localhost", "metadata", "metadata.google.internal")
_OWN_SUFFIXES: Final = (
    ".localhost", ".local", ".localdomain", ".internal", ".home.arpa", ".svc", ".cluster.local",
)  # fmt: skip


def is_reachable(address: str, *, private: bool) -> bool:
    """Whether a request that a caller directs may go to an IP address, whatever form it has.

    `private` opens somebody's own networks and loopback. Where machines ask for their own
    credentials nobody's requests go (FIX-69).
    """
    one = _innermost(ipaddress.ip_address(address.partition("%")[0]))
    if one in _OF_MACHINES or one.is_link_local or one.is_multicast or one.is_unspecified:
        return False
    return private or (one.is_global and not any(one in network for network in _OWN_NETWORKS))


def is_public(address: str) -> bool:
    """Whether an IP address is reachable, and meant to be, from everywhere."""
    return is_reachable(address, private=False)


def _innermost(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if not address.is_loopback and any(address in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(address.packed[-4:])
    return (
        address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address
    )


def names_private(host: str) -> bool:
    """Whether a host says by its name or address that it is within somebody's own network."""
    name = host.strip("[]").rstrip(".").lower()
    if name in _OWN_NAMES or name.endswith(_OWN_SUFFIXES):
        return True
    try:
        return not is_public(name)
    except ValueError:
        return False
