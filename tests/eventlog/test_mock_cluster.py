"""The contract over librdkafka's mock cluster of three brokers, which is there without Maven and Java.

Its groups take three seconds to form, so everything runs at once. It refuses a group's second member: what needs
one is not part of this.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import confluent_kafka
import pytest

from tests.eventlog import test_contract
from tests.eventlog.backends import Backend, new_topics

Clause = Callable[..., Coroutine[Any, Any, None]]


def clauses() -> list[Clause]:
    """The tests of the contract that need one log and one member."""
    found = [
        function
        for name, function in vars(test_contract).items()
        if name.startswith("test_") and inspect.signature(function).parameters.keys() <= {"log", "backend"}
    ]
    assert len(found) > 10
    return found


async def keep(clause: Clause, servers: str) -> None:
    """Run one clause with topics of its own."""
    backend = Backend("kafka", bootstrap_servers=servers, topics=new_topics(), session_timeout=3.5)
    if "log" not in inspect.signature(clause).parameters:
        await clause(backend)
        return
    async with backend.open() as log:
        await clause(*((log, backend) if "backend" in inspect.signature(clause).parameters else (log,)))


async def test_the_mock_cluster_keeps_the_contract() -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": "x", "test.mock.num.brokers": 3, "log_level": 0})
    servers = ",".join(f"{broker.host}:{broker.port}" for broker in producer.list_topics().brokers.values())
    kept = clauses()
    results = await asyncio.gather(*(keep(clause, servers) for clause in kept), return_exceptions=True)
    broken = {clause.__name__: result for clause, result in zip(kept, results, strict=True) if result is not None}
    if broken:
        pytest.fail(f"not kept: {broken}")
