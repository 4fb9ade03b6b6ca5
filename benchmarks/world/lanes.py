"""The connections over which letters are handed over: HTTP/1.1 with keep-alive, and LMTP (RFC 2033).

Each has one letter under way. A connection that breaks is opened again at the next letter; the caller hears of it as
:class:`OSError` and hands the same letter over once more, as providers do.
"""

from __future__ import annotations

import asyncio

from benchmarks.load import answer_size

PATIENCE = 30.0
"""Seconds for one answer."""


class _Line(asyncio.Protocol):
    """One connection that collects bytes until the waiting one takes them for a whole answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._buffer = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's are none by inheritance

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(str(exc or "closed")))

    async def ask(self, request: bytes) -> bytes:
        if self._lost:
            raise ConnectionResetError("closed")
        self._answer = asyncio.get_running_loop().create_future()
        if request:
            self._transport.write(request)
        # What came before it was asked for: a greeting.
        self._look()
        async with asyncio.timeout(PATIENCE):
            return await self._answer

    def close(self) -> None:
        self._transport.close()

    def _look(self) -> None:
        answer = self._answer
        if answer is None or answer.done():
            return
        size = self.size(self._buffer)
        if size is not None:
            whole, self._buffer = self._buffer[:size], self._buffer[size:]
            answer.set_result(whole)

    def size(self, data: bytes) -> int | None:
        """Bytes of the whole answer in front of ``data``, ``None`` while it is not whole."""
        return answer_size(data) if data else None


class _Smtp(_Line):
    def size(self, data: bytes) -> int | None:
        """Up to the line whose code is followed by a blank (RFC 5321, 4.2.1)."""
        at = 0
        while (end := data.find(b"\r\n", at)) >= 0:
            if data[at + 3 : at + 4] != b"-":
                return end + 2
            at = end + 2
        return None


class Http:
    """A connection for webhook calls."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._line: _Line | None = None

    async def hand_over(self, request: bytes) -> bool:
        """Whether the answer is 200. Raises :class:`OSError`."""
        if self._line is None:
            _, self._line = await asyncio.get_running_loop().create_connection(_Line, *self._address)
        try:
            return (await self._line.ask(request))[9:12] == b"200"
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        line, self._line = self._line, None
        if line is not None:
            line.close()


class Lmtp:
    """A connection for mails, which stays open between them."""

    def __init__(self, host: str, port: int, mailbox: str) -> None:
        self._address = (host, port)
        self._mailbox = mailbox
        self._line: _Smtp | None = None

    async def hand_over(self, sender: str, mail: bytes) -> bool:
        """Whether the mail was taken. Raises :class:`OSError`."""
        try:
            line = await self._open()
            commands = (f"MAIL FROM:<{sender}>\r\n", f"RCPT TO:<{self._mailbox}>\r\n", "DATA\r\n")
            for command, yes in zip(commands, (b"250", b"250", b"354"), strict=True):
                if not (await line.ask(command.encode())).startswith(yes):
                    self.close()
                    return False
            return (await line.ask(_stuffed(mail))).startswith(b"250")
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    async def _open(self) -> _Smtp:
        if self._line is None:
            _, line = await asyncio.get_running_loop().create_connection(_Smtp, *self._address)
            for command, yes in ((b"", b"220"), (b"LHLO mta.example.go.id\r\n", b"250")):
                if not (await line.ask(command)).startswith(yes):
                    line.close()
                    raise ConnectionRefusedError("the listener does not greet")
            self._line = line
        return self._line


def _stuffed(mail: bytes) -> bytes:
    """With RFC 5321's dots, and the end."""
    return mail.replace(b"\r\n.", b"\r\n..") + (b"" if mail.endswith(b"\r\n") else b"\r\n") + b".\r\n"
