"""One connection to one folder of a mailbox: IMAP4rev1 (RFC 3501), synchronous, for a thread of its own.

The folder is opened with EXAMINE and read with BODY.PEEK, so that nothing in it changes: whoever else looks into the
mailbox still sees what nobody has read. imap-tools logs in, finds and opens; what it does not ask for (INTERNALDATE,
IDLE that loses nothing) is asked of its imaplib client.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, TypeVar

import msgspec
from imap_tools import BaseMailBox, ImapToolsError, MailBox, MailBoxUnencrypted
from imap_tools.errors import MailboxFolderSelectError, MailboxLoginError, UnexpectedCommandStatusError

from channels.email.settings import Server
from channels.errors import Misconfigured, RetryLater

TIMEOUT: Final = 30.0
HEADER_BYTES: Final = 64 * 1024
"""Of a mail that is too large, this much of its header is kept."""

_UID: Final = re.compile(rb"[ (]UID (\d+)")
_SIZE: Final = re.compile(rb"[ (]RFC822\.SIZE (\d+)")
_DATE: Final = re.compile(rb'[ (]INTERNALDATE "([^"]+)"')
_BODY: Final = re.compile(rb"[ (]BODY\[")
_NEWS: Final = re.compile(rb"\* \d+ EXISTS", re.IGNORECASE)
_CODE: Final = re.compile(rb"\[([A-Z]+)")
_PASSING: Final = frozenset({b"UNAVAILABLE", b"INUSE", b"LIMIT", b"SERVERBUG", b"CONTACTADMIN"})
"""Response codes (RFC 5530) of a no that may be a yes later."""

T = TypeVar("T")
Responses = Sequence[tuple[bytes, bytes] | bytes | None]


class Stored(msgspec.Struct, frozen=True):
    """One mail in the folder: ``size`` in bytes, ``arrived`` its INTERNALDATE."""

    uid: int
    size: int = 0
    arrived: datetime | None = None


class Mailbox:
    """A connection with one folder open. Every method may block for :data:`TIMEOUT`, but :meth:`abort` never does.

    Methods raise :class:`~channels.errors.RetryLater` or :class:`~channels.errors.Misconfigured`. After the reason
    ``imap_no`` alone the connection can still be used. Messages hold nothing that the server said but its codes.
    """

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._box: BaseMailBox | None = None
        self._aborted = False

    @property
    def _client(self) -> imaplib.IMAP4:
        if self._box is None:
            raise RetryLater("the connection to the IMAP server is closed", reason="connection")
        return self._box.client

    def connect(self, server: Server) -> None:
        """Connect and log in."""

        def connected() -> BaseMailBox:
            if server.tls:
                context = ssl.create_default_context()
                return MailBox(server.host, server.port, timeout=self._timeout, ssl_context=context)
            return MailBoxUnencrypted(server.host, server.port, timeout=self._timeout)

        self._box = self._told(connected)
        if self._aborted:
            self.abort()
        login = self._box.login if (server.username + server.password).isascii() else self._box.login_utf8
        self._told(lambda: login(server.username, server.password, initial_folder=None), login=True)

    def open(self, folder: str) -> int:
        """Open a folder; returns its UIDVALIDITY."""
        box = self._box
        if box is None:
            raise RetryLater("the connection to the IMAP server is closed", reason="connection")
        self._told(lambda: box.folder.set(folder, readonly=True))
        validity = self._client.response("UIDVALIDITY")[1][0]
        if validity is None:
            raise Misconfigured("the IMAP server keeps no UIDs in this folder", reason="no_uidvalidity")
        return int(validity)

    def after(self, uid: int) -> list[int]:
        """The UIDs above ``uid``, rising."""

        def found() -> list[int]:
            box = self._box
            self._client.noop()  # only now does the server have to tell of what came meanwhile
            self._client.untagged_responses.clear()
            return [int(one) for one in box.uids(f"UID {uid + 1}:*")] if box is not None else []

        # "n:*" always holds the last mail, even where its UID is below n.
        return sorted(one for one in self._told(found) if one > uid)

    def describe(self, uids: Iterable[int]) -> list[Stored]:
        """Size and date of these mails, rising; those that are gone are left out."""
        found = [
            Stored(uid, _number(_SIZE, text), _date(text))
            for uid, (text, _) in self._fetched(uids, "(UID RFC822.SIZE INTERNALDATE)").items()
        ]
        return sorted(found, key=lambda stored: stored.uid)

    def read(self, uids: Iterable[int]) -> dict[int, bytes]:
        """The bytes of these mails; those that are gone are left out."""
        return self._bodies(uids, "(UID BODY.PEEK[])")

    def head(self, uid: int) -> bytes:
        """The header of a mail, at most :data:`HEADER_BYTES` of it; ``b""`` where it is gone."""
        return self._bodies([uid], f"(UID BODY.PEEK[HEADER]<0.{HEADER_BYTES}>)").get(uid, b"")

    @property
    def tells(self) -> bool:
        """Whether the server tells of new mail (IDLE, RFC 2177)."""
        return "IDLE" in self._client.capabilities

    def wait(self, seconds: float) -> bool:
        """IDLE until new mail comes, at most ``seconds``; whether it came.

        It reads from the socket itself: the buffer of imaplib may hold the news behind the server's ``+``, where
        waiting for the socket would not see it.
        """
        return self._told(lambda: self._idle(self._client, seconds))

    def noop(self) -> None:
        """Make sure that the server is there."""
        self._told(lambda: self._client.noop())

    def close(self) -> None:
        """Log out, without waiting long."""
        box, self._box = self._box, None
        if box is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error, ImapToolsError):
                box.client.socket().settimeout(1.0)
                box.client.logout()
            with contextlib.suppress(OSError):
                box.client.shutdown()

    def abort(self) -> None:
        """End whatever another thread waits for: it raises there. May be called from any thread."""
        self._aborted = True
        box = self._box
        if box is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own, which would take the encryption away under the reader.
                socket.socket.shutdown(box.client.socket(), socket.SHUT_RDWR)

    def _idle(self, client: imaplib.IMAP4, seconds: float) -> bool:
        connection = client.socket()
        lines = _Lines(connection)
        until = time.monotonic() + seconds
        try:
            client.send(b"IDLE1 IDLE\r\n")
            came = refused = False
            while not (came or refused) and (left := until - time.monotonic()) > 0:
                connection.settimeout(left)
                try:
                    line = lines.next()
                except TimeoutError:
                    break
                came = _NEWS.match(line) is not None
                refused = line.startswith(b"IDLE1 ")
            connection.settimeout(self._timeout)
            if not refused:
                client.send(b"DONE\r\n")
                while not lines.next().startswith(b"IDLE1 "):
                    pass
        finally:
            connection.settimeout(self._timeout)
        if refused:
            raise RetryLater("the IMAP server refused IDLE", reason="imap_no")
        return came

    def _bodies(self, uids: Iterable[int], what: str) -> dict[int, bytes]:
        return {uid: body for uid, (text, body) in self._fetched(uids, what).items() if _BODY.search(text)}

    def _fetched(self, uids: Iterable[int], what: str) -> dict[int, tuple[bytes, bytes]]:
        """The attributes of each mail as the server wrote them, and its literal."""
        asked = frozenset(uids)
        chosen = ",".join(str(uid) for uid in sorted(asked))

        def fetch() -> dict[int, tuple[bytes, bytes]]:
            answer, data = self._client.uid("FETCH", chosen, what)
            if answer != "OK":
                self._client.untagged_responses.clear()  # what came before the no
                raise imaplib.IMAP4.error(answer)
            return {uid: said for uid, said in responses(data).items() if uid in asked}

        return self._told(fetch) if chosen else {}

    def _told(self, ask: Callable[[], T], *, login: bool = False) -> T:
        try:
            return ask()
        except (MailboxLoginError, MailboxFolderSelectError) as error:
            code = _code(error)
            if code in _PASSING:
                raise RetryLater(f"the IMAP server says {code.decode()}", reason="imap_no") from None
            if isinstance(error, MailboxLoginError):
                raise Misconfigured("the IMAP server refuses user or password", reason="credentials") from None
            raise Misconfigured("the IMAP server refuses to open the folder", reason="folder") from None
        except ssl.SSLCertVerificationError as error:
            raise Misconfigured("the IMAP server's certificate is not accepted", reason="tls") from error
        except (imaplib.IMAP4.abort, OSError, EOFError) as error:
            raise RetryLater("the connection to the IMAP server broke", reason="connection") from error
        except (imaplib.IMAP4.error, ImapToolsError) as error:
            if login:
                raise Misconfigured("the IMAP server refuses to log us in", reason="credentials") from None
            said = error.command_result[0] if isinstance(error, UnexpectedCommandStatusError) else "no"
            raise RetryLater(f"the IMAP server said {said}", reason="imap_no") from None


class _Lines:
    """Lines from a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def next(self) -> bytes:
        """The next line. Raises :class:`TimeoutError`, and :class:`ConnectionError` at the end."""
        while b"\n" not in self._buffer:
            piece = self._connection.recv(4096)
            if not piece or len(self._buffer) > 2**20:
                raise ConnectionResetError("the server is gone")
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        if line.startswith(b"* BYE"):
            raise ConnectionResetError("the server says goodbye")
        return line


