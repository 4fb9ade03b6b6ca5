"""Handing a reply to a provider: the request as a value, and what its answer means as the errors of the contract."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Literal, NoReturn

import msgspec

from channels.errors import Misconfigured, Refused, RetryLater
from channels.http import HttpResponse, classify
from channels.sms.numbers import E164
from channels.sms.segments import encoding, split, to_gsm

MAX_SEGMENTS = 10
"""Segments of one message to a provider. Kannel drops what goes beyond its max-messages (10), Twilio refuses more
than 1600 characters, Infobip and Vonage have bounds of about this size; a longer text goes out as several messages."""

Verdict = Literal["retry", "throttled", "credentials", "credit", "sender", "refused"]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request: ``params`` go into the query, and at most one of ``form``, ``json``, ``body`` is set."""

    method: str
    url: str
    params: Mapping[str, str] = {}
    form: Mapping[str, str] = {}
    json: Any = None
    body: bytes = b""
    headers: Mapping[str, str] = {}

    def options(self) -> dict[str, Any]:
        """The keyword arguments for :meth:`channels.http.HttpClient.request`."""
        options: dict[str, Any] = {"headers": dict(self.headers)}
        if self.params:
            options["params"] = dict(self.params)
        if self.form:
            options["data"] = dict(self.form)
        elif self.body:
            options["data"] = self.body
        elif self.json is not None:
            options["json"] = self.json
        return options


def recipient(to: str) -> str:
    """``to`` if it is an E.164 number with its plus. Raises :class:`Refused` for a short code, a word or garbage."""
    if not E164.fullmatch(to):
        raise Refused("the recipient is not a phone number", reason="not_a_number")
    return to


def pieces(text: str) -> list[str]:
    """``text`` as the messages to hand over, in the cheaper alphabet where only typography stands in its way."""
    if not text.strip():
        raise Refused("the text is empty", reason="empty_text")
    plain = to_gsm(text)
    return split(plain if encoding(plain) == "gsm" else text, MAX_SEGMENTS)


def fail(verdict: Verdict, said: str, *, retry_after: float | None = None) -> NoReturn:
    """Raise what a provider's verdict means.

    ``said`` holds the provider's code in our words, never its text, which may hold a number or a key.
    """
    match verdict:
        case "retry":
            raise RetryLater(said, retry_after=retry_after)
        case "throttled":
            raise RetryLater(said, reason="throttled", retry_after=retry_after, whole_channel=True)
        case "credentials" | "credit" | "sender":
            raise Misconfigured(said, reason=verdict)
        case "refused":
            raise Refused(said)


def settle(response: HttpResponse, *, detail: str = "") -> None:
    """:func:`~channels.http.classify` for SMS APIs, where a path that is not there is our setting and 402 our bill."""
    if response.status in (404, 405, 410):
        raise Misconfigured(f"the provider answered {response.status}: is send_url right?", reason="bad_url")
    if response.status == 402:
        raise Misconfigured("the provider answered 402: no credit is left", reason="credit")
    classify(response, detail=detail)


def basic_auth(username: str, password: str) -> dict[str, str]:
    """The Authorization header of RFC 7617."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
    return {"Authorization": f"Basic {pair}"}
