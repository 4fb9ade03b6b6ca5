"""Stages for crashes: a site on each backend, with the ways in that a test asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.crash.fleet import THREE, Fleet, cluster, embedded
from tests.crash.stage import Stage
from tests.crash.ways import Way, played
from tests.e2e.conftest import EMBEDDED
from tests.nursery import Nursery
from tests.process import free_port

MakeFleet = Callable[[str], Fleet]
MakeStage = Callable[[str, Sequence[Way]], AbstractAsyncContextManager[Stage]]


@pytest.fixture
def fleet_on(request: pytest.FixtureRequest, tmp_path: Path, nursery: Nursery) -> MakeFleet:
    """Makes the processes of a backend: one, or three roles."""

    def make(backend: str) -> Fleet:
        if backend == EMBEDDED:
            return embedded(nursery, tmp_path)
        broker = request.getfixturevalue("kafka_broker")
        postgres = request.getfixturevalue("postgres")
        return cluster(nursery, tmp_path, broker.bootstrap_servers, postgres.create_migrated(), names=THREE)

    return make


@pytest.fixture
def stage_on(fleet_on: MakeFleet) -> MakeStage:
    """Makes a stage on a backend with some ways in."""

    @asynccontextmanager
    async def make(backend: str, ways: Sequence[Way]) -> AsyncIterator[Stage]:
        fleet = fleet_on(backend)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(fleet.stop)
            playing = {way.name: await stack.enter_async_context(played(way, port=free_port())) for way in ways}
            yield Stage(fleet, playing)

    return make
