"""A sandbox with the four shipped channels inside the test's loop, and a browser at its page."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Self

import aiohttp

from config.load import load
from gateway.channelset import load_channels
from gateway.sandbox.run import sandboxed

PATIENCE = 60.0
EMBEDDED = Path(str(resources.files("config") / "embedded.toml"))
API_TOKEN = "sandbox"
NUMBER = re.compile(r"\d{3} \d{3} \d{4}")

Line = dict[str, Any]


class Browser:
    """The page, as a browser has it: its token, and every line that came by server-sent events."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lines: dict[int, Line] = {}
        self.status: dict[str, Any] = {}
        self._came = asyncio.Condition()
        self.http = aiohttp.ClientSession(url)

    async def __aenter__(self) -> Self:
        async with self.http.get("/sandbox") as page:
            found = re.search(r'data-token="([^"]+)"', await page.text())
        assert found
        self.token = found[1]
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self.http.close()

    async def post(self, path: str, status: int = 200, **fields: Any) -> Any:
        """Do what a button of the page does; returns the answer."""
        body = aiohttp.FormData()
        for name, value in fields.items():
            if isinstance(value, bytes):
                body.add_field(name, io.BytesIO(value), filename=f"{name}.png")
            else:
                body.add_field(name, str(value).lower() if isinstance(value, bool) else value)
        async with self.http.post(f"/sandbox/{path}", data=body, headers={"X-Sandbox-Token": self.token}) as answer:
            said = await answer.json()
            assert answer.status == status, said
            return said

    async def write(self, channel: str, sender: str, text: str, **more: Any) -> int:
        """Write as a citizen; returns the line's id."""
        fields: dict[str, Any] = {"channel": channel, "from": sender, "text": text, **more}
        return int((await self.post("messages", **fields))["id"])

    async def until(self, fits: Callable[[Line], bool]) -> Line:
        """The first line that fits, once there is one."""

        def found() -> Line | None:
            return next((line for line in self.lines.values() if fits(line)), None)

        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(found)
        line = found()
        assert line
        return line

    async def reply(self, channel: str, to: str, after: int = 0) -> Line:
        """The first reply to a citizen after a line."""
        return await self.until(
            lambda line: (
                line["id"] > after and (line["who"], line["channel"], line["address"]) == ("gateway", channel, to)
            )
        )

    async def health(self) -> tuple[int, dict[str, Any]]:
        """What ``/readyz`` says."""
        async with self.http.get("/readyz") as answer:
            return answer.status, await answer.json()

    async def until_healthy(self, fits: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until ``/readyz`` says what is to be."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not fits(told := (await self.health())[1]):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(told["channels"]) from None

    async def until_status(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until everything stands as it should."""
        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(lambda: bool(self.status) and fits(self.status))
        return self.status

    async def _listen(self) -> None:
        kind = ""
        async with self.http.get("/sandbox/events", timeout=aiohttp.ClientTimeout(total=None)) as stream:
            async for raw in stream.content:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    async with self._came:
                        document = json.loads(value)
                        if kind == "status":
                            self.status = document
                        else:
                            self.lines[document["id"]] = document
                        self._came.notify_all()
                elif not name:
                    kind = ""


@asynccontextmanager
async def opened(folder: Path, **environment: str) -> AsyncIterator[Browser]:
    """A gateway with the sandbox on a free port, and its page opened."""
    settings = load(
        EMBEDDED,
        {
            "GATEWAY_SERVER__PORT": "0",
            "GATEWAY_LOG__PATH": f"{folder}/log.db",
            "GATEWAY_STORE__URL": f"sqlite+aiosqlite:///{folder}/gateway.db",
            "GATEWAY_BLOBS__PATH": f"{folder}/blobs",
            "GATEWAY_DELIVERY__FIRST_RETRY": "0.1",
            "GATEWAY_DELIVERY__LONGEST_RETRY": "0.5",
            "GATEWAY_DELIVERY__BREAKER_PROBE": "0.2",
            "GATEWAY_DELIVERY__TIMEOUT": "1.5",
            **environment,
        },
    )
    async with sandboxed(settings, load_channels(settings)) as gateway:
        up = asyncio.Event()
        running = asyncio.create_task(gateway.run(up.set))
        starting = asyncio.create_task(up.wait())
        await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        if running.done():
            running.result()
        try:
            async with Browser(gateway.base_url) as browser:
                await browser.until_healthy(lambda told: told["dependencies"]["store"] == "ok")
                yield browser
        finally:
            gateway.stop()
            await running
