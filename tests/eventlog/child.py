"""What another process does with a log, until it is killed.

``append BACKEND NAME``: appends for ever, from many tasks, ``NAME-task-number`` under the key ``NAME-task``, and
prints each value once its append has returned. ``consume BACKEND GROUP``: fetches without committing, and prints.
"""

from __future__ import annotations

import asyncio
import logging
import sys

import structlog

from gateway.eventlog.base import EventLog
from tests.eventlog.backends import Backend, record, values

TASKS = 16


async def append(log: EventLog, backend: Backend, name: str) -> None:
    """Append from many tasks."""

    async def one(task: int) -> None:
        key = f"{name}-{task}"
        for number in range(1_000_000):
            value = f"{key}-{number}"
            await log.append([record(backend.topic, key, value)])
            print(value, flush=True)  # noqa: T201

    await asyncio.gather(*(one(task) for task in range(TASKS)))


async def consume(log: EventLog, backend: Backend, group: str) -> None:
    """Fetch and print."""
    consumer = log.consumer(group, backend.topics)
    while True:
        for value in values(await consumer.fetch(limit=10, timeout=1.0)):
            print(value, flush=True)  # noqa: T201


async def main() -> None:
    """Run the command."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    command, text, argument = sys.argv[1:]
    backend = Backend.loads(text)
    async with backend.open() as log:
        await {"append": append, "consume": consume}[command](log, backend, argument)


if __name__ == "__main__":
    asyncio.run(main())
