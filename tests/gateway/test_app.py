"""One process of the gateway: how it begins and ends."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from structlog.testing import capture_logs

from tests.inside import running, settings


async def test_a_stop_in_the_first_moment_cuts_nothing_off(tmp_path: Path) -> None:
    """The schema is being made meanwhile: that is finished, and no task is left that waits for ever."""
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        configured = settings(folder)
        (folder / "gateway.db").unlink()
        async with running(configured):
            pass
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (folder / "gateway.db").stat().st_size > 0


async def test_connections_beyond_the_limit_are_dropped(tmp_path: Path) -> None:
    async with running(settings(tmp_path, server={"max_connections": 2})) as inside:
        address = inside.gateway.base_url.removeprefix("http://").split(":")

        async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(b'{"status": "alive"}'))
            return head.partition(b"\r\n")[0]

        async def end(writer: asyncio.StreamWriter) -> None:
            writer.close()
            with contextlib.suppress(ConnectionResetError):
                await writer.wait_closed()

        held = [await asyncio.open_connection(*address) for _ in range(2)]
        assert [await ask(*one) for one in held] == [b"HTTP/1.1 200 OK"] * 2
        with capture_logs() as said:
            for _ in range(3):
                reader, writer = await asyncio.open_connection(*address)
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
                await end(writer)
        assert [line["event"] for line in said] == ["http.too_many_connections"]
        assert [await ask(*one) for one in held] == [b"HTTP/1.1 200 OK"] * 2
        for _, writer in held:
            await end(writer)
