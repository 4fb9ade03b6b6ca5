"""Who is at the other end of a connection: addresses, networks, and who stands behind a trusted proxy.

Everything that allows or slows down by address asks here, so that one request is never two clients. X-Forwarded-For
(MDN, "X-Forwarded-For") is the only header that is read, and only where a trusted proxy has written it; Forwarded
(RFC 7239) is not: a proxy that sets one of the two lets whatever a stranger wrote into the other through.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Networks = Iterable[IPv4Network | IPv6Network]


def parsed(text: str) -> Address | None:
    """The address that a text is, ``None`` where it is none; an IPv4-mapped one is the IPv4 address in it.

    So a listener on both kinds of addresses sees a peer of the old kind as the settings write it.
    """
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def within(client: Address | None, networks: Networks) -> bool:
    """Whether an address is in one of the networks; one that nobody knows is in none."""
    return client is not None and any(client in network for network in networks)


def client(peer: str, forwarded: Iterable[str], proxies: Networks) -> Address | None:
    """Whom a request comes from, ``None`` where that cannot be told.

    ``peer`` is the connection's other end, ``forwarded`` the values of every X-Forwarded-For in their order. Each
    proxy adds at the right whom it was called by, so the list is read from there, and only past ``proxies``: what
    stands further left, a stranger may have written. Where a proxy of ours has written what is no address, nobody can
    tell; where it has written nothing, it is the client itself.
    """
    trusted = tuple(proxies)
    found = parsed(peer)
    if not within(found, trusted):
        return found
    for hop in reversed([part.strip() for part in ",".join(forwarded).split(",") if part.strip()]):
        found = parsed(hop)
        if not within(found, trusted):
            return found
    return found


def source(peer: str, forwarded: Iterable[str], proxies: Networks) -> str:
    """What a call counts for where calls are slowed down: the client's address, or the peer's where a proxy hides it.

    An IPv6 address counts as its /64: one household has them all.
    """
    found = client(peer, forwarded, proxies) or parsed(peer)
    if found is None:
        return peer[:64]
    return str(IPv6Network((found, 64), strict=False) if isinstance(found, IPv6Address) else found)


def shown(found: Address | None) -> str:
    """An address as a log may show it: its network alone, /24 or /48; it tells whose it is, not who."""
    if found is None:
        return "unknown"
    return str(
        IPv4Network((found, 24), strict=False)
        if isinstance(found, IPv4Address)
        else IPv6Network((found, 48), strict=False)
    )
