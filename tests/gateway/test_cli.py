"""The commands: what they print, and the exit status of every mistake."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from typer.testing import CliRunner, Result

from channels.sms.settings import SmsSettings
from channels.sms.standin import StandIn
from config.settings import Settings
from gateway.channelset import load_channels
from gateway.cli import app
from gateway.evidence import MEDIA_TYPE, KeptRequest
from gateway.store.deadletters import bury
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.tables import cases, messages, outbox
from normalizer import tracking
from normalizer.event import encode
from normalizer.messages import DeadLetter
from tests.dispatcher.make import event
from tests.inside import KANNEL
from tests.process import free_port, toml

NUMBER = "482913706" + tracking.check_digit("482913706")


class Desk:
    """An operator's desk: a settings file, and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite+aiosqlite:///{folder}/gateway.db"
        self.sections: dict[str, dict[str, Any]] = {
            "server": {"port": free_port()},
            "log": {"path": str(folder / "log.db")},
            "store": {"url": self.url},
            "blobs": {"path": str(folder / "blobs")},
            "channels.sms": dict(KANNEL),
        }

    def __call__(self, *arguments: str) -> Result:
        config = self.folder / "gateway.toml"
        config.write_text(toml(self.sections), encoding="utf-8")
        environment = {"GATEWAY_CONFIG": str(config), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
        return CliRunner().invoke(app, arguments, env=environment)

    def fill(self, *letters: DeadLetter, with_case: bool = False) -> None:
        """Put a case and letters into the store."""

        async def write() -> None:
            store = Store(self.url)
            await migrate(store)
            async with store.write() as connection:
                await bury(connection, store, letters)
                if with_case:
                    one = event("Jalan Merdeka rusak")
                    now = time.time()
                    await connection.execute(
                        cases.insert().values(
                            number=NUMBER,
                            sender_key="k",
                            channel_type="sms",
                            channel="sms",
                            state="in_progress",
                            anonymous=False,
                            confidential=True,
                            language="id",
                            opened_at=now,
                            updated_at=now,
                        )
                    )
                    await connection.execute(
                        messages.insert().values(
                            event_id=one.id,
                            kind="message",
                            channel_type="sms",
                            channel="sms",
                            sender_key="k",
                            received_at=now,
                            case_number=NUMBER,
                            disposition="complaint",
                            document=encode(one).decode(),
                        )
                    )
                    await connection.execute(
                        outbox.insert().values(
                            id="0" * 32,
                            channel_type="sms",
                            channel="sms",
                            sender_key="k",
                            address="+6281234567890",
                            text="Laporan diterima",
                            template="acknowledgement",
                            case_number=NUMBER,
                            event_id=one.id,
                            received_at=now,
                            created_at=now,
                            state="dead",
                            due_at=now,
                        )
                    )
            await store.close()

        asyncio.run(write())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield Desk(tmp_path)
    # `run` sets logging up for a process of its own.
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def request_letter(body: bytes = b"from=%2B6281234567890&text=halo+jalan+rusak") -> DeadLetter:
    kept = KeptRequest("POST", "/webhooks/sms", b"", "application/x-www-form-urlencoded", body)
    return DeadLetter(
        id="ab12" * 8,
        stage="intake",
        channel="sms",
        reason="no_sender",
        detail="there is no sender",
        at=datetime.now(UTC),
        raw=msgspec.json.encode(kept),
        raw_type=MEDIA_TYPE,
    )


def reply_letter() -> DeadLetter:
    return DeadLetter(
        id="cd34" * 8,
        stage="deliver",
        channel="sms",
        reason="gave_up",
        detail="connection",
        at=datetime.now(UTC),
        event_id="0" * 32,
        raw=b"{}",
        raw_type="application/json",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["check", "--help"],
        ["track", "--help"],
        ["dead-letters", "--help"],
        ["dead-letters", "list", "--help"],
        ["dead-letters", "show", "--help"],
        ["dead-letters", "replay", "--help"],
    ],
    ids=" ".join,
)
def test_help_teaches(desk: Desk, arguments: list[str]) -> None:
    shown = desk(*arguments)
    assert shown.exit_code == 0
    assert len(shown.output) > 200


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("server", "port", "eighty", ["server.port", "gateway.toml"]),
        ("server", "prot", 80, ["server.prot", "gateway.toml"]),
        ("log", "backend", "mysql", ["log.backend", "kafka"]),
        ("channels.sms", "dialect", "morse", ["channels.sms.dialect", "kannel"]),
        ("channels.sms", "sendurl", "x", ["channels.sms.sendurl"]),
        ("channels.x", "type", "pigeon", ["channels.x.type", "sms"]),
        ("store", "url", "postgresql://u:hidden-word@h/d", ["store.url", "postgresql+asyncpg"]),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_setting_is_one_clear_line_and_status_2(
    desk: Desk, command: str, section: str, key: str, value: object, said: list[str]
) -> None:
    desk.sections.setdefault(section, {})[key] = value
    result = desk(command)
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    for part in said:
        assert part in line
    assert "hidden-word" not in result.output


