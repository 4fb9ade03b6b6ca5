"""Every webhook with an account of its own, what its provider would send, and how that is proven."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from channels.signing import hmac_base64
from channels.sms.dialects.generic import signature
from tests.channels.goldens import goldens
from tests.channels.sms.accounts import ACCOUNTS, PASSWORD, SIGNATURE, TOKEN
from tests.channels.telegram.kit import HEADER as TELEGRAM_HEADER
from tests.channels.telegram.kit import KIT as TELEGRAM
from tests.channels.telegram.kit import SECRET as TELEGRAM_SECRET
from tests.channels.twitter.account import CONSUMER
from tests.channels.twitter.kit import HEADER as TWITTER_HEADER
from tests.channels.twitter.kit import KIT as TWITTER
from tests.fuzz.wire import Header

NOWHERE = "http://127.0.0.1:1/"
URL = "http://gateway.example.go.id"
JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Account:
    """One webhook. ``proof`` gives the headers and the query that prove a body; ``samples`` are what it may hold."""

    name: str
    table: Mapping[str, Any]
    proof: Callable[[bytes], tuple[tuple[Header, ...], bytes]]
    samples: tuple[Any, ...]
    kind: bytes = JSON
    receipts: bool = True

    def body(self, document: Any) -> bytes:
        """A document as the provider writes it."""
        if self.kind == JSON:
            return json.dumps(document).encode()
        fields = document if isinstance(document, dict) else {"odd": document}
        return urlencode({k: str(v) for k, v in fields.items()}, errors="surrogatepass").encode()


def _token(_body: bytes) -> tuple[tuple[Header, ...], bytes]:
    return (), b"?token=" + TOKEN.encode()


def _telegram(_body: bytes) -> tuple[tuple[Header, ...], bytes]:
    return ((TELEGRAM_HEADER.encode(), TELEGRAM_SECRET.encode()),), b""


def _twitter(body: bytes) -> tuple[tuple[Header, ...], bytes]:
    return ((TWITTER_HEADER.encode(), f"sha256={hmac_base64(CONSUMER, body)}".encode()),), b""


def _generic(body: bytes) -> tuple[tuple[Header, ...], bytes]:
    now = str(int(time.time()))
    return ((b"X-Timestamp", now.encode()), (b"X-Signature", signature(SIGNATURE, now, body).encode())), b""


def _twilio(body: bytes) -> tuple[tuple[Header, ...], bytes]:
    from channels.errors import Malformed
    from channels.forms import parse_fields

    try:
        form = parse_fields(body)
    except Malformed:
        form = {}
    fields = "".join(f"{name}{form[name]}" for name in sorted(form))
    signed = (f"{URL}/webhooks/sms-twilio" + fields).encode("utf-8", "surrogateescape")
    return ((b"X-Twilio-Signature", hmac_base64(PASSWORD, signed, "sha1").encode()),), b""


def _samples(file: str) -> tuple[Any, ...]:
    requests = [one.case["request"] for one in goldens("sms", "inbound") if one.file == file]
    return tuple(one.get("document") or one.get("form") for one in requests if one.get("document") or one.get("form"))


def _sms(dialect: str, proof: Callable[[bytes], tuple[tuple[Header, ...], bytes]], kind: bytes) -> Account:
    table = {"type": "sms", "dialect": dialect, "sender": "1708"} | ACCOUNTS[dialect]
    if dialect != "twilio":
        table["send_url"] = NOWHERE
    return Account(f"sms-{dialect}", table, proof, _samples(dialect), kind)


DOORS = (
    _sms("kannel", _token, FORM),
    _sms("vonage", _token, JSON),
    _sms("infobip", _token, JSON),
    _sms("generic", _generic, JSON),
    _sms("twilio", _twilio, FORM),
    Account(
        "telegram",
        {**TELEGRAM.settings, "api_url": NOWHERE.rstrip("/")},
        _telegram,
        tuple(one.case["update"] for one in goldens("telegram", "inbound") if isinstance(one.case.get("update"), dict)),
        receipts=False,
    ),
    Account(
        "twitter",
        {**TWITTER.settings, "api_url": NOWHERE.rstrip("/"), "catch_up": 0},
        _twitter,
        tuple(
            one.case["activity"] for one in goldens("twitter", "inbound") if isinstance(one.case.get("activity"), dict)
        ),
        receipts=False,
    ),
)
