"""A burst of ten thousand texts while Kafka does not answer: all are taken, in bounded memory, and drain in order."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from normalizer.event import decode
from tests.e2e.conftest import PATIENCE
from tests.eventlog.backends import Backend, first_times, new_topics
from tests.fixtures.migrated import copy_to
from tests.inside import KANNEL, TOKEN
from tests.kafka.broker import Broker
from tests.process import GatewayProcess

CONNECTIONS = 64
EACH = 157
TEXTS = CONNECTIONS * EACH
MOST_MIB = 400
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


def phone_of(citizen: int) -> str:
    return f"+628120000{citizen:04d}"


async def write(port: int, citizen: int, answers: Counter[str]) -> None:
    """One citizen on a connection of their own writes one text after another, as fast as they are taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for n in range(EACH):
        fields = {"token": TOKEN, "from": phone_of(citizen), "to": "1708", "id": f"{citizen}-{n}"}
        body = urlencode(fields | {"text": f"Jembatan di desa kami putus, mohon segera dibantu. {n}"}).encode()
        writer.write(
            b"POST /webhooks/sms HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        assert length is not None
        await reader.readexactly(int(length[1]))
        answers[head[9:12].decode()] += 1
    writer.close()
    await writer.wait_closed()


async def waiting(gateway: GatewayProcess) -> int:
    """How many records wait in the spool."""
    async with aiohttp.ClientSession() as http, http.get(f"{gateway.url}/metrics") as answer:
        found = re.search(r"^lapor_gateway_spool_depth (\S+)$", await answer.text(), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def most_memory(pid: int) -> float:
    """The most that a process has held so far, in MiB (proc(5), ``VmHWM``)."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


async def everything(broker: Broker, topic: str) -> dict[str, list[str]]:
    """The ids of every citizen's messages as they stand on the topic, copies too, once all have come."""
    backend = Backend("kafka", bootstrap_servers=broker.bootstrap_servers, topics=(topic,))
    arrived: dict[str, list[str]] = {}
    known: set[str] = set()
    async with backend.open() as log, asyncio.timeout(PATIENCE):
        consumer = log.consumer("burst", [topic])
        while len(known) < TEXTS:
            for taken in await consumer.fetch(limit=500, timeout=1.0):
                event = decode(taken.record.value)
                arrived.setdefault(event.sender.address, []).append(event.channel.message_id)
                known.add(event.channel.message_id)
    return arrived


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process's memory")
async def test_ten_thousand_texts_while_kafka_is_away_fit_into_400_mib_and_drain_in_order(
    frail_broker: Broker, tmp_path: Path
) -> None:
    (topic,) = new_topics(1)
    settings: dict[str, dict[str, Any]] = {
        "log": {
            "backend": "kafka",
            "path": str(tmp_path / "spool.db"),
            "bootstrap_servers": frail_broker.bootstrap_servers,
            "partitions": 3,
        },
        "topics": {"complaints": topic},
        "store": {"url": copy_to(tmp_path)},
        "channels.sms": KANNEL,
    }
    answers: Counter[str] = Counter()
    async with GatewayProcess(tmp_path, settings, role="intake") as gateway:
        frail_broker.pause()
        try:
            await asyncio.gather(*(write(gateway.port, citizen, answers) for citizen in range(CONNECTIONS)))
            assert answers == {"200": TEXTS}
            assert await waiting(gateway) == TEXTS
            held = most_memory(gateway.pid)
        finally:
            frail_broker.resume()
        async with asyncio.timeout(PATIENCE):
            while await waiting(gateway):
                await asyncio.sleep(0.1)
        assert max(held, most_memory(gateway.pid)) < MOST_MIB
    arrived = await everything(frail_broker, topic)
    assert {phone: first_times(ids) for phone, ids in arrived.items()} == {
        phone_of(citizen): [f"{citizen}-{n}" for n in range(EACH)] for citizen in range(CONNECTIONS)
    }
