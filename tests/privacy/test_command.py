"""The command: whom an address means, what is asked and told, and every exit status."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from channels.base import SenderKind
from gateway.identity import sender_secret
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.tables import messages, senders
from normalizer.event import EventChannel, EventSender, encode
from normalizer.identity import sender_key
from tests import inside
from tests.dispatcher.make import event
from tests.gateway.test_cli import Desk

CITIZENS: Sequence[tuple[str, str, SenderKind, str]] = (
    ("sms", "+6281234567890", "phone", ""),
    ("email", "siti@example.org", "email", "Siti"),
    ("telegram", "77001122", "user_id", "Siti"),
    ("twitter", "77001122", "user_id", "Siti (@siti_r)"),
    ("twitter", "9001", "user_id", "Sita (@sitaxr)"),
    ("twitter", "9002", "user_id", "@passed_on"),
    ("twitter", "9003", "user_id", "Andi (@passed_on)"),
)


class Office(Desk):
    """A desk whose store knows some citizens."""

    def known(self) -> set[tuple[str, str]]:
        """The citizens who are left."""
        return asyncio.run(self._known())

    async def _known(self) -> set[tuple[str, str]]:
        store = Store(self.url)
        async with store.read() as connection:
            rows = (await connection.execute(senders.select())).all()
        await store.close()
        return {(row.type, row.address) for row in rows}

    async def invite(self) -> None:
        """Put the citizens into the store, each with a message."""
        settings = inside.settings(self.folder, log={"path": self.folder / "log.db"})
        secret = sender_secret(settings)
        store = Store(self.url)
        await migrate(store)
        async with store.write() as connection:
            for type_, address, kind, name in CITIZENS:
                key = sender_key(secret, type_, address)
                one = event(channel=EventChannel(type_, type_, "p"), sender=EventSender(key, address, kind, name))
                await connection.execute(senders.insert().values(key=key, type=type_, address=address, kind=kind))
                await connection.execute(
                    messages.insert().values(
                        event_id=one.id,
                        kind="message",
                        channel_type=type_,
                        channel=type_,
                        sender_key=key,
                        received_at=time.time() - 60,
                        disposition="complaint",
                        document=encode(one).decode(),
                    )
                )
        await store.close()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    asyncio.run(made.invite())
    return made


@pytest.mark.parametrize(
    ("arguments", "who"),
    [
        (["0812-3456-7890"], ("sms", "+6281234567890")),
        (["62 812 3456 7890"], ("sms", "+6281234567890")),
        (["Siti@EXAMPLE.org"], ("email", "siti@example.org")),
        (["77001122", "--type", "telegram"], ("telegram", "77001122")),
        (["9001"], ("twitter", "9001")),
        (["@Siti_R"], ("twitter", "77001122")),
    ],
    ids=["phone", "phone without plus", "mail", "type named", "id of one", "handle"],
)
def test_an_address_in_any_spelling_means_one_citizen(
    office: Office, arguments: list[str], who: tuple[str, str]
) -> None:
    before = office.known()
    done = office("forget", "--yes", *arguments)
    assert done.exit_code == 0, done.output
    assert before - office.known() == {who}
    assert "erased: 1 messages, 1 senders" in done.output


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["+6281111111111"], 1, "nobody of the address +6281111111111"),
        (["siti@example.org", "--type", "sms"], 2, "no address of the type sms"),
        (["@nobody"], 1, "nobody of the address @nobody"),
        (["77001122"], 2, "telegram and twitter: say which with --type"),
        (["@passed_on"], 2, "several senders: 9002, 9003"),
        (["siti", "--type", "email"], 2, "no address of the type email"),
        ([""], 2, "no address of any channel type"),
        (["9001", "--type", "fax"], 2, "fax"),
    ],
    ids=[
        "unknown",
        "not of that type",
        "unknown handle",
        "two types",
        "two accounts",
        "wrong shape",
        "empty",
        "no type",
    ],
)
def test_who_is_not_one_citizen_is_told_and_nothing_is_erased(
    office: Office, arguments: list[str], status: int, said: str
) -> None:
    before = office.known()
    done = office("forget", "--yes", *arguments)
    assert (done.exit_code, said in " ".join(done.output.split())) == (status, True), done.output
    assert office.known() == before


def test_it_asks_first_and_shows_no_more_than_a_mask(office: Office) -> None:
    refused = office("forget", "siti@example.org")
    assert refused.exit_code == 1
    assert "email s•••@example.org: 0 cases, 1 messages, 0 attachments" in refused.output
    assert ("email", "siti@example.org") in office.known()


def test_a_second_time_there_is_nothing_left_to_erase(office: Office) -> None:
    assert office("forget", "--yes", "siti@example.org").exit_code == 0
    again = office("forget", "--yes", "siti@example.org")
    assert (again.exit_code, "erased: nothing" in again.output) == (0, True)


def test_a_retention_run_tells_what_it_did(office: Office) -> None:
    off = office("retention", "run")
    assert (off.exit_code, "[retention] after is not set" in off.output) == (0, True)
    office.sections["retention"] = {"after": "5y"}
    wrong = office("retention", "run")
    assert (wrong.exit_code, "retention.after" in wrong.output) == (2, True)
    office.sections["retention"] = {"after": "7d"}
    short = office("retention", "run")
    assert (short.exit_code, "must not be shorter than [log] retention" in short.output) == (2, True)
    office.sections["retention"] = {"after": "1825d"}
    done = office("retention", "run")
    assert (done.exit_code, "by age: nothing" in done.output) == (0, True), done.output
