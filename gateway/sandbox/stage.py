"""What happens in the sandbox: citizens write, providers fail, citizens fall silent, the log goes away."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from channels.errors import ChannelError
from channels.standin import Draft, Shown, Trouble
from gateway.app import Gateway
from gateway.sandbox.away import SwitchedLog
from gateway.sandbox.conversation import Conversation, Line
from gateway.sandbox.crowd import Crowd
from gateway.sandbox.photos import Photos
from gateway.sandbox.players import Player
from gateway.sandbox.status import Citizen, PlayerStatus, Status, StoryStatus
from gateway.sandbox.story import Step, StoryFailed, play
from gateway.sandbox.visitor import Visitor
from gateway.store.engine import StoreUnavailable
from gateway.store.tables import messages
from normalizer import tracking

log = structlog.get_logger(__name__)

PEOPLE = 3
"""Citizens that the page offers."""
GUESTS = 6
"""Others who wrote, from a terminal or in the story, that the page shows: the last ones."""
FOLLOWED_SECONDS = 900.0
FIRST_LOOK, LONGEST_LOOK = 0.1, 3.0
STORY_PAUSE = 1.5


class Stage:
    """The sandbox around one gateway. ``told`` is called with each reply: sender, recipient, text."""

    def __init__(
        self,
        gateway: Gateway,
        players: Mapping[str, Player],
        *,
        token: str,
        told: Callable[[str, str, str], None] = lambda *_: None,
    ) -> None:
        self.players = players
        self.conversation = Conversation()
        self.epoch = secrets.token_hex(4)
        """Names this process's lines: another's have other numbers."""
        self.photos = Photos()
        self.log = SwitchedLog(gateway.log)
        gateway.log = self.log
        self._gateway = gateway
        self._token = token
        self._told = told
        self._citizens = [
            Citizen(number, {name: player.person(number) for name, player in players.items()})
            for number in range(PEOPLE)
        ]
        self._guests: dict[tuple[str, str], Citizen] = {}
        self._next = PEOPLE
        self._story = StoryStatus()
        self._tasks: set[asyncio.Task[None]] = set()
        turn = self.conversation.turn
        self.crowds = {name: Crowd(player, gateway.webhook_url, turn) for name, player in players.items()}
        for name, player in players.items():
            player.on_refusal(lambda status, name=name: self._refused(name, status))  # type: ignore[misc]

    def open(self) -> None:
        """Begin to watch what the gateway sends."""
        for name, player in self.players.items():
            self._do(player.watch(lambda sender, shown, name=name: self._heard(name, sender, shown)))  # type: ignore[misc]

    async def close(self) -> None:
        """End everything that is under way."""
        for crowd in self.crowds.values():
            await crowd.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def status(self) -> Status:
        """How everything stands."""
        return Status(
            epoch=self.epoch,
            citizens=(*self._citizens, *self._guests.values()),
            channels={
                name: PlayerStatus(
                    type=player.type,
                    trouble=player.trouble or "",
                    crowd=self.crowds[name].flowing,
                    crowd_written=self.crowds[name].written,
                )
                for name, player in self.players.items()
            },
            log_away=self.log.away,
            story=self._story,
        )

    def say(self, channel: str, draft: Draft) -> tuple[Line, asyncio.Task[None]]:
        """A citizen writes: the line, and the way of the message to the gateway.

        That task raises :class:`ValueError` for a sender or a message that is not there.
        """
        self._meet(channel, draft.sender)
        line = self.conversation.add(
            channel,
            "citizen",
            draft.sender,
            draft.text,
            state="waiting",
            subject=draft.subject,
            private=draft.private,
            reply_to=draft.reply_to,
            photo=self.photos.keep(draft.photo) if draft.photo else "",
        )
        return line, self._do(self._pass_on(line, draft))

    async def order(self, channel: str, trouble: Trouble | None) -> None:
        """Have something go wrong at a channel's provider, with a few citizens to whom it goes wrong."""
        await self.players[channel].order(trouble)
        if trouble is not None:
            self.crowds[channel].probe()
        self.conversation.turn()

    def switch_log(self, *, away: bool) -> None:
        """Take the event log away, or give it back."""
        self.log.away = away
        self.conversation.turn()

    def play_story(self, url: str) -> bool:
        """Play the story over the gateway at ``url``; false where it is being played."""
        if self._story.state == "playing":
            return False
        self._story = StoryStatus(state="playing")
        self._do(self._play(url))
        self.conversation.turn()
        return True

    async def _play(self, url: str) -> None:
        tokens = self._gateway.settings.api.tokens
        said: list[Step] = []

        def tell(step: Step) -> None:
            said.append(step)
            self._story = StoryStatus(state="playing", steps=tuple(said))
            self.conversation.turn()

        try:
            async with Visitor(url, self._token, tokens[0].get_secret_value() if tokens else "") as visitor:
                await play(visitor, tell, pause=STORY_PAUSE)
        except StoryFailed as error:
            self._story = StoryStatus(state="failed", steps=tuple(said), reason=str(error))
        else:
            self._story = StoryStatus(state="done", steps=tuple(said))
        self.conversation.turn()

    async def _pass_on(self, line: Line, draft: Draft) -> None:
        """Hand a message over, and find out which case it came to."""
        change = self.conversation.change
        try:
            written = await self.players[line.channel].write(self._gateway.webhook_url(line.channel), draft)
        except ValueError:
            change(line.id, state="refused")
            raise
        except (ChannelError, OSError) as error:
            log.warning("sandbox.not_handed_over", channel=line.channel, reason=type(error).__name__)
            change(line.id, state="refused")
            return
        taken = written.status < 300
        change(line.id, message=written.id, status=written.status, state="taken" if taken else "refused")
        if taken:
            self._do(self._follow(line, written.id))

    async def _follow(self, line: Line, message: str) -> None:
        """Look in the store which case a message came to, until it is there."""
        wait = FIRST_LOOK
        query = select(messages.c.case_number).where(
            messages.c.channel == line.channel, messages.c.provider_id == message
        )
        async with asyncio.timeout(FOLLOWED_SECONDS):
            while True:
                with contextlib.suppress(StoreUnavailable, DBAPIError):
                    async with self._gateway.store.read() as connection:
                        row = (await connection.execute(query)).first()
                    if row is not None:
                        if row.case_number:
                            self.conversation.change(line.id, case=row.case_number)
                        return
                await asyncio.sleep(wait)
                wait = min(wait * 1.5, LONGEST_LOOK)

    def _refused(self, channel: str, status: int) -> None:
        """The gateway has said no for now, and the provider tries again."""
        for line in self.conversation.waiting(channel):
            self.conversation.change(line.id, status=status)

    def _heard(self, channel: str, sender: str, shown: Shown) -> None:
        if shown.to in self.crowds[channel].addresses:
            return
        self._meet(channel, shown.to)
        found = tracking.find(shown.text).numbers
        self.conversation.add(
            channel,
            "gateway",
            shown.to,
            shown.text,
            state="sent",
            message=shown.id,
            subject=shown.subject,
            private=shown.private,
            reply_to=shown.reply_to,
            buttons=shown.buttons,
            case=found[0] if found else "",
        )
        self._told(sender, shown.to, shown.text)

    def _meet(self, channel: str, address: str) -> None:
        """Somebody whom the page does not offer becomes one whom it does."""
        if any(citizen.addresses.get(channel) == address for citizen in self._citizens):
            return
        if (channel, address) not in self._guests:
            self._guests[channel, address] = Citizen(self._next, {channel: address})
            self._next += 1
            if len(self._guests) > GUESTS:
                del self._guests[next(iter(self._guests))]
            self.conversation.turn()

    def _do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="sandbox")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ValueError | TimeoutError):
            log.error("sandbox.failed", exc_info=error)
