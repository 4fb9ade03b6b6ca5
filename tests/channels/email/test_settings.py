"""Settings: a way in and a way out, strict, each error at its key, and silent about passwords."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from channels.email import EmailSettings
from channels.email.settings import ADDRESS, SECRET_FIELDS, Server, endpoint, server
from tests.channels.email.accounts import settings
from tests.channels.email.kit import SECRETS, SETTINGS


def test_what_stands_when_little_is_said() -> None:
    found = EmailSettings.model_validate(
        {
            "address": "Lapor@Example.go.id",
            "imap_url": "imaps://user:password@mail.example.go.id",
            "smtp_url": "smtps://user:password@mail.example.go.id",
        }
    )
    assert found.own_addresses == {"lapor@example.go.id"}
    assert (found.folders, found.backfill, found.domain, found.listen) == (("INBOX",), 86400, "example.go.id", None)
    assert found.peers == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert found.max_size == 50 * 1024 * 1024


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("imaps://user:password@mail.example.go.id", Server("imaps", "mail.example.go.id", 993, "user", "password")),
        ("imap://user:password@[::1]:1143/", Server("imap", "::1", 1143, "user", "password")),
        ("smtps://mail.example.go.id", Server("smtps", "mail.example.go.id", 465)),
        ("smtp://a%40b.id:p%3Aa%2Fs%40s%C3%A9@127.0.0.1:25", Server("smtp", "127.0.0.1", 25, "a@b.id", "p:a/s@sé")),
        ("smtp://mail.example.go.id", Server("smtp", "mail.example.go.id", 587)),
    ],
)
def test_urls(url: str, expected: Server) -> None:
    assert server(url, "imaps", "imap", "smtps", "smtp") == expected


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.9", True), ("[::1]", True), ("LocalHost", True), ("8.8.8.8", False), ("a.id", False)]
)
def test_this_machine(host: str, local: bool) -> None:
    assert server(f"smtp://{host}", "smtp").local is local


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "lapor"},
        {"address": "lapor@example.go.id\nBcc: x@example.org"},
        {"address": "a b@example.go.id"},
        {"aliases": ["lapor@"]},
        {"imap_url": "https://user:password@mail.example.go.id"},
        {"imap_url": "imaps://mail.example.go.id"},
        {"imap_url": "imaps://user@mail.example.go.id"},
        {"imap_url": "imaps://user:pa55-word@mail.example.go.id:x"},
        {"imap_url": "imaps://user:pa55-word@/"},
        {"imap_url": "imaps://user:pa55-word%0d%0aA1@mail.example.go.id"},
        {"imap_url": "imap://user:pa55-word@mail.example.go.id"},
        {"imap_url": "imaps://user:pa55-word@mail.example.go.id/INBOX"},
        {"imap_url": None},
        {"smtp_url": None},
        {"smtp_url": "lmtp://127.0.0.1"},
        {"smtp_url": "smtp://"},
        {"folders": []},
        {"folders": [""]},
        {"folders": ["INBOX\r\nA1 DELETE INBOX"]},
        {"listen": "8025"},
        {"listen": "127.0.0.1:0"},
        {"listen": "127.0.0.1:65536"},
        {"listen": ":8025"},
        {"protocol": "uucp"},
        {"allowed_peers": ["mail.example.go.id"]},
        {"allowed_peers": ["10.0.0.0/33"]},
        {"verification": "maybe"},
        {"message_id_domain": "example.go.id>"},
        {"max_size": 10},
        {"poll_seconds": 0},
        {"backfill": "-1h"},
        {"colour": "red"},
        {"type": "sms"},
    ],
    ids=str,
)
def test_a_wrong_value_or_key_is_refused_at_its_key(changes: dict[str, Any]) -> None:
    document = {key: value for key, value in (dict(SETTINGS) | changes).items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        EmailSettings.model_validate(document)
    assert {error["loc"][0] for error in caught.value.errors()} == set(changes)
    assert "pa55-word" not in str(caught.value)


def test_a_listener_is_enough_to_take_mail() -> None:
    found = settings(imap_url=None, listen="127.0.0.1:8025", protocol="lmtp", allowed_peers=["10.1.2.3", "10.2.0.0/16"])
    assert found.imap is None
    assert found.peers == (ip_network("10.1.2.3/32"), ip_network("10.2.0.0/16"))
    assert settings(listen="127.0.0.1:8025", verification="none").peers is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:8025", ("127.0.0.1", 8025)), ("[::1]:25", ("::1", 25)), ("mx.lan:24", ("mx.lan", 24))],
)
def test_endpoints(text: str, expected: tuple[str, int]) -> None:
    assert endpoint(text) == expected


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("ana@example.org", True),
        ("ana.wijaya+lapor@mail.example.org", True),
        ("ana@localhost", True),
        ("ana", False),
        ("@example.org", False),
        ("ana@", False),
        ("ana@-example.org", False),
        ("ana@example..org", False),
        ("ana@example.org\n", False),
        ("a" * 65 + "@example.org", False),
        ("ana@" + "a." * 130 + "org", False),
        ("ana@[127.0.0.1]", False),
    ],
)
def test_addresses(address: str, is_one: bool) -> None:
    assert bool(ADDRESS.fullmatch(address)) is is_one


def test_no_password_is_shown() -> None:
    found = settings()
    assert EmailSettings.model_fields.keys() >= SECRET_FIELDS
    shown = f"{found!r} {found.imap!r} {found.smtp!r} {found.model_dump_json()}"
    assert [secret for secret in SECRETS if secret in shown] == []
    assert found.smtp.password == "pa55-word"
