"""A small IMAP4rev1 server (RFC 3501, with IDLE, RFC 2177) over a mailbox in memory.

It knows what a reader of a mailbox asks for: LOGIN, EXAMINE and SELECT, UID SEARCH of a range, UID FETCH of
UID, RFC822.SIZE, INTERNALDATE, FLAGS and BODY[] or its header, NOOP, IDLE and LOGOUT. Anything else is BAD.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from channels.standin import Fault

CAPABILITIES: Final = "IMAP4rev1 IDLE"
_COMMAND: Final = re.compile(r"(\S+) (UID \w+|\w+)(?: (.*))?", re.IGNORECASE | re.DOTALL)
_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_PART: Final = re.compile(r"BODY(?:\.PEEK)?\[(HEADER)?\](?:<0\.(\d+)>)?", re.IGNORECASE)
_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Letter(msgspec.Struct):
    """One mail in a folder."""

    uid: int
    raw: bytes
    arrived: datetime
    seen: bool = False


class Folder:
    """Mails by rising UID. ``changed`` is set, and replaced, at the next change."""

    def __init__(self, uidvalidity: int) -> None:
        self.uidvalidity = uidvalidity
        self.letters: list[Letter] = []
        self.next_uid = 1
        self.changed = asyncio.Event()

    def add(self, raw: bytes, arrived: datetime | None = None) -> int:
        """A mail arrives; returns its UID."""
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.letters.append(Letter(uid, raw, arrived or datetime.now(UTC)))
        self._tell()
        return uid

    def expunge(self, uid: int) -> None:
        """A mail is gone."""
        self.letters = [one for one in self.letters if one.uid != uid]
        self._tell()

    def _tell(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class ImapServer:
    """Folders and those who read them. ``idle`` tells whether IDLE is offered."""

    def __init__(
        self, knows: Callable[[str, str], bool], fault: Callable[[], Fault | None], closing: asyncio.Event
    ) -> None:
        self.idle = True
        self.commands: list[str] = []
        self.idling = asyncio.Condition()
        self._validities = itertools.count(1001)
        self.folders = {"INBOX": Folder(next(self._validities))}
        self._knows = knows
        self._fault = fault
        self._closing = closing
        self._server: asyncio.Server | None = None
        self._conversations: set[Conversation] = set()

    async def start(self, host: str, port: int = 0) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._serve, host, port)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            await self.disconnect()
            await self._server.wait_closed()

    async def disconnect(self) -> None:
        """Break every connection there is."""
        found = tuple(self._conversations)
        for one in found:
            one.cut()
        for one in found:
            await one.gone.wait()

    async def renew(self, folder: str = "INBOX") -> None:
        """The folder gets a new UIDVALIDITY and its mails new UIDs, as after a restored backup."""
        old = self.folders[folder]
        new = self.folders[folder] = Folder(next(self._validities))
        for letter in old.letters:
            new.add(letter.raw, letter.arrived)
        await self.disconnect()

    def knows(self, username: str, password: str) -> bool:
        """Whether these may log in."""
        return self._knows(username, password)

    def strikes(self) -> Fault | None:
        """The fault that strikes this command."""
        return self._fault()

    async def hang(self) -> None:
        """Wait for the end of the server."""
        await self._closing.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(self, reader, writer)
        self._conversations.add(conversation)
        try:
            await conversation.talk()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the reader went, or was sent away
        finally:
            self._conversations.discard(conversation)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            conversation.gone.set()


class Conversation:
    """One connection: what it was told of the folder it opened is what its sequence numbers mean."""

    def __init__(self, server: ImapServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._folder: Folder | None = None
        self._uids: list[int] = []
        self.gone = asyncio.Event()

    def cut(self) -> None:
        """Break the connection."""
        self._writer.transport.abort()

    async def talk(self) -> None:
        """Greet, and answer commands until LOGOUT. Raises :class:`ConnectionError` or EOF's error at another end."""
        await self._say(f"* OK [CAPABILITY {self._capabilities}] the stand-in's mailbox")
        logged_in = False
        while True:
            line = (await self._reader.readuntil(b"\r\n")).decode("utf-8", "replace").removesuffix("\r\n")
            found = _COMMAND.fullmatch(line)
            if found is None:
                await self._say("* BAD no command")
                continue
            tag, name, rest = found[1], found[2].upper(), found[3] or ""
            self._server.commands.append(name)
            if name == "CAPABILITY":
                await self._say(f"* CAPABILITY {self._capabilities}", f"{tag} OK done")
                continue
            if name == "LOGOUT":
                await self._say("* BYE until next time", f"{tag} OK done")
                return
            if not await self._spared(tag, name):
                continue
            if name == "LOGIN":
                words = [(one[1] or one[2]).replace('\\"', '"').replace("\\\\", "\\") for one in _WORD.finditer(rest)]
                logged_in = len(words) == 2 and self._server.knows(words[0], words[1])
                await self._say(
                    f"{tag} OK welcome" if logged_in else f"{tag} NO [AUTHENTICATIONFAILED] wrong user or password"
                )
            elif not logged_in:
                await self._say(f"{tag} BAD log in first")
            else:
                await self._answer(tag, name, rest)

    @property
    def _capabilities(self) -> str:
        return CAPABILITIES if self._server.idle else "IMAP4rev1"

    async def _spared(self, tag: str, name: str) -> bool:
        """Whether no fault strikes this command; if one does, it is what happens instead."""
        fault = self._server.strikes()
        if fault is None:
            return True
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay)
            return True
        if fault.kind == "status":
            code = "LIMIT" if fault.status == 429 else "UNAVAILABLE"
            await self._say(f"{tag} NO [{code}] a fault of the stand-in")
            return False
        if fault.kind == "hang":
            await self._server.hang()
        if name == "UID FETCH":
            # In the middle of a mail.
            self._writer.write(b"* 1 FETCH (UID 1 BODY[] {4096}\r\nFrom: citizen")
            await self._writer.drain()
        self._writer.close()
        raise ConnectionResetError("a fault of the stand-in")

    async def _answer(self, tag: str, name: str, rest: str) -> None:
        if name in ("SELECT", "EXAMINE"):
            await self._open(tag, rest.strip('"'), readonly=name == "EXAMINE")
        elif name == "NOOP":
            await self._say(*self._news(), f"{tag} OK done")
        elif self._folder is None:
            await self._say(f"{tag} BAD open a folder first")
        elif name == "IDLE" and self._server.idle:
            await self._idle(tag, self._folder)
        elif name == "UID SEARCH":
            await self._search(tag, rest, self._folder)
        elif name == "UID FETCH":
            await self._fetch(tag, rest, self._folder)
        else:
            await self._say(f"{tag} BAD unknown command")

    async def _open(self, tag: str, name: str, *, readonly: bool) -> None:
        self._folder = self._server.folders.get(name)
        if self._folder is None:
            await self._say(f"{tag} NO [NONEXISTENT] no such folder")
            return
        self._uids = [one.uid for one in self._folder.letters]
        await self._say(
            "* FLAGS (\\Seen)",
            f"* {len(self._uids)} EXISTS",
            "* 0 RECENT",
            f"* OK [UIDVALIDITY {self._folder.uidvalidity}] valid",
            f"* OK [UIDNEXT {self._folder.next_uid}] next",
            f"{tag} OK [{'READ-ONLY' if readonly else 'READ-WRITE'}] open",
        )

    def _news(self) -> list[str]:
        """What changed since the last telling: EXPUNGE, whose numbers count down as they go, and EXISTS."""
        if self._folder is None:
            return []
        now = [one.uid for one in self._folder.letters]
        there = set(now)
        said = []
        for number in range(len(self._uids), 0, -1):
            if self._uids[number - 1] not in there:
                del self._uids[number - 1]
                said.append(f"* {number} EXPUNGE")
        if now != self._uids:
            self._uids = now
            said.append(f"* {len(now)} EXISTS")
        return said

    async def _idle(self, tag: str, folder: Folder) -> None:
        await self._say("+ idling")
        async with self._server.idling:
            self._server.idling.notify_all()
        done = asyncio.ensure_future(self._reader.readuntil(b"\r\n"))
        try:
            while not done.done():
                changed = asyncio.ensure_future(folder.changed.wait())
                if said := self._news():
                    await self._say(*said)
                await asyncio.wait({done, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            done.cancel()
        await done
        await self._say(f"{tag} OK done")

    async def _search(self, tag: str, rest: str, folder: Folder) -> None:
        found = re.search(r"UID (\d+):\*", rest)
        if found is None:
            await self._say(f"{tag} BAD only UID n:* is known")
            return
        # The star is the last mail, and a range has no direction: "900:*" holds it whatever its UID is.
        uids = [one.uid for one in folder.letters if one.uid >= int(found[1])] or [
            one.uid for one in folder.letters[-1:]
        ]
        await self._say(" ".join(["* SEARCH", *map(str, uids)]), f"{tag} OK done")

    async def _fetch(self, tag: str, rest: str, folder: Folder) -> None:
        chosen, _, what = rest.partition(" ")
        if not re.fullmatch(r"[\d,]+", chosen):
            await self._say(f"{tag} BAD only numbered UIDs are known")
            return
        wanted = {int(one) for one in chosen.split(",")}
        numbers = {uid: number for number, uid in enumerate(self._uids, start=1)}
        for letter in folder.letters:
            if letter.uid in wanted and letter.uid in numbers:
                self._writer.write(self._attributes(numbers[letter.uid], letter, what))
        await self._say(f"{tag} OK done")

    def _attributes(self, number: int, letter: Letter, what: str) -> bytes:
        asked = what.upper()
        said = [f"UID {letter.uid}"]
        if "RFC822.SIZE" in asked:
            said.append(f"RFC822.SIZE {len(letter.raw)}")
        if "INTERNALDATE" in asked:
            at = letter.arrived.astimezone(UTC)
            said.append(f'INTERNALDATE "{at:%d}-{_MONTHS[at.month - 1]}-{at:%Y %H:%M:%S} +0000"')
        if "FLAGS" in asked:
            said.append("FLAGS (\\Seen)" if letter.seen else "FLAGS ()")
        found = _PART.search(what)
        if found is None:
            return f"* {number} FETCH ({' '.join(said)})\r\n".encode()
        body = letter.raw if found[1] is None else _header(letter.raw)
        if found[2] is not None:
            body = body[: int(found[2])]
        letter.seen = letter.seen or ".PEEK" not in asked
        part = f"BODY[{found[1] or ''}]{'<0>' if found[2] else ''}"
        return f"* {number} FETCH ({' '.join(said)} {part} {{{len(body)}}}\r\n".encode() + body + b")\r\n"

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()


def _header(raw: bytes) -> bytes:
    head, _, _ = raw.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n"
