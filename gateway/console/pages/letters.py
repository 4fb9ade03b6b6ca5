"""``/ops/letters``: dead letters by kind and one by one; replaying them, and discarding them with a reason."""

from __future__ import annotations

import time
from functools import partial
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from channels.redaction import scrub
from gateway.console import forms
from gateway.console import letters as model
from gateway.console.labels import label
from gateway.console.moments import ago
from gateway.console.page import language_of
from gateway.console.shell import Console, needs, operator_of, page, redirect
from gateway.eventlog.base import LogUnavailable
from gateway.evidence import secrets_of
from gateway.replay import ReplayError
from gateway.store.audit import record
from gateway.store.deadletters import discard

LONGEST_REASON = 300


class Letters:
    """The handlers of dead letters."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @needs("viewer")
    async def listing(self, request: web.Request) -> web.Response:
        """``GET /ops/letters``, of one ``stage`` and ``reason`` where they are given; ``settled``: the others."""
        stage, reason = (request.query.get(name, "")[:64] for name in ("stage", "reason"))
        settled = request.query.get("settled") == "1"
        store = self._console.store
        rows, older = await model.page(
            store, stage=stage, reason=reason, settled=settled, before=request.query.get("before", "")[:32]
        )
        wanted = {"stage": stage, "reason": reason, "settled": "1" if settled else ""}
        query = urlencode({name: value for name, value in wanted.items() if value})
        return page(
            request,
            "pages/letters",
            kinds=await model.kinds(store),
            rows=rows,
            older=older,
            stage=stage,
            reason=reason,
            settled=settled,
            query=query,
            at_once=model.AT_ONCE,
            **self._words(request),
        )

    @needs("viewer")
    async def letter(self, request: web.Request) -> web.Response:
        """``GET /ops/letters/{id}``."""
        return await self._letter(request)

    @needs("operator")
    async def reveal(self, request: web.Request) -> web.Response:
        """``POST /ops/letters/{id}/reveal``."""
        answer = await self._letter(request, revealed=True)
        await record(self._console.store, operator_of(request).name, "reveal", f"letter {_id(request)}")
        return answer

    @needs("operator")
    async def replay(self, request: web.Request) -> web.Response:
        """``POST /ops/letters/{id}/replay``; one that cannot be replayed is shown with why."""
        row = await model.row_of(self._console.store, _id(request))
        if row is None:
            raise web.HTTPNotFound
        if row.discarded_at is not None or row.replayed_at is not None:
            return redirect(f"/ops/letters/{row.id}", said="letter_settled")
        name = operator_of(request).name
        try:
            await self._console.replay(row, name)
        except (ReplayError, LogUnavailable) as error:
            await record(self._console.store, name, "replay", row.id, "not replayed")
            return await self._letter(request, problem=str(error), status=409)
        self._console.on_replies()
        return redirect(f"/ops/letters/{row.id}", said="letter_replayed")

    @needs("operator")
    async def replay_kind(self, request: web.Request) -> web.Response:
        """``POST /ops/letters/replay``: the oldest of one stage and reason, some hundreds at once."""
        stage, reason = [await forms.field(request, name, longest=64) for name in ("stage", "reason")]
        rows = await model.of_kind(self._console.store, stage, reason)
        name = operator_of(request).name
        done = 0
        for row in rows:
            try:
                await self._console.replay(row, name)
            except ReplayError:
                continue
            except LogUnavailable:
                break
            done += 1
        self._console.on_replies()
        said = "letters_replayed" if done == len(rows) else "letters_partly"
        return redirect(f"/ops/letters?{urlencode({'stage': stage, 'reason': reason})}", said=said, n=done)

    @needs("operator")
    async def discard(self, request: web.Request) -> web.Response:
        """``POST /ops/letters/{id}/discard``, with why."""
        reason = scrub(await forms.field(request, "reason", longest=LONGEST_REASON))
        identifier = _id(request)
        async with self._console.store.write() as connection:
            done = await discard(connection, identifier, at=time.time(), reason=reason)
            if done:
                await record(connection, operator_of(request).name, "discard", identifier, reason)
        return redirect(f"/ops/letters/{identifier}", said="letter_discarded" if done else "letter_settled")

    async def _letter(
        self, request: web.Request, *, revealed: bool = False, problem: str = "", status: int = 200
    ) -> web.Response:
        found = await model.opened(self._console.store, _id(request), secrets=self._secrets, revealed=revealed)
        if found is None:
            raise web.HTTPNotFound
        return page(
            request,
            "pages/letter",
            status=status,
            opened=found,
            letter=found.letter,
            problem=problem,
            longest=LONGEST_REASON,
            **self._words(request),
        )

    def _words(self, request: web.Request) -> dict[str, Any]:
        language = language_of(request)
        return {
            "label": partial(label, language),
            "ago": partial(ago, now=self._console.now(), language=language),
            "quoted": urlencode,
        }

    def _secrets(self, channel: str) -> tuple[bytes, ...]:
        config = self._console.channels.get(channel)
        return secrets_of(config.settings) if config is not None else ()


def routes(console: Console) -> list[web.RouteDef]:
    """Dead letters."""
    pages = Letters(console)
    return [
        web.get("/ops/letters", pages.listing),
        web.post("/ops/letters/replay", pages.replay_kind),
        web.get("/ops/letters/{id}", pages.letter),
        web.post("/ops/letters/{id}/reveal", pages.reveal),
        web.post("/ops/letters/{id}/replay", pages.replay),
        web.post("/ops/letters/{id}/discard", pages.discard),
    ]


def _id(request: web.Request) -> str:
    return request.match_info["id"][:32]
