"""The settings files that the gateway ships, and the words in them."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from config.conversation import Rules
from config.load import load
from config.settings import Settings
from gateway.channelset import load_channels
from normalizer.words import IntentWords


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shipped(name: str) -> str:
    return resources.files("config").joinpath(name).read_text(encoding="utf-8")


def test_the_embedded_settings_need_nothing_but_this_machine() -> None:
    settings = load(None, {})
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert (settings.log.backend, settings.store.backend) == ("sqlite", "sqlite")
    channels = load_channels(settings)
    assert {name: config.spec.type for name, config in channels.items()} == {
        name: name for name in ("sms", "twitter", "telegram", "email")
    }
    lines = [line.split("#")[0] for line in shipped("embedded.toml").splitlines()]
    hosts = {host for line in lines for host in re.findall(r"(?:https?|imap|smtp)://(?:[^@/]*@)?([^/:]+)", line)}
    assert hosts == {"127.0.0.1"}


def test_the_embedded_settings_write_out_the_defaults() -> None:
    """What the file says of the common sections is what the gateway does without a file."""
    settings = load(None, {})
    own = {"channels", "api"}
    assert settings.model_dump(exclude=own) == Settings().model_dump(exclude=own)


def test_the_production_example_is_complete_but_for_its_secrets(tmp_path: Path) -> None:
    secrets = {
        "kafka-password": "hunter2",
        "store-url": "postgresql+asyncpg://lapor:hunter2@postgres/lapor",
        "blobs-secret": "hunter3",
        "api-tokens": "one\ntwo",
        "privacy-key": "0123456789abcdef",
        "sms-telkomsel-webhook-token": "a",
        "sms-telkomsel-password": "b",
        "sms-indosat-webhook-token": "c",
        "sms-indosat-password": "d",
        "sms-three-webhook-token": "e",
        "sms-three-password": "f",
    }
    for name, secret in secrets.items():
        (tmp_path / name).write_text(secret)
    text = shipped("production.toml")
    assert all(f'"/run/secrets/{name}"' in text for name in secrets)
    file = tmp_path / "production.toml"
    file.write_text(text.replace("/run/secrets", str(tmp_path)), encoding="utf-8")

    settings = load(file, {})

    assert (settings.log.backend, settings.store.backend) == ("kafka", "postgresql")
    assert settings.log.sasl_password.get_secret_value() == "hunter2"
    channels = load_channels(settings)
    assert list(channels) == ["sms-telkomsel", "sms-indosat", "sms-three"]
    assert {channel.spec.type for channel in channels.values()} == {"sms"}
    tokens = [channel.settings.model_dump()["webhook_token"].get_secret_value() for channel in channels.values()]
    assert tokens == ["a", "c", "e"]


@pytest.mark.parametrize("name", IntentWords.__struct_fields__)
def test_the_words_of_the_settings_are_those_of_the_normalizer(name: str) -> None:
    assert getattr(Rules(), f"{name}_words") == getattr(IntentWords(), name)
