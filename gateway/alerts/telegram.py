"""Alerts to a Telegram chat by a bot of their own ("sendMessage" of the Bot API), in both languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, Final

from channels.errors import RetryLater
from channels.http import HttpClient, HttpResponse, classify
from gateway.alerts.sinks import Message
from gateway.alerts.texts import body, headline

MAX_UNITS: Final = 4096
"""Of one message, in UTF-16 code units, which is what Telegram counts in."""


class Telegram:
    """Writes to ``chat`` as the bot with this ``token``. ``base_url`` is the gateway's own address."""

    name = shown = "telegram"

    def __init__(
        self, http: HttpClient, api_url: str, token: str, chat: str, zone: tzinfo, base_url: Callable[[], str]
    ) -> None:
        self._http = http
        self._url = f"{api_url}/bot{token}/sendMessage"
        self._chat = chat
        self._zone = zone
        self._base_url = base_url

    async def tell(self, message: Message) -> None:
        """Send the text. Raises a :class:`~channels.errors.ChannelError` where Telegram does not take it."""
        said: dict[str, Any] = {
            "chat_id": self._chat,
            "text": text_of(message, self._zone, self._base_url()),
            "link_preview_options": {"is_disabled": True},
        }
        answer = await self._http.request("POST", self._url, json=said)
        wait = _retry_after(answer)
        if wait is not None:
            raise RetryLater(f"Telegram answered {answer.status}", reason="throttled", retry_after=wait)
        classify(answer)

    async def close(self) -> None:
        """Nothing to let go: the connections are the client's."""


def text_of(message: Message, zone: tzinfo, base_url: str) -> str:
    """The text of a message, with as many of its latest notices as fit."""
    notices = message.notices
    while True:
        shown = Message(notices, message.left_out + len(message.notices) - len(notices))
        text = "\n\n".join(
            part
            for language in ("id", "en")
            for part in ([headline(message, language)] if len(message.notices) > 1 else [])
            + [body(shown, language, zone, base_url)]
        )
        if len(text.encode("utf-16-le")) <= 2 * MAX_UNITS or len(notices) <= 1:
            return text
        notices = notices[len(notices) // 4 + 1 :] or notices[-1:]


def _retry_after(answer: HttpResponse) -> float | None:
    """How long Telegram asks to wait, in the answer's ``parameters`` ("ResponseParameters"); ``None``: it does not."""
    said = answer.json()
    parameters = said.get("parameters") if isinstance(said, Mapping) else None
    wait = parameters.get("retry_after") if isinstance(parameters, Mapping) else None
    return float(wait) if isinstance(wait, int) and not isinstance(wait, bool) and wait >= 0 else None