def test_a_missing_settings_file(desk: Desk) -> None:
    result = desk("run", "--config", "nowhere.toml")
    assert result.exit_code == 2
    assert "nowhere.toml" in result.stderr


def test_track_shows_the_way_of_a_case(desk: Desk) -> None:
    desk.fill(with_case=True)
    result = desk("track", tracking.shown(NUMBER))
    assert result.exit_code == 0
    for part in (
        tracking.shown(NUMBER),
        "in_progress",
        "Jalan Merdeka rusak",
        "Laporan diterima",
        "confidential",
        "WIB",
    ):
        assert part in result.output


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [("1000000009", 1, "no case"), ("1000000008", 2, "not a tracking number"), ("12", 2, "not a tracking number")],
)
def test_track_tells_what_is_not_there(desk: Desk, number: str, status: int, said: str) -> None:
    if number == "1000000009":
        number = "100000000" + tracking.check_digit("100000000")
    elif number == "1000000008":
        number = "100000000" + str((int(tracking.check_digit("100000000")) + 1) % 10)
    result = desk("track", number)
    assert result.exit_code == status
    assert said in result.output


def test_dead_letters_are_listed_and_shown(desk: Desk) -> None:
    assert "no dead letters" in desk("dead-letters", "list").output
    desk.fill(request_letter(), reply_letter())
    listed = desk("dead-letters", "list").output
    assert "ab12ab12ab12" in listed
    assert "no_sender" in listed
    assert "gave_up" in listed
    shown = desk("dead-letters", "show", "ab12")
    assert shown.exit_code == 0
    assert "there is no sender" in shown.output
    assert desk("dead-letters", "show", "ffff").exit_code == 1


def test_a_request_is_replayed_into_the_log(desk: Desk, tmp_path: Path) -> None:
    desk.fill(request_letter())
    result = desk("dead-letters", "replay", "ab12")
    assert result.exit_code == 0, result.output
    assert "1 replayed" in result.output
    assert "no dead letters" in desk("dead-letters", "list").output
    assert "appended" in desk("dead-letters", "list", "--all").output


def test_a_request_that_still_cannot_be_read_stays(desk: Desk) -> None:
    desk.fill(request_letter(b"text=tanpa+pengirim"))
    result = desk("dead-letters", "replay", "--all")
    assert result.exit_code == 1
    assert "still cannot be read" in result.output
    assert "no_sender" in desk("dead-letters", "list").output


def test_a_reply_is_replayed_into_the_outbox(desk: Desk, tmp_path: Path) -> None:
    desk.fill(reply_letter(), with_case=True)
    assert desk("dead-letters", "replay", "--all", "--stage", "deliver").exit_code == 0
    with sqlite3.connect(tmp_path / "gateway.db") as connection:
        assert connection.execute("SELECT state FROM outbox").fetchall() == [("waiting",)]
    connection.close()


