"""Settings: what each mode needs, and what cannot be right."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from channels.telegram import TelegramSettings
from tests.channels.telegram.kit import SECRET, TOKEN


def made(**values: Any) -> TelegramSettings:
    return TelegramSettings.model_validate({"type": "telegram", "token": TOKEN} | values)


def test_a_token_is_all_it_takes() -> None:
    settings = made()
    assert (settings.mode, settings.api_url, settings.bot_id) == ("polling", "https://api.telegram.org", 1708)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("token", {"token": ""}),
        ("token", {"token": "1708:abc def"}),
        ("token", {"token": "1708:abc/../x"}),
        ("webhook_secret", {"mode": "webhook"}),
        ("webhook_secret", {"mode": "webhook", "webhook_secret": "with blanks"}),
        ("webhook_secret", {"webhook_secret": "é"}),
        ("mode", {"mode": "push"}),
        ("api_url", {"api_url": "api.telegram.org"}),
        ("api_url", {"api_url": "https://api.telegram.org/?x=1"}),
        ("username", {"username": "lapor bot"}),
        ("chat", {"chat": "5"}),
    ],
)
def test_a_wrong_setting_is_named(key: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        made(**values)
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]
    assert TOKEN not in str(caught.value)


def test_what_people_write_otherwise_is_understood() -> None:
    settings = made(username="@lapor1708_bot", api_url="http://127.0.0.1:8081/", mode="webhook", webhook_secret=SECRET)
    assert (settings.username, settings.api_url) == ("lapor1708_bot", "http://127.0.0.1:8081")


@pytest.mark.parametrize("token", ["abc", "x:y", "٣:y", "9" * 40 + ":y"])
def test_a_token_without_an_id_in_front_tells_none(token: str) -> None:
    assert TelegramSettings.model_construct(token=_Secret(token)).bot_id == 0


class _Secret:
    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value
