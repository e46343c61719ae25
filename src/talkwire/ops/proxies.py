"""Whose request it is, when a reverse proxy stands between: limits per address must not count the proxy."""

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas. Raises ValueError."""
    words = (word.strip() for word in text.split(","))
    return tuple(ipaddress.ip_network(word, strict=False) for word in words if word)


def client_address(remote: str, forwarded_for: Iterable[str], trusted: tuple[Network, ...]) -> str:
    """The nearest address that is no proxy of ours.

    `forwarded_for` is X-Forwarded-For, in order: each proxy adds at the right whom it heard, so what
    stands left of an address that we do not trust may be invented.
    """
    address = remote
    for hop in reversed([hop.strip() for value in forwarded_for for hop in value.split(",")]):
        if not _is_in(address, trusted) or not _is_address(hop):
            break
        address = hop
    return address


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    if not _is_address(address):
        return False
    found = ipaddress.ip_address(address)
    return any(found in network for network in networks)
