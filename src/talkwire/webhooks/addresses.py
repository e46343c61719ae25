"""Where a webhook may be sent: never inside our own network, unless the operator allowed that host.

The address is judged when the socket for it is made, so that a name that resolves differently from one look to
the next gains nothing. Source: docs/protocol.md 8.
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

Address = IPv4Address | IPv6Address
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
SocketFactory = Callable[[AddressInfo], socket.socket]

_NAT64 = IPv6Network("64:ff9b::/96")
_REFUSED_NETWORKS = (
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of one's own: leads anywhere
    IPv6Network("::/96"),  # IPv4 in the oldest clothes
    IPv6Network("5f00::/16"),  # segment routing
)
_CLOUD_HOSTS = frozenset({IPv4Address("168.63.129.16")})  # a provider's own service at a public address


class AddressRefused(OSError):
    """A webhook's host is at an address that we do not send to."""


def is_public(address: Address) -> bool:
    """Whether anybody on the internet may be there, also when IPv4 is wrapped in IPv6."""
    if isinstance(address, IPv6Address):
        inner = _wrapped(address)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or any(address in network for network in _REFUSED_NETWORKS):
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and address not in _CLOUD_HOSTS
    )


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def guarded_sockets(*, allow_loopback: bool) -> SocketFactory:
    """Makes sockets for addresses that are public. Raises AddressRefused for others."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        address = ip_address(str(sockaddr[0]).split("%")[0])
        if not (is_public(address) or (allow_loopback and address.is_loopback)):
            raise AddressRefused(f"{address} is not a public address")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return make
