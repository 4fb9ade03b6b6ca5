"""What the normalizer makes of the channel's messages: commands, buttons, stickers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.telegram.buttons import BUTTONS, BY_DATA, keyboard
from channels.telegram.inbound import Bot, read
from normalizer.event import ComplaintEvent
from normalizer.normalize import Normalizer

PRIVATE = {"id": 812345678, "type": "private"}
GROUP = {"id": -1001234567890, "type": "supergroup"}


def event(chat: dict[str, Any], **fields: Any) -> ComplaintEvent:
    update = {"update_id": 1, "message": {"message_id": 7, "chat": chat, "date": 1795143845} | fields}
    (message,) = read(json.dumps(update).encode(), Bot(1708, "lapor1708_bot"))
    return Normalizer("telegram", "telegram", secret=b"key").event(message, datetime(2026, 11, 22, tzinfo=UTC))


@pytest.mark.parametrize("chat", [PRIVATE, GROUP], ids=["private", "group"])
@pytest.mark.parametrize(
    ("text", "intent", "numbers"),
    [
        ("/start@lapor1708_bot", "help", ()),
        ("/bantuan@lapor1708_bot", "help", ()),
        ("/help@lapor1708_bot", "help", ()),
        ("/stop@lapor1708_bot", "stop", ()),
        ("/status@lapor1708_bot", "status", ()),
        ("/status@lapor1708_bot 4829137065", "status", ("4829137065",)),
        ("@lapor1708_bot", "empty", ()),
        ("@lapor1708_bot jalan rusak di depan sekolah", "complaint", ()),
    ],
)
def test_a_command(chat: dict[str, Any], text: str, intent: str, numbers: tuple[str, ...]) -> None:
    found = event(chat, text=text)
    assert (found.intent, found.numbers or found.bad_numbers) == (intent, numbers)


@pytest.mark.parametrize("text", ["/start", "/start dari-situs", "/status", "/bantuan", "/stop"])
def test_a_bare_command_in_private(text: str) -> None:
    assert event(PRIVATE, text=text).intent == {"/status": "status", "/stop": "stop"}.get(text, "help")


@pytest.mark.parametrize(
    ("fields", "intent"),
    [
        ({"sticker": {"emoji": "🙏"}}, "empty"),
        ({"dice": {"emoji": "🎲", "value": 4}}, "empty"),
        ({"poll": {"question": "Setuju?"}}, "empty"),
        ({"game": {"title": "Ular"}}, "empty"),
        ({"story": {"id": 5}}, "empty"),
        ({"hologram": {}}, "empty"),
        ({"photo": [{"file_id": "a"}]}, "complaint"),
        ({"location": {"latitude": -6.2, "longitude": 106.8}}, "complaint"),
        ({"photo": [{"file_id": "a"}], "caption": "/status"}, "status"),
    ],
)
def test_a_message_without_words(fields: dict[str, Any], intent: str) -> None:
    assert event(PRIVATE, **fields).intent == intent


def test_the_button_for_anonymity_asks_for_it_and_nothing_else() -> None:
    found = event(PRIVATE, text=BY_DATA["anonymous"].says)
    assert (found.intent, found.privacy.anonymous, found.privacy.confidential) == ("complaint", True, False)


def test_the_button_for_more_asks_for_help() -> None:
    assert event(PRIVATE, text=BY_DATA["add"].says).intent == "help"


def test_the_buttons_are_within_telegrams_bounds() -> None:
    assert all(1 <= len(button.data.encode()) <= 64 and len(button.hint) <= 200 for button in BUTTONS)
    assert [len(row) for row in keyboard()] == [1, 1]


def test_the_same_press_is_one_event_and_another_press_another() -> None:
    def pressed(identifier: str) -> str:
        query = {"id": identifier, "from": {"id": 5}, "data": "anonymous", "chat_instance": "1"}
        (message,) = read(json.dumps({"update_id": 1, "callback_query": query}).encode(), Bot())
        normalizer = Normalizer("telegram", "telegram", secret=b"key")
        return normalizer.event(message, datetime(2026, 11, 22, tzinfo=UTC)).id

    assert pressed("a") == pressed("a") != pressed("b")
