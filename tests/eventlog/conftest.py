"""The logs under test."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.eventlog.base import EventLog
from tests.eventlog.backends import Backend, new_topics
from tests.kafka.broker import Broker

# aiokafka tells of every connection that fails; here they fail on purpose.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """No test leaves a thread of the log or a task behind."""
    yield
    await asyncio.sleep(0)
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("log-")]
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert (threads, tasks) == ([], [])


def backend_of(request: pytest.FixtureRequest, kind: str, folder: Path) -> Backend:
    """A backend with topics of its own."""
    path = str(folder / "log.db")
    if kind == "sqlite":
        return Backend("sqlite", path=path, topics=new_topics())
    broker: Broker = request.getfixturevalue("kafka_broker")
    servers = broker.bootstrap_servers
    return Backend(kind, path=path, bootstrap_servers=servers, topics=new_topics())


@pytest.fixture(params=["sqlite", "kafka", "spool"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each log in turn: the file, the real broker, and the spool in front of it."""
    return backend_of(request, request.param, tmp_path)


@pytest.fixture(params=["sqlite", "kafka"])
def grouped(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each log whose groups may have several members."""
    return backend_of(request, request.param, tmp_path)


@pytest.fixture
async def log(backend: Backend) -> AsyncIterator[EventLog]:
    """A started log on each backend in turn."""
    async with backend.open() as opened:
        yield opened
