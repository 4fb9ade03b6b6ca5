"""One complaint from the first text to its closing: played on the sandbox's page, in ``gateway demo`` and in a test."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from gateway.sandbox.visitor import NotHeard, Visitor
from normalizer import tracking

TYPE = "sms"
"""The type of the channel on which the story is told."""
AGENCY = "Dinas PU"

Name = Literal["complaint", "follow_up", "status", "stranger", "news", "closing", "closed"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step that went as it should: ``said`` is what set it off, ``heard`` the SMS that came of it.

    ``by`` is who set it off, ``to`` who heard.
    """

    name: Name
    by: Literal["citizen", "stranger", "agency"]
    said: str
    heard: str
    to: str


class StoryFailed(Exception):
    """A step did not go as it should; the message says which, and what happened instead."""


async def play(visitor: Visitor, tell: Callable[[Step], None], *, pause: float = 0.0) -> None:
    """Play the story, telling each step that went well, with ``pause`` seconds between them.

    Citizens with phone numbers of their own play it, so that it can be played again and again. Raises
    :class:`StoryFailed`.
    """
    await _Telling(visitor, tell, pause).tell_all()


def _phone() -> str:
    """A number of a kind that Indonesian carriers give out, and that most likely nobody has in the sandbox."""
    return f"+62812{secrets.randbelow(90_000_000) + 10_000_000}"


class _Telling:
    def __init__(self, visitor: Visitor, tell: Callable[[Step], None], pause: float) -> None:
        self._visitor = visitor
        self._tell = tell
        self._pause = pause
        self._channel = ""
        self._citizen, self._stranger = _phone(), _phone()
        self._number = ""

    async def tell_all(self) -> None:
        """Every step in order. Raises :class:`StoryFailed`."""
        await self._find_channel()
        heard = await self._text("complaint", "Lampu jalan di depan Pasar Baru mati sejak Senin, gelap sekali")
        numbers = tracking.find(heard.heard).numbers
        self._expect(heard, bool(numbers), "a reply with a tracking number")
        self._number = numbers[0]
        await self._pass(heard)

        heard = await self._text("follow_up", "tiangnya juga miring ke arah jalan")
        self._expect(heard, self._shown in heard.heard, f"a reply that names {self._shown}")
        await self._pass(heard)

        heard = await self._text("status", f"STATUS {self._shown}")
        self._expect(heard, self._shown in heard.heard and "Diterima" in heard.heard, "its state, Diterima")
        await self._pass(heard)

        nobodys = tracking.draw(1)[0]
        refusal = (await self._text("stranger", f"STATUS {nobodys}", by="stranger")).heard
        heard = await self._text("stranger", f"STATUS {self._shown}", by="stranger")
        self._expect(heard, heard.heard == refusal, "the very answer that a number without a case gets")
        await self._pass(heard)

        text = "Petugas kami datang besok pagi."
        heard = await self._update("news", "in_progress", text)
        self._expect(heard, text in heard.heard and self._shown in heard.heard, "the agency's words by SMS")
        await self._pass(heard)

        text = "Lampu sudah menyala dan tiang sudah tegak. Terima kasih."
        heard = await self._update("closing", "closed", text)
        self._expect(heard, text in heard.heard and self._shown in heard.heard, "the agency's words by SMS")
        await self._pass(heard)

        heard = await self._text("closed", f"STATUS {self._shown}")
        self._expect(heard, "Selesai" in heard.heard, "its state, Selesai")
        await self._check_case(heard)
        await self._pass(heard)

    @property
    def _shown(self) -> str:
        return tracking.shown(self._number)

    async def _find_channel(self) -> None:
        try:
            status = await self._visitor.status()
        except NotHeard as error:
            raise StoryFailed(str(error)) from error
        names = [name for name, channel in status["channels"].items() if channel["type"] == TYPE]
        if not names:
            raise StoryFailed("the story is told by SMS, and the gateway has no such channel")
        self._channel = names[0]

    async def _text(self, name: Name, text: str, *, by: Literal["citizen", "stranger"] = "citizen") -> Step:
        sender = self._citizen if by == "citizen" else self._stranger
        try:
            heard = await self._visitor.text(self._channel, sender, text)
        except NotHeard as error:
            raise StoryFailed(f"{name}: {error}") from error
        return Step(name=name, by=by, said=text, heard=heard, to=sender)

    async def _update(self, name: Name, status: str, text: str) -> Step:
        at = datetime.now(UTC).isoformat()
        try:
            heard = await self._visitor.update(
                self._channel, self._citizen, self._number, status=status, text=text, agency=AGENCY, at=at
            )
        except NotHeard as error:
            raise StoryFailed(f"{name}: {error}") from error
        return Step(name=name, by="agency", said=text, heard=heard, to=self._citizen)

    async def _check_case(self, step: Step) -> None:
        try:
            case = await self._visitor.case(self._number)
        except NotHeard as error:
            raise StoryFailed(f"{step.name}: {error}") from error
        done = [one["what"] for one in case["steps"] if one["what"] in ("received", "updated")]
        as_told = case["state"] == "closed" and done.count("updated") == 2 and done.count("received") >= 2
        self._expect(step, as_told, "a closed case with the two messages and the two updates")

    def _expect(self, step: Step, found: bool, what: str) -> None:
        if not found:
            raise StoryFailed(f"{step.name}: expected {what}, heard: {step.heard}")

    async def _pass(self, step: Step) -> None:
        self._tell(step)
        if step.name != "closed":
            await asyncio.sleep(self._pause)
