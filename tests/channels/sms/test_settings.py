"""Settings: complete for their dialect, strict, and silent about secrets."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from pydantic import ValidationError

from channels.registry import spec
from channels.sms import SmsSettings
from channels.sms.dialects import load
from channels.sms.settings import NEEDED, PROVES, SECRET_FIELDS
from tests.channels.sms.accounts import ACCOUNTS, DIALECTS, SECRETS, settings


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_account_is_complete(dialect: str) -> None:
    assert settings(dialect).dialect == dialect


@pytest.mark.parametrize(("dialect", "key"), [(dialect, key) for dialect, keys in NEEDED.items() for key in keys])
def test_a_missing_key_is_named(dialect: str, key: str) -> None:
    rest = {name: value for name, value in ACCOUNTS[dialect].items() if name != key}
    with pytest.raises(ValidationError) as caught:
        SmsSettings.model_validate({"type": "sms", "dialect": dialect, "sender": "1708"} | rest)
    assert (key,) in [error["loc"] for error in caught.value.errors()]
    assert f"the dialect {dialect} needs it" in str(caught.value)


@pytest.mark.parametrize("dialect", [dialect for dialect, keys in PROVES.items() if keys])
def test_something_must_prove_what_comes_in(dialect: str) -> None:
    with pytest.raises(ValidationError, match=r"needs it .*to verify what comes in") as caught:
        settings(dialect, webhook_token=None)
    assert [error["loc"] for error in caught.value.errors()] == [("webhook_token",)]
    assert settings(dialect, webhook_token=None, verification="none").verification == "none"


@pytest.mark.parametrize(
    "changes",
    [
        {"dialect": "pigeon"},
        {"sender": ""},
        {"password": ""},
        {"webhook_token": ""},
        {"send_url": "ftp://example.org/"},
        {"verification": "maybe"},
        {"timestamp_window": 0},
        {"home_country": "Indonesia"},
        {"regions": ["TANGKAB", "DUA KATA"]},
        {"regions": [""]},
        {"max_per_second": 0},
        {"colour": "red"},
        {"type": "email"},
    ],
    ids=str,
)
def test_a_wrong_value_or_key_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        SmsSettings.model_validate(
            {"type": "sms", "dialect": "kannel", "sender": "1708"} | ACCOUNTS["kannel"] | changes
        )
    assert [error["loc"] for error in caught.value.errors()] == [tuple(changes)]


def test_regions_are_upper_case_and_once() -> None:
    assert settings("kannel", regions=["tangkab ", "BANJARBARU", "Tangkab"]).regions == ("TANGKAB", "BANJARBARU")
    assert {"TANGKAB", "BANJARBARU"} <= set(settings("kannel").regions)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_secrets_are_not_shown(dialect: str) -> None:
    one = settings(dialect)
    for shown in (repr(one), str(one), str(one.model_dump()), one.model_dump_json()):
        assert not [secret for secret in SECRETS if secret in shown]


def test_a_refused_setting_does_not_show_its_neighbours() -> None:
    with pytest.raises(ValidationError) as caught:
        settings("kannel", send_url="nowhere", colour="red")
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


def test_the_spec_names_every_secret() -> None:
    secrets = {name for name, field in SmsSettings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert spec("sms").secret_fields == SECRET_FIELDS == secrets


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in SmsSettings.model_fields.items() if not field.description] == []
    assert "verification" in SmsSettings.model_fields


def test_a_dialect_is_loaded_when_it_is_asked_for() -> None:
    names = [f"channels.sms.dialects.{dialect}" for dialect in ("kannel", "infobip")]
    kept = {name: sys.modules.pop(name, None) for name in names}
    try:
        load("kannel")
        assert [name in sys.modules for name in names] == [True, False]
    finally:
        sys.modules.update({name: module for name, module in kept.items() if module is not None})
