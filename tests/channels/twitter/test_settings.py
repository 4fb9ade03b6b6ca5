"""Settings: complete, strict, and an error at the key that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from channels.twitter.settings import SECRET_FIELDS, TwitterSettings
from tests.channels.twitter.account import ACCOUNT, RENEWED, settings


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"bearer_token": None}, {"bearer_token"}),
        ({"bearer_token": None, "client_id": "c"}, {"refresh_token"}),
        ({"bearer_token": None, "refresh_token": "r"}, {"client_id"}),
        ({"client_id": "c", "refresh_token": "r"}, {"client_id", "refresh_token"}),
        ({"client_secret": "s"}, {"client_secret"}),
        ({"mode": "webhook", "consumer_secret": None}, {"consumer_secret"}),
        ({"mode": "webhook", "consumer_secret": None, "bearer_token": None}, {"consumer_secret", "bearer_token"}),
        ({"mode": "stream"}, {"mode"}),
        ({"handle": "lapor 1708"}, {"handle"}),
        ({"handle": "a" * 16}, {"handle"}),
        ({"user_id": "@lapor1708"}, {"user_id"}),
        ({"api_url": "ftp://api.x.com"}, {"api_url"}),
        ({"api_url": "https://api.x.com/2"}, {"api_url"}),
        ({"poll_seconds": 0}, {"poll_seconds"}),
        ({"backfill": "soon"}, {"backfill"}),
        ({"overlap": "30s"}, {"overlap"}),
        ({"hashtag": "two words"}, {"hashtag"}),
        ({"max_length": 50}, {"max_length"}),
        ({"media_hosts": ["https://pbs.twimg.com/"]}, {"media_hosts"}),
        ({"media_hosts": ["*.twimg.com"]}, {"media_hosts"}),
        ({"bearer_token": ""}, {"bearer_token"}),
        ({"colour": "red"}, {"colour"}),
        ({"type": "sms"}, {"type"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_a_wrong_or_missing_value_is_named(changes: dict[str, Any], keys: set[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    assert {error["loc"][0] for error in caught.value.errors()} == keys
    assert "u5er" not in str(caught.value)


def test_what_is_written_in_several_ways() -> None:
    made = settings(handle="@lapor1708", hashtag="#LAPOR", api_url="http://127.0.0.1:8080/", backfill="2d")
    assert (made.handle, made.hashtag, made.api_url) == ("lapor1708", "lapor", "http://127.0.0.1:8080")
    assert made.backfill == 2 * 86400


def test_the_defaults() -> None:
    made = TwitterSettings.model_validate({"handle": "lapor1708", "user_id": "1708", "bearer_token": "x"})
    assert (made.mode, made.api_url, made.poll_seconds) == ("mentions", "https://api.x.com", 15)
    assert (made.backfill, made.overlap, made.direct_messages, made.hashtag) == (86400, 600, True, "")


@pytest.mark.parametrize("given", [ACCOUNT, ACCOUNT | RENEWED], ids=["fixed", "renewed"])
def test_each_secret_is_hidden(given: dict[str, Any]) -> None:
    made = TwitterSettings.model_validate(given)
    secrets = [str(getattr(made, field)) for field in SECRET_FIELDS if getattr(made, field) is not None]
    assert secrets
    assert set(secrets) == {"**********"}
