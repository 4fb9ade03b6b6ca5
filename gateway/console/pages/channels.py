"""``/ops/channels/{name}``: one channel: how it stands and stood, its calls, its settings; pauses and test messages."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, cast

from aiohttp import web

from channels.redaction import scrub
from gateway.channelset import ChannelConfig
from gateway.console import forms, records
from gateway.console.labels import label
from gateway.console.moments import ago, lasted
from gateway.console.page import language_of
from gateway.console.pages.overview import charts_of, tables_of
from gateway.console.shell import Console, needs, operator_of, page, redirect
from gateway.console.words import word
from gateway.health.overview import overview
from gateway.health.pauses import pause, resume
from gateway.identity import sender_secret

LONGEST_REASON = 300


class Channels:
    """The handlers of one channel's page."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @needs("viewer")
    async def show(self, request: web.Request) -> web.Response:
        """``GET /ops/channels/{name}``."""
        return await self._page(request)

    @needs("viewer")
    async def calls(self, request: web.Request) -> web.Response:
        """``GET /ops/channels/{name}/calls``: more of the interaction log, from before the id ``before``."""
        config = self._config(request)
        rows, older = await records.interactions_of(
            self._console.store, config.name, forms.number(request.query.get("before"))
        )
        return page(request, "pages/calls", channel=config.name, calls=rows, older=older, **self._words(request))

    @needs("viewer")
    async def changes(self, request: web.Request) -> web.Response:
        """``GET /ops/channels/{name}/changes``: more of its history."""
        config = self._config(request)
        rows, older = await records.changes_of(
            self._console.store, config.name, forms.number(request.query.get("before"))
        )
        return page(request, "pages/history", channel=config.name, changes=rows, older=older, **self._words(request))

    @needs("operator")
    async def pause(self, request: web.Request) -> web.Response:
        """``POST /ops/channels/{name}/pause``: a direction, with why."""
        config, direction = self._config(request), await _direction(request)
        reason = scrub(await forms.field(request, "reason", longest=LONGEST_REASON))
        name, store = operator_of(request).name, self._console.store
        await pause(store, config.name, direction, name, reason)
        return redirect(f"/ops/channels/{config.name}", said=f"paused_{direction}")

    @needs("operator")
    async def resume(self, request: web.Request) -> web.Response:
        """``POST /ops/channels/{name}/resume``: a direction."""
        config, direction = self._config(request), await _direction(request)
        name, store = operator_of(request).name, self._console.store
        await resume(store, config.name, direction, name)
        self._console.on_replies()
        return redirect(f"/ops/channels/{config.name}", said=f"resumed_{direction}")

    @needs("operator")
    async def test(self, request: web.Request) -> web.Response:
        """``POST /ops/channels/{name}/test``: a message of our own to an address that the operator types."""
        config, console = self._config(request), self._console
        key = await forms.key(request)
        to = await forms.field(request, "to", longest=320)
        language = language_of(request)
        name = operator_of(request).name
        try:
            await records.write_test(
                console.store,
                config,
                by=name,
                key=key,
                to=to,
                # X refuses the same words twice.
                text=word(language, "channel.test_text", mark=key[:6]),
                secret=sender_secret(console.settings),
                now=console.now(),
            )
        except ValueError:
            return await self._page(request, problem=word(language, "channel.test_no_address"), status=400)
        console.on_replies()
        return redirect(f"/ops/channels/{config.name}", said="test_written")

    async def _page(self, request: web.Request, *, problem: str = "", status: int = 200) -> web.Response:
        config, console = self._config(request), self._console
        one = {config.name: config}
        stands = await overview(console.store, console.settings, one, console.now(), day=console.day)
        calls, older_calls = await records.interactions_of(console.store, config.name)
        changes, older_changes = await records.changes_of(console.store, config.name)
        language = language_of(request)
        return page(
            request,
            "pages/channel",
            status=status,
            channel=stands.channels[0],
            chart=partial(charts_of, language=language),
            tables=tables_of(stands.channels[0], stands.at, console.settings.zone),
            pauses=await records.pauses_of(console.store, config.name),
            calls=calls,
            older_calls=older_calls,
            changes=changes,
            older_changes=older_changes,
            tests=await records.tests_of(console.store, config.name),
            settings=records.settings_of(config),
            key=records.fresh_key(),
            longest=LONGEST_REASON,
            problem=problem,
            **self._words(request),
        )

    def _config(self, request: web.Request) -> ChannelConfig:
        config = self._console.channels.get(request.match_info["name"])
        if config is None:
            raise web.HTTPNotFound
        return config

    def _words(self, request: web.Request) -> dict[str, Any]:
        language = language_of(request)
        return {
            "label": partial(label, language),
            "ago": partial(ago, now=self._console.now(), language=language),
            "lasted": lasted,
        }


def routes(console: Console) -> list[web.RouteDef]:
    """A channel's page and what is done there."""
    pages = Channels(console)
    at = "/ops/channels/{name}"
    return [
        web.get(at, pages.show),
        web.get(f"{at}/calls", pages.calls),
        web.get(f"{at}/changes", pages.changes),
        web.post(f"{at}/pause", pages.pause),
        web.post(f"{at}/resume", pages.resume),
        web.post(f"{at}/test", pages.test),
    ]


async def _direction(request: web.Request) -> Literal["in", "out"]:
    return cast('Literal["in", "out"]', await forms.choice(request, "direction", "in", "out"))