def responses(data: Responses) -> dict[int, tuple[bytes, bytes]]:
    """What imaplib makes of FETCH responses, by UID: the attributes' text, and the literal in it.

    A response is a plain ``bytes``, or pairs of text and literal with a last ``bytes`` behind. One without a UID
    (a flag changed) was not asked for.
    """
    found: dict[int, tuple[bytes, bytes]] = {}
    text, literal = b"", b""
    for piece in data:
        if isinstance(piece, tuple):
            text, literal = text + piece[0], literal + piece[1]
            continue
        text += piece or b""
        if uid := _UID.search(text):
            # A flag that changes meanwhile is told in a response of its own, which must not hide the mail's.
            before = found.get(int(uid[1]), (b"", b""))
            found[int(uid[1])] = (before[0] + text, before[1] or literal)
        text, literal = b"", b""
    return found


def _number(pattern: re.Pattern[bytes], text: bytes) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0


def _date(text: bytes) -> datetime | None:
    found = _DATE.search(text)
    try:
        return datetime.strptime(found[1].decode("ascii").strip(), "%d-%b-%Y %H:%M:%S %z") if found else None
    except ValueError:
        return None


def _code(error: UnexpectedCommandStatusError) -> bytes:
    said = b" ".join(one for one in error.command_result[1] if isinstance(one, bytes))
    found = _CODE.search(said)
    return found[1] if found else b""
