"""Where a webhook may be sent: never inside our own network, unless the operator allowed that host.

The address is judged when the socket for it is made, so that a name that resolves differently from one look to
the next gains nothing. Source: docs/protocol.md 8.
"""

import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Address = IPv4Address | IPv6Address
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
SocketFactory = Callable[[AddressInfo], socket.socket]

_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_REFUSED_V4 = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
            "168.63.129.16/32",  # a cloud provider's own service, at an address that looks public
        ),
    )
)
"""Written out: what Python calls global differs between its versions."""


class AddressRefused(OSError):
    """A webhook's host is at an address that we do not send to."""


def is_public(address: Address) -> bool:
    """Whether anybody on the internet may be there, also when IPv4 is wrapped in IPv6."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    inner = _wrapped(address)
    if inner is not None:
        return is_public(inner)
    return address in _PUBLIC_V6 and not any(address in network for network in _REFUSED_V6)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def guarded_sockets(*, allow_loopback: bool) -> SocketFactory:
    """Makes sockets for addresses that are public. Raises AddressRefused for others."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        address = ip_address(str(sockaddr[0]).split("%")[0])
        if not (is_public(address) or (allow_loopback and address.is_loopback)):
            raise AddressRefused(errno.EACCES, f"{address} is not a public address")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return make