@pytest.mark.parametrize(
    ("raw", "status", "said"),
    [
        (b'{"id":"u","number":"4829137065","text":"x","at":"2026-11-22T00:00:00Z"}', 0, "appended to the log again"),
        (b'{"id":"u"}', 1, "still no update"),
        (b'{"id":"u","number":"4829137065","at":"2026-11-22T00:00:00Z"}', 1, "still no update"),
    ],
    ids=["one that can be read", "one that cannot", "one that says nothing"],
)
def test_an_update_is_replayed_onto_its_topic(desk: Desk, raw: bytes, status: int, said: str) -> None:
    letter = DeadLetter(
        id="ef56" * 8, stage="case_update", reason="unknown_number", at=datetime.now(UTC), raw=raw, raw_type="x"
    )
    desk.fill(letter)
    result = desk("dead-letters", "replay", "ef56")
    assert (result.exit_code, said in result.output) == (status, True)


@pytest.mark.parametrize("arguments", [[], ["--all", "ab12"]], ids=["nothing", "both"])
def test_replay_wants_to_know_which(desk: Desk, arguments: list[str]) -> None:
    assert desk("dead-letters", "replay", *arguments).exit_code == 2


def test_check_asks_every_part(desk: Desk) -> None:
    async def run() -> Result:
        async with StandIn(SmsSettings.model_validate(KANNEL)) as standin:
            desk.sections["channels.sms"] |= standin.overrides(standin.accounts[0])
            return await asyncio.to_thread(desk, "check")

    result = asyncio.run(run())
    assert result.exit_code == 0, result.output
    for part in ("settings", "log", "store", "blobs", "replies", "channel sms"):
        assert re.search(rf"^ok\s+{part}", result.output, re.MULTILINE), part
    assert "p4ssword" not in result.output


@pytest.mark.parametrize(
    ("server", "said"),
    [({}, "note"), ({"host": "0.0.0.0"}, "fail"), ({"public_url": "https://gateway.example.go.id"}, "fail")],
    ids=["this machine only", "every interface", "known outside"],
)
def test_check_knows_the_secrets_of_the_examples(desk: Desk, server: dict[str, str], said: str) -> None:
    desk.sections["server"] |= server
    desk.sections["api"] = {"tokens": ["sandbox"]}
    desk.sections["channels.sms"] |= {"webhook_token": "sandbox"}
    result = desk("check")
    for key in ("api.tokens", "channels.sms.webhook_token"):
        assert re.search(rf"^{said}\s+{re.escape(key)}", result.output, re.MULTILINE), result.output


SMS = {"type": "sms", "sender": "1708", "send_url": "http://127.0.0.1:1/", "username": "u", "password": "p"}
MAIL = {"type": "email", "address": "lapor@example.go.id", "smtp_url": "smtp://127.0.0.1:1"}
BOT = {"type": "telegram", "token": "123456:" + "A" * 35, "mode": "webhook"}
ACCOUNT = {"type": "twitter", "mode": "webhook", "handle": "lapor1708", "user_id": "1", "bearer_token": "b"}
LISTENS = MAIL | {"listen": "127.0.0.1:1"}
NONE = {"verification": "none"}

