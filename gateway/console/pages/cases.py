"""``/ops/cases``: finding a case or a message, following its whole way, asking who it is, and writing to them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy import select

from gateway.console import forms
from gateway.console.labels import label
from gateway.console.moments import ago
from gateway.console.page import language_of
from gateway.console.records import fresh_key
from gateway.console.search import LONGEST, Found, search
from gateway.console.shell import Console, needs, operator_of, page, redirect
from gateway.console.steps import OPERATOR
from gateway.console.trail import Trail, case_trail, message_trail
from gateway.evidence import secrets_of
from gateway.identity import sender_secret
from gateway.replies import LANGUAGES
from gateway.store.audit import record
from gateway.store.tables import updates
from gateway.updates.rules import UpdateInvalid, cleaned
from gateway.updates.writer import Refusal
from normalizer.messages import CaseUpdate
from normalizer.tracking import read_number, shown

LONGEST_TEXT = 2000
"""Characters that an operator may write to a citizen at once; by SMS they are cut at 900."""


class Cases:
    """The handlers of cases and messages."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._secret = b""

    @needs("viewer")
    async def ask(self, request: web.Request) -> web.Response:
        """``GET /ops/cases``: the form."""
        return page(request, "pages/search", found=None, **self._words(request))

    @needs("viewer")
    async def find(self, request: web.Request) -> web.Response:
        """``POST /ops/cases``: a post, so that no address stands in a URL, a history or a proxy's log."""
        term = await forms.field(request, "term", longest=LONGEST)
        operator, console = operator_of(request), self._console
        found = await search(
            console.store,
            term,
            channels=console.channels,
            secret=self._key(),
            unnamed=operator.acts,
        )
        if "sender" in found.by:
            await record(console.store, operator.name, "search", detail=f"by sender: {len(found.cases)} cases")
        only = _only(found)
        if only:
            return redirect(only)
        return page(request, "pages/search", found=found, **self._words(request))

    @needs("viewer")
    async def case(self, request: web.Request) -> web.Response:
        """``GET /ops/cases/{number}``."""
        number = _number(request)
        if number != request.match_info["number"]:
            return redirect(f"/ops/cases/{number}")
        return self._case_page(request, await self._case(request, number))

    @needs("operator")
    async def reveal_case(self, request: web.Request) -> web.Response:
        """``POST /ops/cases/{number}/reveal``: the page itself, once; no link leads to it."""
        number = _number(request)
        found = await self._case(request, number, revealed=True)
        await record(self._console.store, operator_of(request).name, "reveal", number)
        return self._case_page(request, found)

    @needs("viewer")
    async def message(self, request: web.Request) -> web.Response:
        """``GET /ops/messages/{id}``."""
        return self._case_page(request, await self._message(request))

    @needs("operator")
    async def reveal_message(self, request: web.Request) -> web.Response:
        """``POST /ops/messages/{id}/reveal``."""
        found = await self._message(request, revealed=True)
        await record(self._console.store, operator_of(request).name, "reveal", found.event_id)
        return self._case_page(request, found)

    @needs("operator")
    async def write(self, request: web.Request) -> web.Response:
        """``POST /ops/cases/{number}/write``: words for the citizen, sent once however often the form is."""
        number, store = _number(request), self._console.store
        identifier = OPERATOR + await forms.key(request)
        text = await forms.field(request, "text", longest=LONGEST_TEXT)
        language = await forms.choice(request, "language", "", *LANGUAGES)
        try:
            given = cleaned(CaseUpdate(id=identifier, number=number, text=text, at=datetime.now(UTC)))
        except UpdateInvalid as error:
            raise web.HTTPBadRequest from error
        async with store.read() as connection:
            known = (await connection.execute(select(updates.c.id).where(updates.c.id == identifier))).first()
        if known is None:
            await record(store, operator_of(request).name, "write", number, identifier)
        match await self._console.desk.take(given, language=language):
            case Refusal.UNKNOWN_NUMBER:
                raise web.HTTPNotFound
            case Refusal.ID_REUSED:
                raise web.HTTPBadRequest
            case recorded:
                return redirect(f"/ops/cases/{number}", said=f"written_{recorded.citizen.value}")

    def _case_page(self, request: web.Request, trail: Trail) -> web.Response:
        words = self._words(request)
        before = request.query.get("before", "")[:64]
        return page(request, "pages/case", trail=trail, before=before, key=fresh_key(), longest=LONGEST_TEXT, **words)

    async def _case(self, request: web.Request, number: str, *, revealed: bool = False) -> Trail:
        before = request.query.get("before", "")[:64]
        found = await case_trail(
            self._console.store, number, secrets=self._console_secrets, revealed=revealed, before=before
        )
        if found is None:
            raise web.HTTPNotFound
        return found

    async def _message(self, request: web.Request, *, revealed: bool = False) -> Trail:
        console = self._console
        found = await message_trail(
            console.store,
            request.match_info["id"],
            secrets=self._console_secrets,
            blobs=console.blobs,
            revealed=revealed,
        )
        if found is None:
            raise web.HTTPNotFound
        return found

    def _words(self, request: web.Request) -> dict[str, Any]:
        language = language_of(request)
        return {
            "label": partial(label, language),
            "ago": partial(ago, now=self._console.now(), language=language),
            "shown": shown,
            "reply_languages": LANGUAGES,
        }

    def _console_secrets(self, channel: str) -> tuple[bytes, ...]:
        config = self._console.channels.get(channel)
        return secrets_of(config.settings) if config is not None else ()

    def _key(self) -> bytes:
        self._secret = self._secret or sender_secret(self._console.settings)
        return self._secret


def routes(console: Console) -> list[web.RouteDef]:
    """Cases and messages."""
    pages = Cases(console)
    return [
        web.get("/ops/cases", pages.ask),
        web.post("/ops/cases", pages.find),
        web.get("/ops/cases/{number}", pages.case),
        web.post("/ops/cases/{number}/reveal", pages.reveal_case),
        web.post("/ops/cases/{number}/write", pages.write),
        web.get("/ops/messages/{id}", pages.message),
        web.post("/ops/messages/{id}/reveal", pages.reveal_message),
    ]


def _number(request: web.Request) -> str:
    number = read_number(request.match_info["number"])
    if number is None:
        raise web.HTTPNotFound
    return number


def _only(found: Found) -> str:
    """Where the one thing that was found stands; a sender's one case is shown as found by sender."""
    if len(found.cases) + len(found.messages) != 1 or "sender" in found.by:
        return ""
    if found.cases:
        return f"/ops/cases/{found.cases[0].number}"
    return f"/ops/messages/{found.messages[0].event_id}"
