"""Zenziva, an Indonesian bulk SMS provider (docs: "API SMS Reguler", console.zenziva.net): it only sends.

The answer's ``status`` is 1 for yes and 0 for no; why is told in words alone, in Indonesian or English.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.base import InboundMessage, Request
from channels.errors import Malformed, Uncertain, Unverified
from channels.http import HttpResponse
from channels.sms.dialects.base import Dialect
from channels.sms.outbound import Call, Verdict, fail, settle
from channels.sms.settings import secret

_SAID: tuple[tuple[tuple[str, ...], Verdict], ...] = (
    (("userkey", "user key", "passkey", "pass key", "ip address", "expired", "masa aktif"), "credentials"),
    (("kredit", "credit", "saldo", "balance", "kuota", "quota"), "credit"),
    (("nomor", "number", "tujuan", "konten", "content", "pesan"), "refused"),
)
"""Words of a refusal, by what they mean; one with none of them is tried again."""


class Zenziva(Dialect):
    """Zenziva; ``sender`` is not sent: the account decides what the phone shows."""

    default_url = "https://console.zenziva.net/reguler/api/sendsms/"

    def check(self, request: Request) -> None:  # noqa: ARG002 - none proves anything
        """Nothing comes in from this provider, so nothing can prove that it does."""
        raise Unverified("Zenziva sends nothing in", reason="outbound_only")

    def parse(self, request: Request) -> Sequence[InboundMessage]:  # noqa: ARG002 - none is due
        """Raise :class:`Malformed`: this provider only sends."""
        raise Malformed("Zenziva sends nothing in", reason="outbound_only")

    def parse_status(self, request: Request) -> Sequence[InboundMessage]:  # noqa: ARG002 - none is due
        """Raise :class:`Malformed`: this provider reports nothing."""
        raise Malformed("Zenziva sends nothing in", reason="outbound_only")

    def call(self, to: str, text: str, delivery: str) -> Call:  # noqa: ARG002 - no place for it
        """A form to the regular route; it has no place for our delivery id."""
        return Call(
            method="POST",
            url=self.send_url,
            form={
                "userkey": self.settings.username or "",
                "passkey": secret(self.settings.password),
                "to": to.removeprefix("+"),
                "message": text,
            },
        )

    def read(self, response: HttpResponse) -> tuple[str, ...]:
        """JSON with ``status`` 1 and a ``messageId``."""
        settle(response)
        document: Any = response.json()
        status = str(document.get("status", "")) if isinstance(document, dict) else ""
        if status not in ("0", "1"):
            raise Uncertain("Zenziva answered without its usual JSON")
        if status == "0":
            said = str(document.get("text", "")).lower()
            for words, verdict in _SAID:
                if any(word in said for word in words):
                    fail(verdict, f"Zenziva answered status 0 ({verdict})")
            fail("retry", "Zenziva answered status 0 for a reason we do not know")
        identifier = document.get("messageId")
        return (str(identifier),) if identifier else ()
