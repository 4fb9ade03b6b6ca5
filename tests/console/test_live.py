"""The live stream: one poller however many watch, only what changed is sent, and nothing holds up a stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.console import live as streams
from gateway.console.live import Fragments, Live
from gateway.store.engine import StoreUnavailable

PATIENCE = 60.0


class Stage:
    """What is drawn: set by the test. Each drawing is counted, and waited for by :meth:`drawn`."""

    def __init__(self) -> None:
        self.fragments: dict[str, str] = {"channel-sms": "<b>healthy</b>", "vitals": "1\n2"}
        self.rounds = 0
        self.languages: list[set[str]] = []
        self.away = False
        self._more = asyncio.Condition()

    async def draw(self, viewers: Mapping[str, web.Request]) -> Mapping[str, Fragments]:
        async with self._more:
            self.rounds += 1
            self.languages.append(set(viewers))
            self._more.notify_all()
        if self.away:
            raise StoreUnavailable("away")
        return {language: {n: f"{html} {language}" for n, html in self.fragments.items()} for language in viewers}

    async def drawn(self, times: int = 1) -> None:
        """Wait until it was drawn so many times more."""
        async with asyncio.timeout(PATIENCE), self._more:
            goal = self.rounds + times
            await self._more.wait_for(lambda: self.rounds >= goal)


class Viewer:
    """A reader of a stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def event(self) -> tuple[str, str]:
        """The next event: its name and data; of a comment ``""`` and its text."""
        async with asyncio.timeout(PATIENCE):
            lines = []
            while (line := (await self.response.content.readline()).decode()).strip():
                lines.append(line.rstrip("\n"))
        named = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return (named[0], "\n".join(data)) if named else ("", "".join(lines))

    async def ended(self) -> None:
        """Read to the end."""
        async with asyncio.timeout(PATIENCE):
            await self.response.read()


class Theatre:
    """A server with one stream."""

    def __init__(self, live: Live, server: TestServer, session: aiohttp.ClientSession) -> None:
        self.live = live
        self.server = server
        self.session = session

    @asynccontextmanager
    async def viewer(self, language: str = "en") -> AsyncIterator[Viewer]:
        async with self.session.get(self.server.make_url(f"/{language}")) as response:
            assert response.status == 200
            assert response.content_type == "text/event-stream"
            yield Viewer(response)

    async def empty(self) -> None:
        """Wait until the last viewer is gone and the poller rests."""
        async with asyncio.timeout(PATIENCE):
            while self.live.viewers or self.live.polling:
                await asyncio.sleep(0.01)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@asynccontextmanager
async def playing(
    stage: Stage, *, every: float = 0.02, heartbeat: float = 60.0, most: int = 10
) -> AsyncIterator[Theatre]:
    live = Live(stage.draw, every=every, heartbeat=heartbeat, most=most)

    async def show(request: web.Request) -> web.StreamResponse:
        return await live.stream(request, request.match_info["language"])

    app = web.Application()
    app.router.add_get("/{language}", show)
    app.on_shutdown.append(live.close)
    server = TestServer(app)
    async with server, aiohttp.ClientSession() as session:
        yield Theatre(live, server, session)


async def test_a_viewer_is_sent_everything_once_and_then_what_changed(stage: Stage) -> None:
    async with playing(stage) as theatre, theatre.viewer() as viewer:
        assert await viewer.event() == ("channel-sms", "<b>healthy</b> en")
        assert await viewer.event() == ("vitals", "1\n2 en")
        await stage.drawn(3)
        stage.fragments["channel-sms"] = "down"
        assert await viewer.event() == ("channel-sms", "down en")


async def test_many_viewers_share_one_poller_and_each_reads_their_language(stage: Stage) -> None:
    async with playing(stage) as theatre, theatre.viewer("en") as one, theatre.viewer("id") as other:
        assert (await one.event())[1].endswith(" en")
        assert (await other.event())[1].endswith(" id")
        assert theatre.live.viewers == 2
        await stage.drawn(2)
        assert stage.languages[-1] == {"en", "id"}


async def test_nobody_watching_nothing_is_read(stage: Stage) -> None:
    async with playing(stage) as theatre:
        async with theatre.viewer() as viewer:
            await viewer.event()
        await theatre.empty()
        rounds = stage.rounds
        async with theatre.viewer() as viewer:
            await viewer.event()
        assert stage.rounds > rounds


async def test_a_silent_stream_shows_that_it_lives(stage: Stage) -> None:
    stage.fragments = {}
    async with playing(stage, heartbeat=0.05) as theatre, theatre.viewer() as viewer:
        assert await viewer.event() == ("", ": here")
        assert await viewer.event() == ("", ": here")


async def test_one_viewer_too_many_is_told_to_come_later(stage: Stage) -> None:
    async with playing(stage, most=1) as theatre, theatre.viewer() as viewer:
        await viewer.event()
        async with theatre.session.get(theatre.server.make_url("/en")) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "30")


async def test_a_stop_ends_every_stream(stage: Stage) -> None:
    async with playing(stage, every=60.0) as theatre, theatre.viewer() as one, theatre.viewer() as other:
        await one.event()
        await other.event()
        async with asyncio.timeout(PATIENCE):
            await theatre.server.close()
        await one.ended()
        await other.ended()
        assert not theatre.live.polling


async def test_while_the_store_is_away_the_stream_waits_and_goes_on(stage: Stage) -> None:
    stage.away = True
    async with playing(stage) as theatre, theatre.viewer() as viewer:
        await stage.drawn(2)
        stage.away = False
        assert (await viewer.event())[0] == "channel-sms"


async def test_a_stream_whose_session_is_over_says_so_and_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def over(_request: web.Request) -> bool:
        return False

    monkeypatch.setattr(streams, "ASK", 0.0)
    monkeypatch.setattr(streams, "still", over)
    async with playing(stage) as theatre, theatre.viewer() as viewer:
        assert await viewer.event() == ("over", "over")
        await viewer.ended()
