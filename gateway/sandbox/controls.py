"""What the page and ``gateway demo`` ask of the sandbox, and the stream of what happens in it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any, cast, get_args

import msgspec
from aiohttp import web

from channels.standin import Draft, Trouble
from gateway.answers import json_answer, problem
from gateway.sandbox.guard import Guard
from gateway.sandbox.page import HEADERS
from gateway.sandbox.photos import LARGEST, kind_of
from gateway.sandbox.stage import Stage

KEEPALIVE_SECONDS = 15.0
ANSWER_SECONDS = 2.0
"""How long a message's way to the gateway is waited for; then it goes on by itself."""
LONGEST_TEXT = 2000
LONGEST_FIELD = 200

Fields = dict[str, Any]


class Controls:
    """The routes over one stage."""

    def __init__(self, stage: Stage, guard: Guard) -> None:
        self._stage = stage
        self._guard = guard
        self._stopping = asyncio.Event()

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        here, ours, router = self._guard.here, self._guard.ours, app.router
        router.add_get("/sandbox/status", here(self._status))
        router.add_get("/sandbox/events", here(self._events))
        router.add_post("/sandbox/messages", ours(self._message))
        router.add_post("/sandbox/troubles", ours(self._trouble))
        router.add_post("/sandbox/crowds", ours(self._crowd))
        router.add_post("/sandbox/log", ours(self._log))
        router.add_post("/sandbox/story", ours(self._story))
        app.on_shutdown.append(self._leave)

    async def _leave(self, _app: web.Application) -> None:
        self._stopping.set()

    async def _status(self, _request: web.Request) -> web.Response:
        """Everything, with the token that requests have to show."""
        return json_answer(msgspec.to_builtins(self._stage.status()) | {"token": self._guard.token})

    async def _message(self, request: web.Request) -> web.Response:
        """A citizen writes: a form with ``channel``, ``from``, ``text`` and what else :class:`Draft` knows."""
        fields = await _form(request)
        if isinstance(fields, web.Response):
            return fields
        channel = str(fields.get("channel", ""))
        if channel not in self._stage.players:
            return _unknown()
        draft = _draft(fields)
        if isinstance(draft, web.Response):
            return draft
        line, way = self._stage.say(channel, draft)
        await asyncio.wait({way}, timeout=ANSWER_SECONDS)
        if way.done() and isinstance(error := way.exception(), ValueError):
            return problem(400, "not_sent", str(error))
        return json_answer({"id": line.id})

    async def _trouble(self, request: web.Request) -> web.Response:
        """``channel`` and ``trouble``, which is empty where all shall be well."""
        fields = await _form(request)
        if isinstance(fields, web.Response):
            return fields
        channel, trouble = str(fields.get("channel", "")), str(fields.get("trouble", ""))
        if channel not in self._stage.players:
            return _unknown()
        if trouble and trouble not in get_args(Trouble):
            return problem(400, "unknown_trouble", f"the troubles are: {', '.join(get_args(Trouble))}")
        await self._stage.order(channel, cast("Trouble", trouble) if trouble else None)
        return json_answer(self._stage.status())

    async def _crowd(self, request: web.Request) -> web.Response:
        """``channel``, or none for all, and ``on``: whether a crowd of citizens writes there."""
        fields = await _form(request)
        if isinstance(fields, web.Response):
            return fields
        channel, on = str(fields.get("channel", "")), fields.get("on") == "true"
        if channel and channel not in self._stage.players:
            return _unknown()
        for name, crowd in self._stage.crowds.items():
            if name == channel or not channel:
                crowd.switch(on)
        return json_answer(self._stage.status())

    async def _log(self, request: web.Request) -> web.Response:
        """``away``: whether the event log is."""
        fields = await _form(request)
        if isinstance(fields, web.Response):
            return fields
        self._stage.switch_log(away=fields.get("away") == "true")
        return json_answer(self._stage.status())

    async def _story(self, request: web.Request) -> web.Response:
        """Play the story."""
        if not self._stage.play_story(f"http://{request.host}"):
            return problem(409, "playing", "the story is being played")
        return json_answer(self._stage.status())

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: every line, those kept first, and ``status`` whenever something else has changed."""
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        talk, epoch = self._stage.conversation, self._stage.epoch.encode()
        number, turns = self._resumed(request.headers.get("Last-Event-ID", "")), -1
        with contextlib.suppress(ConnectionResetError):
            while not self._stopping.is_set():
                if turns != talk.turns:
                    turns = talk.turns
                    status = msgspec.json.encode(self._stage.status())
                    await response.write(b"event: status\ndata: %s\n\n" % status)
                if lines := talk.after(number):
                    number = max(line.number for line in lines)
                    for line in lines:
                        await response.write(b"data: %s\n\n" % msgspec.json.encode(line))
                    # The place to go on from, once all of them have arrived.
                    await response.write(b"id: %s.%d\n\n" % (epoch, number))
                if not await self._news(number, turns):
                    await response.write(b": still here\n\n")
        return response

    def _resumed(self, last: str) -> int:
        """The number after which a stream goes on; another process's numbers say nothing."""
        epoch, _, number = last.partition(".")
        return int(number) if epoch == self._stage.epoch and number.isdecimal() and len(number) < 12 else 0

    async def _news(self, number: int, turns: int) -> bool:
        """Whether there is something to tell; false when it is time for a sign of life or to leave."""
        news = asyncio.ensure_future(self._stage.conversation.news(number, turns))
        leaving = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({news, leaving}, timeout=KEEPALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return news.done()
        finally:
            for waiting in (news, leaving):
                waiting.cancel()
            await asyncio.gather(news, leaving, return_exceptions=True)


async def _form(request: web.Request) -> Fields | web.Response:
    """The fields of a form; a file as its bytes."""
    try:
        given = await request.post()
    except web.HTTPRequestEntityTooLarge:
        return problem(413, "too_large", "a message has at most one megabyte here")
    except ValueError:
        return problem(400, "malformed", "the body is no form")
    return {
        name: value if isinstance(value, str) else cast("web.FileField", value).file.read()
        for name, value in given.items()
    }


def _draft(fields: Fields) -> Draft | web.Response:
    """What a citizen wrote, or why it cannot be sent."""
    photo = fields.get("photo", b"")
    short = {name: str(fields.get(name, "")).strip() for name in ("from", "subject", "reply_to", "press")}
    text = str(fields.get("text", ""))
    if not short["from"]:
        return problem(400, "no_sender", "say who the message comes from")
    if len(text) > LONGEST_TEXT:
        return problem(413, "too_large", f"a text has at most {LONGEST_TEXT} characters here")
    if any(len(value) > LONGEST_FIELD for value in short.values()):
        return problem(413, "too_large", f"a field other than the text has at most {LONGEST_FIELD} characters")
    if photo and (not isinstance(photo, bytes) or not kind_of(photo) or len(photo) > LARGEST):
        return problem(400, "no_photo", "a photo is a JPEG or PNG file")
    return Draft(
        id=str(uuid.uuid4()),
        sender=short["from"],
        text=text,
        subject=short["subject"],
        private=fields.get("private") == "true",
        reply_to=short["reply_to"],
        press=short["press"],
        photo=photo or b"",
    )


def _unknown() -> web.Response:
    return problem(404, "unknown_channel", "the sandbox plays no channel of this name")
