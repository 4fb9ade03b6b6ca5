"""The Bot API's methods that the gateway calls, with the checks that Telegram makes and some that it does not.

A parameter that we never send, a type that is not the documented one: Telegram would often let it pass, this refuses.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from channels.telegram.standins.shapes import Json, units

MAX_UNITS = 4096
MAX_FILE = 20 * 1024 * 1024


class Refusal(Exception):
    """An answer with ``ok`` false."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.document: Json = {"ok": False, "error_code": status, "description": description}
        if parameters:
            self.document["parameters"] = parameters


class Method(msgspec.Struct, frozen=True):
    """``parameters`` by name with the reader of each; a name with an exclamation mark is required."""

    parameters: Mapping[str, Callable[[Any], Any]]

    def read(self, given: Mapping[str, Any]) -> Json:
        """The parameters of a call, in their types. Raises :class:`Refusal`."""
        known = {name.rstrip("!"): reader for name, reader in self.parameters.items()}
        if strange := given.keys() - known.keys():
            raise Refusal(400, f"Bad Request: unexpected parameter {min(strange)}")
        for name in self.parameters:
            if name.endswith("!") and name.rstrip("!") not in given:
                raise Refusal(400, f"Bad Request: {name.rstrip('!')} is required")
        try:
            return {name: known[name](value) for name, value in given.items()}
        except (ValueError, TypeError, KeyError) as error:
            raise Refusal(400, f"Bad Request: can't parse a parameter: {type(error).__name__}") from error


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _boolean(value: Any) -> bool:
    if value in (True, "true", "True"):
        return True
    if value in (False, "false", "False"):
        return False
    raise ValueError("not a boolean")


def _names(value: Any) -> list[str]:
    found = _json(value)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("not a list of names")
    return found


def _reply(value: Any) -> Json:
    found: Json = _json(value)
    return {"message_id": int(found["message_id"]), "allow_sending_without_reply": False} | found


def _markup(value: Any) -> Json:
    found: Json = _json(value)
    for row in found["inline_keyboard"]:
        for button in row:
            if not button["text"] or not 1 <= len(button["callback_data"].encode()) <= 64:
                raise ValueError("a button needs a label, and data of 1 to 64 bytes")
    return found


METHODS: Mapping[str, Method] = {
    "getMe": Method({}),
    "getUpdates": Method({"offset": int, "limit": int, "timeout": int, "allowed_updates": _names}),
    "setWebhook": Method(
        {"url!": str, "secret_token": str, "allowed_updates": _names, "drop_pending_updates": _boolean}
    ),
    "deleteWebhook": Method({"drop_pending_updates": _boolean}),
    "sendMessage": Method(
        {
            "chat_id!": int,
            "text!": str,
            "message_thread_id": int,
            "link_preview_options": _json,
            "reply_parameters": _reply,
            "reply_markup": _markup,
        }
    ),
    "answerCallbackQuery": Method({"callback_query_id!": str, "text": str, "show_alert": _boolean}),
    "getFile": Method({"file_id!": str}),
}


def method_of(name: str) -> Method:
    """The method of a name. Raises :class:`Refusal`."""
    if name not in METHODS:
        raise Refusal(404, "Not Found")
    return METHODS[name]


def check_text(text: str) -> None:
    """Raise :class:`Refusal` for a text that sendMessage does not take."""
    if not text.strip():
        raise Refusal(400, "Bad Request: message text is empty")
    if units(text) > MAX_UNITS:
        raise Refusal(400, "Bad Request: message is too long")


def check_webhook(url: str, secret: str) -> None:
    """Raise :class:`Refusal` for a webhook that setWebhook does not take; plain HTTP is let pass, for tests."""
    if not url.startswith(("https://", "http://")):
        raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    if not 1 <= len(secret) <= 256:
        raise Refusal(400, "Bad Request: secret token is too long or missing")