# fmt: off
PROOFS = [
    # the case, the channel → what check says of it, and whether that stands in its way
    ("Kannel", SMS | {"dialect": "kannel", "webhook_token": "t"}, "ok    channels.x: whoever writes to it is known by a token"),
    ("Kannel without", SMS | {"dialect": "kannel"}, "channels.x.webhook_token"),
    ("Kannel, none", SMS | {"dialect": "kannel"} | NONE, "note  channels.x: takes whatever comes"),
    ("Vonage", SMS | {"dialect": "vonage", "signature_secret": "s"}, "ok    channels.x: whoever writes to it is known by a signature"),
    ("Vonage with a token", SMS | {"dialect": "vonage", "webhook_token": "t"}, "ok    channels.x: whoever writes to it is known by a token"),
    ("Vonage without", SMS | {"dialect": "vonage"}, "channels.x.webhook_token"),
    ("Vonage, none", SMS | {"dialect": "vonage"} | NONE, "note  channels.x: takes whatever comes"),
    ("Infobip", SMS | {"dialect": "infobip", "api_key": "k", "webhook_token": "t"}, "ok    channels.x: whoever writes to it is known by a token"),
    ("Infobip without", SMS | {"dialect": "infobip", "api_key": "k"}, "channels.x.webhook_token"),
    ("Infobip, none", SMS | {"dialect": "infobip", "api_key": "k"} | NONE, "note  channels.x: takes whatever comes"),
    ("Twilio", SMS | {"dialect": "twilio"}, "ok    channels.x: whoever writes to it is known by a signature"),
    ("Twilio, none", SMS | {"dialect": "twilio"} | NONE, "note  channels.x: takes whatever comes"),
    ("generic", SMS | {"dialect": "generic", "signature_secret": "s"}, "ok    channels.x: whoever writes to it is known by a signature"),
    ("generic without", SMS | {"dialect": "generic"}, "channels.x.signature_secret"),
    ("generic, none", SMS | {"dialect": "generic", "signature_secret": "s"} | NONE, "note  channels.x: takes whatever comes"),
    ("Telegram", BOT | {"webhook_secret": "s"}, "ok    channels.x: whoever writes to it is known by a secret token"),
    ("Telegram without", BOT, "channels.x.webhook_secret"),
    ("X", ACCOUNT | {"consumer_secret": "s"}, "ok    channels.x: whoever writes to it is known by a signature"),
    ("X without", ACCOUNT, "channels.x.consumer_secret"),
    ("a port for mail", LISTENS, "ok    channels.x: whoever writes to it is known by its address"),
    ("a port for mail, none", LISTENS | NONE, "note  channels.x: takes whatever comes"),
    ("none, from some addresses", LISTENS | NONE | {"allow_from": ["192.0.2.0/24"]},
     'note  channels.x: takes whatever comes: verification = "none", and only from 192.0.2.0/24'),
]
# fmt: on


@pytest.mark.parametrize(("table", "said"), [case[1:] for case in PROOFS], ids=[case[0] for case in PROOFS])
def test_check_fails_where_nothing_proves_what_comes_in_unless_that_is_said_out_loud(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, table: dict[str, Any], said: str
) -> None:
    async def nobody_is_asked(*_: object) -> None:
        return

    monkeypatch.setattr("gateway.checkup._check_channels", nobody_is_asked)
    desk.sections["channels.x"] = table
    result = desk("check")
    if said.startswith("channels"):
        assert result.exit_code == 2
        assert said in result.stderr
        assert desk("run").exit_code == 2
    else:
        assert result.exit_code == 0, result.output
        assert re.search(rf"^{re.escape(said)}", result.output, re.MULTILINE), result.output


@pytest.mark.parametrize("table", [BOT | {"mode": "polling"}, MAIL | {"imap_url": "imaps://u:p@127.0.0.1"}], ids=str)
def test_a_channel_that_nobody_writes_to_needs_no_proof(table: dict[str, Any]) -> None:
    (config,) = load_channels(Settings(channels={"x": table})).values()
    assert config.spec.proof(config.settings) is None


def test_check_tells_of_a_blob_store_that_cannot_be_written(desk: Desk) -> None:
    (desk.folder / "blobs").write_text("a file in the way", encoding="utf-8")
    assert re.search(r"^fail\s+blobs", desk("check").output, re.MULTILINE)


def test_a_port_that_is_taken_is_told(desk: Desk) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        desk.sections["server"]["port"] = taken.getsockname()[1]
        result = desk("run")
    assert result.exit_code == 1
    assert "cannot start" in result.stderr
