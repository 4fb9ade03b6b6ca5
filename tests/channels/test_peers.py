"""Who is at the other end, as tables."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from channels.peers import client, parsed, shown, within
from config.values import Network

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))

# fmt: off
CLIENTS = [
    # the case, peer, X-Forwarded-For in order → client
    ("a stranger", "198.51.100.7", [], "198.51.100.7"),
    ("a stranger who claims to be another", "198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
    ("behind the proxy", "10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
    ("behind two proxies", "10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
    ("who wrote the header before the proxy did", "10.0.0.1", ["192.0.2.66, 203.0.113.9"], "203.0.113.9"),
    ("who wrote a proxy's address into it", "10.0.0.1", ["192.0.2.66, 10.0.0.3, 203.0.113.9"], "203.0.113.9"),
    ("in two headers", "10.0.0.1", ["192.0.2.66", "203.0.113.9,10.0.0.2"], "203.0.113.9"),
    ("the proxy itself", "10.0.0.1", [], "10.0.0.1"),
    ("nothing but proxies", "10.0.0.1", ["10.0.0.8, 10.0.0.9"], "10.0.0.8"),
    ("blanks and empty hops", "10.0.0.1", [" , 203.0.113.9 ,, "], "203.0.113.9"),
    ("IPv6", "2001:db8::7", [], "2001:db8::7"),
    ("IPv6 behind a proxy of IPv6", "fd00::1", ["2001:db8::7"], "2001:db8::7"),
    ("IPv4 seen by a listener on both", "::ffff:198.51.100.7", [], "198.51.100.7"),
    ("a proxy seen so", "::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
    ("a client told so", "10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
    ("a word", "10.0.0.1", ["unknown"], None),
    ("a word that the proxy wrote behind an address", "10.0.0.1", ["203.0.113.9, unknown"], None),
    ("a word that a stranger wrote before it", "10.0.0.1", ["unknown, 203.0.113.9"], "203.0.113.9"),
    ("an address with its port", "10.0.0.1", ["203.0.113.9:4711"], None),
    ("a socket without an address", "", ["203.0.113.9"], None),
]
# fmt: on


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"), [case[1:] for case in CLIENTS], ids=[case[0] for case in CLIENTS]
)
def test_whom_a_request_comes_from(peer: str, forwarded: list[str], found: str | None) -> None:
    assert client(peer, forwarded, PROXIES) == (None if found is None else ip_address(found))


@given(header=st.text(max_size=60))
def test_no_stranger_chooses_who_they_are(header: str) -> None:
    assert client("198.51.100.7", [header], PROXIES) == ip_address("198.51.100.7")
    assert client("10.0.0.1", [f"{header}, 198.51.100.7"], PROXIES) == ip_address("198.51.100.7")


@pytest.mark.parametrize(
    ("address", "networks", "inside"),
    [
        ("192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.2.7", ["192.0.2.7"], True),
        ("192.0.2.7", ["198.51.100.0/24", "192.0.2.0/29"], True),
        ("192.0.2.8", ["192.0.2.0/29"], False),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.2.7", ["::ffff:192.0.2.0/120"], True),
        ("192.0.2.7", ["::/0"], False),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("2001:db8::1", ["0.0.0.0/0"], False),
        ("192.0.2.7", [], False),
        ("nobody", ["0.0.0.0/0", "::/0"], False),
    ],
)
def test_which_addresses_are_within(address: str, networks: list[str], inside: bool) -> None:
    read = TypeAdapter(tuple[Network, ...]).validate_python(networks)
    assert within(parsed(address), read) is inside


@pytest.mark.parametrize(
    ("address", "said"),
    [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2::77", "2001:db8:1::/48"), ("nobody", "unknown")],
)
def test_a_log_shows_the_network_alone(address: str, said: str) -> None:
    assert shown(parsed(address)) == said
