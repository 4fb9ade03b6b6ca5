"""A gateway whose citizen is to be forgotten, and a search through everything that it keeps."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.engine import make_url

from channels.email.settings import EmailSettings
from channels.email.standin import StandIn as MailStandIn
from channels.sms.settings import SmsSettings
from channels.sms.standin import StandIn as SmsStandIn
from config.settings import Settings
from gateway.blobs.factory import make_blobs
from gateway.channelset import load_channels
from gateway.identity import sender_secret
from gateway.privacy.find import Who, candidates
from gateway.privacy.forget import Forgetting, Forgotten
from gateway.privacy.keeper import Keeper
from gateway.store.engine import Store
from gateway.store.tables import attachments, metadata, outbox
from tests import inside
from tests.channels.email.dovecot import free_ports

SITI, SITI_MAIL = "+6281234567890", "siti.rahmawati@example.org"
BUDI, BUDI_MAIL = "+6281298765432", "budi@example.net"
OURS = "lapor@example.go.id"
LARGE = 80 * 1024
"""Bytes of a file that make its mail's payload too large to travel in the event."""

HERS = (
    *("+6281234567890", "6281234567890", "081234567890", "81234567890"),
    *(SITI_MAIL, "Rahmawati", "menganga", "jembatan gantung", "kwitansi", "bukti-siti"),
)
HIS = (BUDI, BUDI_MAIL, "Santoso", "padam", "banjir bandang", "denah", "peta-budi")


class Site:
    """Where it lies, how it is configured, and its citizens."""

    def __init__(self, folder: Path, settings: Settings, sms: SmsStandIn, mail: MailStandIn) -> None:
        self.folder = folder
        self.settings = settings
        self.sms = sms
        self.mail = mail

    async def texts(self, at: inside.Inside, sender: str, text: str, **more: Any) -> None:
        """A citizen sends an SMS."""
        answer = await self.sms.text(at.webhook(), sender, text, **more)
        assert answer.status == 200

    async def posts(self, mail: bytes) -> None:
        """A citizen's mail comes."""
        posted = await self.mail.text("", SITI_MAIL, "", raw=mail)
        assert posted.status == 200

    def who(self, address: str) -> Who:
        """The sender of an address."""
        kind = "email" if "@" in address else "sms"
        channels = load_channels(self.settings)
        return candidates(address, kind, sender_secret(self.settings), channels)[0]

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The store, as another process opens it."""
        store = Store(self.settings.store.url.get_secret_value(), pool_size=2)
        try:
            yield store
        finally:
            await store.close()

    async def forget(self, *addresses: str) -> list[Forgotten]:
        """What the command does."""
        async with self.store() as store:
            forgetting = Forgetting(self.settings, store, make_blobs(self.settings.blobs))
            return [await forgetting.forget(self.who(address), by="an operator") for address in addresses]

    async def sweep(self, now: float | None = None) -> Any:
        """What the keeper does once an hour."""
        async with self.store() as store:
            return await Keeper(self.settings, store, make_blobs(self.settings.blobs), owner="a-test").once(now)

    async def found(self, words: Iterable[str]) -> set[str]:
        """Which of these words stand anywhere: in the bytes of a file, or in a row of PostgreSQL."""
        kept = [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]
        if make_url(self.settings.store.url.get_secret_value()).get_backend_name() != "sqlite":
            kept += await self._rows()
        everything = b"\n".join(kept).lower()
        return {word for word in words if any(one.lower() in everything for one in _spellings(word))}

    async def _rows(self) -> list[bytes]:
        """Every value of every row."""
        async with self.store() as store, store.read() as connection:
            rows = [row for table in metadata.sorted_tables for row in await connection.execute(select(table))]
        return [value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row]


@asynccontextmanager
async def site(folder: Path, **sections: Any) -> AsyncIterator[Site]:
    """A site with an SMS channel and a mailbox, whose providers are played."""
    (port,) = free_ports(1)
    account = EmailSettings(address=OURS, listen=f"127.0.0.1:{port}", smtp_url=SecretStr("smtp://lapor:pa55@127.0.0.1"))
    sms_account = SmsSettings.model_validate(inside.KANNEL)
    async with SmsStandIn(sms_account) as sms, MailStandIn(account) as mail:
        channels = {
            "sms": inside.KANNEL | sms.overrides(sms_account),
            "email": {
                "type": "email",
                "address": OURS,
                "listen": account.listen,
                "smtp_url": mail.overrides(account)["smtp_url"].get_secret_value(),
            },
        }
        await asyncio.to_thread(folder.mkdir, exist_ok=True)
        given = {"blobs": {"path": folder / "blobs"}, "channels": channels} | sections
        yield Site(folder, inside.settings(folder, **given), sms, mail)


async def answered(at: inside.Inside, *, replies: int, files: int) -> None:
    """Wait until so many replies are sent, so many files stored, and nothing is left to relay or to dispatch."""
    await at.until(lambda rows: sum(row.state in ("sent", "delivered") for row in rows) >= replies, outbox)
    await at.until(lambda rows: sum(row.state == "stored" for row in rows) >= files, attachments)
    await settled(at)


async def settled(at: inside.Inside) -> None:
    """Wait until the dispatcher has committed all that is on the log."""
    settings = at.gateway.settings
    consumer = at.gateway.log.consumer(settings.log.group, [settings.topics.complaints])
    async with asyncio.timeout(inside.PATIENCE):
        while await consumer.lag():
            await asyncio.sleep(0.01)
    await consumer.close()


def letter(sender: str, subject: str, text: str, *, file: tuple[str, str], id_: str) -> bytes:
    """A mail with a file so large that its payload goes to the blob store."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = sender, OURS, subject, f"<{id_}>"
    mail.set_content(text)
    name, word = file
    mail.add_attachment((f"{word}\n" * (LARGE // len(word))).encode(), "application", "pdf", filename=name)
    return mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))


def _spellings(word: str) -> Sequence[bytes]:
    """A word as it is, as forms and URLs write it, and in base64 at every place within three bytes."""
    plain = word.encode()
    inner = [base64.b64encode(b"x" * shift + plain)[4 if shift else 0 : -4] for shift in range(3)]
    return [plain, quote(word).encode(), quote_plus(word).encode(), *(one for one in inner if len(one) >= 8)]
