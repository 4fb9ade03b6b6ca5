"""Promises 1 to 3 at every step of the way: the process dies there, is started again, and nothing is lost or doubled.

Each cell is a way in, a backend and a step. The whole matrix takes a quarter of an hour and is run by
`make crash MATRIX=full`; what always runs is one chain of crashes a backend in which every step and every way comes up.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from gateway.seams import Seam
from tests.crash.conftest import MakeStage
from tests.crash.fleet import BACKENDS, THREE
from tests.crash.stage import DELIVERED, DISPATCHED, role_at, seams_of
from tests.crash.ways import IMAP, LMTP, SMS, TELEGRAM_HOOK, TELEGRAM_POLL, TWITTER_HOOK, TWITTER_POLL, WAYS, Way
from tests.e2e.conftest import CLUSTER, EMBEDDED

CITIZENS = 4
CELLS = [(backend, way, seam) for backend in BACKENDS for way in WAYS for seam in seams_of(way)]

ALONE_CHAIN: list[tuple[Seam, Way]] = [
    (Seam.BEFORE_APPEND, TELEGRAM_HOOK),
    (Seam.FETCHED, TELEGRAM_POLL),
    (Seam.AFTER_LOG_WRITE, TWITTER_HOOK),
    (Seam.BEFORE_CURSOR, IMAP),
    (Seam.BEFORE_STORE_COMMIT, LMTP),
    (Seam.AFTER_STORE_COMMIT, TWITTER_POLL),
    (Seam.SENT, SMS),
]
"""What differs from the roles on their own: one process, one log in a file."""

INTAKE_CHAIN: list[tuple[Seam, Way]] = [
    (Seam.VERIFIED, SMS),
    (Seam.FETCHED, TWITTER_POLL),
    (Seam.BEFORE_APPEND, TWITTER_HOOK),
    (Seam.BEFORE_LOG_WRITE, LMTP),
    (Seam.AFTER_LOG_WRITE, TELEGRAM_HOOK),
    (Seam.AFTER_APPEND, TELEGRAM_POLL),
    (Seam.ANSWERED, SMS),
    (Seam.BEFORE_CURSOR, TELEGRAM_POLL),
    (Seam.AFTER_CURSOR, IMAP),
]
CHAINS = {
    "intake": INTAKE_CHAIN,
    "dispatch": [(seam, SMS) for seam in DISPATCHED],
    "deliver": [(seam, TELEGRAM_HOOK) for seam in DELIVERED],
}


if os.environ.get("CRASH_MATRIX") == "full":

    @pytest.mark.parametrize(("backend", "way", "seam"), CELLS, ids=str)
    async def test_dies_there_and_nothing_is_lost(stage_on: MakeStage, backend: str, way: Way, seam: Seam) -> None:
        async with stage_on(backend, [way]) as stage:
            names = stage.fleet.names
            victim = "all" if backend == EMBEDDED else role_at(seam)
            await asyncio.gather(*(stage.fleet.launch(name) for name in names if name != victim))
            await stage.crash(seam, way, CITIZENS)
            await stage.fleet.launch(victim)
            await stage.balances()


async def test_one_process_dies_at_one_step_after_another(stage_on: MakeStage) -> None:
    async with stage_on(EMBEDDED, WAYS) as stage:
        for seam, way in ALONE_CHAIN:
            await stage.crash(seam, way, 2)
        await stage.fleet.launch("all")
        await stage.balances()


async def test_every_role_dies_at_each_of_its_steps(stage_on: MakeStage) -> None:
    async with stage_on(CLUSTER, WAYS) as stage:

        async def lives(name: str) -> None:
            for seam, way in CHAINS[name]:
                await stage.crash(seam, way, 2)
            await stage.fleet.launch(name)

        await asyncio.gather(*(lives(name) for name in THREE))
        await stage.balances()


def test_what_always_runs_has_every_step_and_every_way() -> None:
    chains = [*ALONE_CHAIN, *(cell for chain in CHAINS.values() for cell in chain)]
    assert {seam for seam, _ in chains} == {seam for way in WAYS for seam in seams_of(way)}
    assert {way for _, way in ALONE_CHAIN} == set(WAYS)
    assert {way for _, way in chains} == set(WAYS)
