"""Which settings are in force: the file, the environment over it, secrets from files."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Protocol

import pytest
from pydantic import ValidationError

from config.load import load
from config.settings import Settings


class Write(Protocol):
    """Writes a settings file."""

    def __call__(self, text: str, name: str = ...) -> Path: ...


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """The file is written into a folder that is also the current one."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "settings.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_path_given_comes_first_then_the_variable_then_the_folder_then_the_shipped_file(write: Write) -> None:
    named = write("server.port = 1", "named.toml")
    by_variable = write("server.port = 2", "variable.toml")
    environ = {"GATEWAY_CONFIG": str(by_variable)}
    assert load(None, {}).source == "the shipped embedded.toml"
    write("server.port = 3", "gateway.toml")

    assert (load(named, environ).server.port, load(named, environ).source) == (1, str(named))
    assert (load(None, environ).server.port, load(None, environ).source) == (2, str(by_variable))
    assert (load(None, {}).server.port, load(None, {}).source) == (3, "gateway.toml")


def test_an_empty_file_is_the_defaults(write: Write) -> None:
    assert load(write(""), {}).model_dump() == Settings().model_dump()


def test_a_byte_order_mark_is_no_error(write: Write) -> None:
    assert load(write("\ufeffserver.port = 1"), {}).server.port == 1


def test_settings_made_directly_look_neither_at_files_nor_at_the_environment(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("server.port = 3", "gateway.toml")
    monkeypatch.setenv("TIMEZONE", "Asia/Makassar")
    monkeypatch.setenv("GATEWAY_TIMEZONE", "Asia/Makassar")
    assert Settings().timezone == "Asia/Jakarta"
    assert Settings().server.port == 8080
    assert Settings().source == ""


def test_the_environment_wins_key_by_key(write: Write) -> None:
    file = write(
        """
        [server]
        host = "10.0.0.1"
        port = 1
        trusted_proxies = ["10.0.0.0/8"]
        [channels.sms-telkomsel]
        type = "sms"
        sender = "1708"
        """
    )
    settings = load(
        file,
        {
            "GATEWAY_TIMEZONE": "Asia/Makassar",
            "GATEWAY_SERVER__PORT": "9090",
            "GATEWAY_SERVER__TRUSTED_PROXIES": "192.0.2.0/24, 2001:db8::/32",
            "GATEWAY_DELIVERY__LEASE": "2m",
            "GATEWAY_LOG__SPOOL_MAX_BYTES": "2GiB",
            "GATEWAY_CHANNELS__SMS_TELKOMSEL__SENDER": "9999",
            "GATEWAY_CHANNELS__SMS_TELKOMSEL__QUOTA__DAY": "5",
            "GATEWAY_CHANNELS__SMS_THREE__TYPE": "sms",
            "HOME": "/root",
        },
    )
    assert settings.timezone == "Asia/Makassar"
    assert (settings.server.host, settings.server.port) == ("10.0.0.1", 9090)
    assert settings.server.trusted_proxies == (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))
    assert settings.delivery.lease == 120.0
    assert settings.log.spool_max_bytes == 2 * 1024**3
    assert settings.channels == {
        "sms-telkomsel": {"type": "sms", "sender": "9999", "quota": {"day": "5"}},
        "sms-three": {"type": "sms"},
    }


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("STOP,BERHENTI", ("STOP", "BERHENTI")),
        (" STOP , , BERHENTI, STOP", ("STOP", "BERHENTI")),
        ('["STOP", "BERHENTI, SEKARANG"]', ("STOP", "BERHENTI, SEKARANG")),
        ("", ()),
        ("[]", ()),
    ],
)
def test_a_list_in_the_environment(write: Write, written: str, words: tuple[str, ...]) -> None:
    assert load(write(""), {"GATEWAY_RULES__STOP_WORDS": written}).rules.stop_words == words


def test_nothing_changes_after_the_load(write: Write) -> None:
    settings = load(write(""), {})
    with pytest.raises(ValidationError):
        settings.server.port = 1
    with pytest.raises(ValidationError):
        settings.timezone = "UTC"


class TestSecretFiles:
    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        path = tmp_path / "secret"
        path.write_text("  from the file, sixteen \r\n")
        return path

    def test_a_file_stands_for_the_secret(self, write: Write, secret: Path) -> None:
        settings = load(write(f'privacy.key_file = "{secret}"'), {})
        assert settings.privacy.key.get_secret_value() == "from the file, sixteen"

    def test_in_the_environment_too(self, write: Write, secret: Path) -> None:
        settings = load(write('privacy.key = "in the settings, sixteen"'), {"GATEWAY_PRIVACY__KEY_FILE": str(secret)})
        assert settings.privacy.key.get_secret_value() == "from the file, sixteen"

    def test_a_secret_of_the_environment_wins_over_a_file_of_the_settings(self, write: Write, secret: Path) -> None:
        settings = load(write(f'privacy.key_file = "{secret}"'), {"GATEWAY_PRIVACY__KEY": "in the environment"})
        assert settings.privacy.key.get_secret_value() == "in the environment"

    def test_a_url_with_a_password_is_a_secret(self, write: Write, tmp_path: Path) -> None:
        (tmp_path / "url").write_text("postgresql+asyncpg://lapor:hunter2@db.example/lapor?ssl=require\n")
        store = load(write(f'store.url_file = "{tmp_path / "url"}"'), {}).store
        assert store.backend == "postgresql"
        assert store.shown_url == "postgresql+asyncpg://db.example/lapor"

    def test_a_path_is_no_secret(self) -> None:
        url = "sqlite+aiosqlite:////data/a@b/gateway.db"
        assert Settings.model_validate({"store": {"url": url}}).store.shown_url == url

    def test_a_list_of_secrets_is_one_a_line(self, write: Write, tmp_path: Path) -> None:
        (tmp_path / "tokens").write_text("one\n\n two \n")
        tokens = load(write(f'api.tokens_file = "{tmp_path / "tokens"}"'), {}).api.tokens
        assert [token.get_secret_value() for token in tokens] == ["one", "two"]


def test_settings_shown_hide_every_secret(write: Write) -> None:
    settings = load(
        write(
            """
            api.tokens = ["hunter2"]
            privacy.key = "hunter2hunter2hunter2"
            store.url = "postgresql+asyncpg://lapor:hunter2@db/lapor"
            log.sasl_password = "hunter2"
            [channels.sms]
            password = "hunter2"
            """
        ),
        {},
    )
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json(exclude={'channels'})}"


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"host": "0.0.0.0", "port": 80}, "http://127.0.0.1:80"),
        ({"host": "::1"}, "http://[::1]:8080"),
        ({"public_url": "https://gateway.example.go.id/"}, "https://gateway.example.go.id"),
        ({"public_url": "https://example.go.id/lapor/"}, "https://example.go.id/lapor"),
    ],
)
def test_the_address_that_providers_are_told(server: dict[str, object], url: str) -> None:
    assert Settings.model_validate({"server": server}).server.base_url == url


def test_reading_the_settings_needs_none_of_the_heavy_libraries() -> None:
    heavy = ["aiohttp", "aiokafka", "alembic", "jinja2", "phonenumbers", "rich", "sqlalchemy", "structlog", "typer"]
    program = f"import sys, config.load; print(*[name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
