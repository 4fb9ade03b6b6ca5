"""A folder read by IMAP: the cursor is the folder's UIDVALIDITY and the last UID that was handed over.

Everything above that UID is read, however old it is and whatever its flags say. Where the server gave the folder a
new UIDVALIDITY, all of it is read again: the events' ids make that harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import msgspec

from channels.base import InboundMessage
from channels.email.mail import RAW_TYPE, Reading, read_mail
from channels.email.mailbox import Mailbox, Stored
from channels.email.settings import EmailSettings, Server
from channels.errors import RetryLater
from channels.receiving import Fetched, Item, Source, Unreadable

MAILS: Final = 100
BYTES: Final = 16 * 1024 * 1024
"""One reading brings at most so many mails, and so many bytes unless a single mail has more."""
IDLE_SECONDS: Final = 25.0
ATTEMPTS: Final = 3
"""Readings after which a mail that the server has and does not give is passed over, as unreadable."""

T = TypeVar("T")


class Cursor(msgspec.Struct, frozen=True):
    """How far a folder is read. Mail that arrived before ``start`` is recorded and not answered."""

    uidvalidity: int
    uid: int
    start: datetime


class ImapSource(Source):
    """One folder. Its connection lives in a thread of its own, which ends when the connection is let go."""

    def __init__(
        self,
        server: Server,
        folder: str,
        settings: EmailSettings,
        *,
        idle_seconds: float = IDLE_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = f"imap:{folder}"
        self._server = server
        self._folder = folder
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._now = now
        self._mailbox: Mailbox | None = None
        self._uidvalidity = 0
        self._ahead: list[int] = []
        self._quiet = False
        self._refused = (0, 0)
        self._thread: ThreadPoolExecutor | None = None

    async def fetch(self, cursor: str) -> Fetched:
        """The mails above the cursor. Waits for new ones where there are none and the server tells of them."""
        return await self._in_thread(lambda mailbox: self._fetch(mailbox, cursor))

    async def close(self) -> None:
        """Let go of the connection and its thread."""
        mailbox, self._mailbox = self._mailbox, None
        thread, self._thread = self._thread, None
        if thread is not None:
            if mailbox is not None:
                closing = asyncio.get_running_loop().run_in_executor(thread, mailbox.close)
                try:
                    await closing
                except asyncio.CancelledError:
                    mailbox.abort()
                    raise
            thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[Mailbox], T]) -> T:
        """Work on the connection, a new one where there is none; it is dropped on any failure."""
        fresh = self._mailbox is None
        mailbox = self._mailbox = self._mailbox or Mailbox()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mail {self._folder}")

        def run() -> T:
            if fresh:
                mailbox.connect(self._server)
                self._uidvalidity = mailbox.open(self._folder)
                self._ahead, self._quiet = [], False
            return work(mailbox)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, run)
        except BaseException:
            # What the thread is in the middle of ends with the connection; a cancelled reading waits for nothing.
            # The next reading has a thread of its own.
            mailbox.abort()
            self._thread.submit(mailbox.close)
            self._thread.shutdown(wait=False)
            self._thread = self._mailbox = None
            raise

    def _fetch(self, mailbox: Mailbox, text: str) -> Fetched:
        cursor = _read_cursor(text)
        if cursor is None:
            cursor = Cursor(self._uidvalidity, 0, self._now() - timedelta(seconds=self._settings.backfill))
        elif cursor.uidvalidity != self._uidvalidity:
            cursor = Cursor(self._uidvalidity, 0, cursor.start)
        self._ahead = [uid for uid in self._ahead if uid > cursor.uid] or mailbox.after(cursor.uid)
        # A reading on a new connection does not wait: that the channel works again is to be known at once.
        if not self._ahead and self._quiet and mailbox.tells and mailbox.wait(self._idle_seconds):
            self._ahead = mailbox.after(cursor.uid)
        self._quiet = not self._ahead
        if not self._ahead:
            return Fetched((), _written(cursor), 0.0 if mailbox.tells else self._settings.poll_seconds)
        items, last = self._read(mailbox, self._ahead[:MAILS], cursor)
        return Fetched(items, _written(msgspec.structs.replace(cursor, uid=last)))

    def _read(self, mailbox: Mailbox, uids: Sequence[int], cursor: Cursor) -> tuple[list[Item], int]:
        """What these mails say, as far as the bounds reach, and the UID up to which that is."""
        chosen: list[Stored] = []
        total, last = 0, uids[-1]
        described = {stored.uid: stored for stored in mailbox.describe(uids)}
        for uid in uids:
            stored = described.get(uid, Stored(uid))
            size = stored.size if self._fits(stored) else 0
            if chosen and total + size > BYTES:
                last = chosen[-1].uid
                break
            chosen.append(stored)
            total += size
        mails, last = self._mails(mailbox, [stored.uid for stored in chosen if self._fits(stored)], last)
        items: list[Item] = []
        for stored in chosen:
            if stored.uid > last:
                break
            if not self._fits(stored):
                said = f"{stored.size} bytes; max_size is {self._settings.max_size}"
                items.append(Unreadable(mailbox.head(stored.uid) or said.encode(), RAW_TYPE, "too_large", said))
            elif (mail := mails.get(stored.uid)) is not None:
                items.append(mail if isinstance(mail, Unreadable) else self._message(mail, stored, cursor.start))
        return items, last

    def _fits(self, stored: Stored) -> bool:
        return stored.size <= self._settings.max_size

    def _mails(self, mailbox: Mailbox, uids: Sequence[int], last: int) -> tuple[dict[int, bytes | Unreadable], int]:
        """The bytes of these mails, and the UID up to which they are whole. A mail that is gone is passed over."""
        found: dict[int, bytes | Unreadable] = {**_given(mailbox, uids)}
        for uid in uids:
            if uid in found:
                continue
            # It is gone, or the server does not give it, or did not give it because of another.
            if (mail := _given(mailbox, [uid]).get(uid)) is not None:
                found[uid] = mail
                continue
            if uid not in mailbox.after(uid - 1):
                continue
            times = self._refused[1] + 1 if self._refused[0] == uid else 1
            self._refused = (uid, times)
            said = f"the IMAP server has the mail with UID {uid} and does not give it"
            if times >= ATTEMPTS:
                found[uid] = Unreadable(said.encode(), "text/plain", "not_given", said)
            elif uid == uids[0]:
                raise RetryLater(said, reason="not_given")
            else:
                return found, uid - 1
        return found, last

    def _message(self, raw: bytes, stored: Stored, start: datetime) -> InboundMessage:
        reading = Reading(
            own_addresses=self._settings.own_addresses,
            trusted_authserv=self._settings.trusted_authserv,
            received_at=stored.arrived,
        )
        message = read_mail(raw, reading)
        if stored.arrived is None or stored.arrived >= start or message.kind != "message" or message.automated:
            return message
        return msgspec.structs.replace(message, automated="before_start")


async def probe(server: Server) -> None:
    """Log in and say NOOP. Raises :class:`~channels.errors.RetryLater` or :class:`~channels.errors.Misconfigured`."""
    mailbox = Mailbox()

    def ask() -> None:
        try:
            mailbox.connect(server)
            mailbox.noop()
        finally:
            mailbox.close()

    try:
        await asyncio.to_thread(ask)
    except asyncio.CancelledError:
        mailbox.abort()
        raise


def _given(mailbox: Mailbox, uids: Sequence[int]) -> dict[int, bytes]:
    """What the server gives of these mails; nothing where it says no."""
    try:
        return mailbox.read(uids)
    except RetryLater as error:
        if error.reason != "imap_no":
            raise
        return {}


def _read_cursor(text: str) -> Cursor | None:
    try:
        return msgspec.json.decode(text, type=Cursor) if text else None
    except msgspec.DecodeError:
        return None  # not ours: as if it were the first start


def _written(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()
