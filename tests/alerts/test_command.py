"""``gateway alert test``, and the settings of alerts."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from config.load import load
from config.operations import Alerts
from gateway.cli import app
from tests.alerts.servers import Ear, http_server, mail_server
from tests.process import toml


class Elsewhere:
    """The servers in a thread of their own: the command runs a loop by itself."""

    def __init__(self) -> None:
        self.hook = Ear()
        self.mailbox = Ear()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._done = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            self.hook = await stack.enter_async_context(http_server())
            self.mailbox = await stack.enter_async_context(mail_server())
            self._ready.set()
            await self._done.wait()

    def __enter__(self) -> Elsewhere:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join()
        self._loop.close()

    def settings(self) -> dict[str, Any]:
        """Every sink, and the heartbeat."""
        return {
            "webhook_url": f"{self.hook.url}/hook",
            "telegram_token": "1:t0ken",
            "telegram_chat": "-100",
            "telegram_api_url": self.hook.url,
            "email_from": "alerts@example.go.id",
            "email_to": ["operator@example.go.id", "night@example.go.id"],
            "smtp_url": self.mailbox.url,
            "heartbeat_url": f"{self.hook.url}/ping/k3y",
        }


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as servers:
        yield servers


def alert_test(folder: Path, alerts: dict[str, Any]) -> Result:
    config = folder / "gateway.toml"
    config.write_text(toml({"alerts": alerts}), encoding="utf-8")
    environment = {"GATEWAY_CONFIG": str(config), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    return CliRunner().invoke(app, ["alert", "test"], env=environment)


def test_every_sink_is_tried(tmp_path: Path, elsewhere: Elsewhere) -> None:
    done = alert_test(tmp_path, elsewhere.settings())
    assert done.output.splitlines() == [
        "ok    webhook",
        "ok    email to o•••@example.go.id",
        "ok    email to n•••@example.go.id",
        "ok    telegram",
        "ok    heartbeat",
    ]
    assert done.exit_code == 0
    assert [call.path for call in elsewhere.hook.heard] == ["/hook", "/bot1:t0ken/sendMessage", "/ping/k3y"]
    assert [to for _, to, _ in elsewhere.mailbox.heard] == [["operator@example.go.id"], ["night@example.go.id"]]


def test_what_is_not_taken_is_told_and_the_others_are_tried(tmp_path: Path, elsewhere: Elsewhere) -> None:
    elsewhere.hook.answers.extend([(404, {}), (401, {"ok": False}), (200, {})])
    done = alert_test(tmp_path, elsewhere.settings())
    assert done.output.splitlines() == [
        "fail  webhook: http_404: the provider answered 404",
        "ok    email to o•••@example.go.id",
        "ok    email to n•••@example.go.id",
        "fail  telegram: credentials: the provider answered 401",
        "ok    heartbeat",
    ]
    assert done.exit_code == 1
    assert not any(secret in done.output for secret in ("t0ken", "k3y"))


def test_without_a_sink_there_is_nothing_to_try(tmp_path: Path) -> None:
    done = alert_test(tmp_path, {})
    assert done.exit_code == 2
    assert "no sink is set in [alerts]" in done.output


MAIL = {
    "email_to": ["a@example.go.id"],
    "email_from": "b@example.go.id",
    "smtp_url": "smtps://u:p%40@mail.example.go.id",
}
GOOD: dict[str, dict[str, Any]] = {
    "none": {},
    "a webhook with a key of its own": {"webhook_url": "https://hooks.example.go.id/T1?key=x", "webhook_token": "t"},
    "mail": MAIL,
    "mail, by STARTTLS on a port": MAIL | {"smtp_url": "smtp://u:p@mail.example.go.id:2525"},
    "a chat": {"telegram_token": "1:t", "telegram_chat": "-100123"},
    "a channel": {"telegram_token": "1:t", "telegram_chat": "@lapor_alerts"},
    "all degraded at once": {"degraded_after": 0, "gather": "0s"},
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no web address": ({"webhook_url": "ftp://x"}, "must be an http:// or https:// address"),
    "a heartbeat that is none": ({"heartbeat_url": "hc-ping.com/x"}, "must be an http:// or https:// address"),
    "mail to nobody": (MAIL | {"email_to": []}, "belong together"),
    "mail through nothing": (MAIL | {"smtp_url": ""}, "belong together"),
    "mail from nowhere": ({"email_to": ["a@example.go.id"]}, "belong together"),
    "no mail server": (MAIL | {"smtp_url": "https://mail.example.go.id"}, "must be smtps://"),
    "a mail server with a path": (MAIL | {"smtp_url": "smtp://mail.example.go.id/x"}, "must be smtps://"),
    "a mail server with no port": (MAIL | {"smtp_url": "smtp://mail.example.go.id:x"}, "must be smtps://"),
    "no address": (MAIL | {"email_to": ["Budi <a@example.go.id>"]}, "must be a mail address"),
    "a line more": (MAIL | {"email_from": "a@example.go.id\nBcc: x@example.com"}, "must be a mail address"),
    "a bot without a chat": ({"telegram_token": "1:t"}, "belong together"),
    "a token of two lines": ({"webhook_url": "https://x.example", "webhook_token": "a\nb"}, "without a blank"),
    "no chat": ({"telegram_token": "1:t", "telegram_chat": "lapor"}, "match pattern"),
}


@pytest.mark.parametrize("given", GOOD.values(), ids=GOOD)
def test_good_settings(given: dict[str, Any]) -> None:
    assert Alerts(**given)


@pytest.mark.parametrize(("given", "said"), BAD.values(), ids=BAD)
def test_bad_settings_are_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Alerts(**given)
    assert said in str(raised.value)


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    names = ("webhook_url", "webhook_token", "smtp_url", "telegram_token", "heartbeat_url")
    values = ("https://x.example/s3cret", "s3cret", "smtp://u:s3cret@x.example", "1:s3cret", "https://y.example/s3cret")
    environment = {
        "GATEWAY_ALERTS__EMAIL_TO": "a@example.go.id",
        "GATEWAY_ALERTS__EMAIL_FROM": "b@example.go.id",
        "GATEWAY_ALERTS__TELEGRAM_CHAT": "-1",
    }
    for name, value in zip(names, values, strict=True):
        (tmp_path / name).write_text(value)
        environment[f"GATEWAY_ALERTS__{name.upper()}_FILE"] = str(tmp_path / name)
    (tmp_path / "gateway.toml").write_text("")
    alerts = load(tmp_path / "gateway.toml", environment).alerts
    assert tuple(getattr(alerts, name).get_secret_value() for name in names) == values
    assert "s3cret" not in repr(alerts) + json.dumps(alerts.model_dump(mode="json"))
