"""What was said in the sandbox, by channel and citizen, and a bell for whoever watches."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from channels.standin import Button

KEPT = 500

State = Literal["waiting", "taken", "refused", "sent"]
"""A citizen's message waits at the provider, was taken by the gateway, or was refused; the gateway's was sent."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One message: ``who`` is the citizen or the gateway, ``address`` the citizen's.

    ``id`` counts messages, ``number`` counts changes: a line that changes is told again with a higher number.
    ``message`` is its id at the provider, ``case`` the tracking number it is about (of ten digits, or ``""``), and
    ``status`` the HTTP status of the gateway's last answer, 0 where there was none.
    """

    id: int
    number: int
    at: datetime
    channel: str
    who: Literal["citizen", "gateway"]
    address: str
    text: str
    state: State
    message: str = ""
    subject: str = ""
    private: bool = False
    reply_to: str = ""
    buttons: tuple[Button, ...] = ()
    photo: str = ""
    case: str = ""
    status: int = 0


class Conversation:
    """The last lines of all channels, in order, and a count of the changes of what stands around them."""

    def __init__(self) -> None:
        self._lines: dict[int, Line] = {}
        self._ids = 0
        self._count = 0
        self.turns = 0
        """How often :meth:`turn` was called."""
        self._bell = asyncio.Event()

    def add(
        self,
        channel: str,
        who: Literal["citizen", "gateway"],
        address: str,
        text: str,
        *,
        state: State,
        **more: Any,
    ) -> Line:
        """Keep one line and ring the bell; ``more`` are further fields of :class:`Line`."""
        self._ids += 1
        self._count += 1
        line = Line(
            id=self._ids,
            number=self._count,
            at=datetime.now(UTC),
            channel=channel,
            who=who,
            address=address,
            text=text,
            state=state,
            **more,
        )
        self._lines[line.id] = line
        if len(self._lines) > KEPT:
            del self._lines[next(iter(self._lines))]
        self._ring()
        return line

    def change(self, identifier: int, **fields: Any) -> None:
        """Change a line, if it is still kept, and ring the bell."""
        if line := self._lines.get(identifier):
            self._count += 1
            self._lines[identifier] = msgspec.structs.replace(line, number=self._count, **fields)
            self._ring()

    def turn(self) -> None:
        """Something around the lines has changed: ring the bell."""
        self.turns += 1
        self._ring()

    def after(self, number: int) -> list[Line]:
        """The lines kept that came or changed after this number, in the order in which they came."""
        return [line for line in self._lines.values() if line.number > number]

    def waiting(self, channel: str) -> list[Line]:
        """The channel's lines that the gateway has not taken yet."""
        return [line for line in self._lines.values() if line.channel == channel and line.state == "waiting"]

    async def news(self, number: int, turns: int) -> None:
        """Return once there are lines after this number, or turns after these."""
        if number == self._count and turns == self.turns:
            await self._bell.wait()

    def _ring(self) -> None:
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()
