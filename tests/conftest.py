"""Fixtures that every folder may use, and how hypothesis runs here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import jinja2
import pytest
import structlog
from hypothesis import settings
from jinja2.bccache import Bucket
from structlog.dev import ConsoleRenderer, plain_traceback

from tests.nursery import Nursery

pytest_plugins = ["tests.fixtures.kafka", "tests.fixtures.postgres"]

# A deadline for one example is a threshold on wall-clock time: a busy machine is no defect.
settings.register_profile("gateway", deadline=None)
settings.load_profile("gateway")

LONG = ("e2e", "crash", "browser", "eventlog", "sandbox")
"""Folders whose tests take seconds each, and need servers that one worker starts if it has them all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first: the last tests are short ones, and no worker waits long for another."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where the gateways of this session are born."""
    opened = Nursery()
    yield opened
    opened.close()


class Compiled(jinja2.BytecodeCache):
    """Templates that were compiled in this session, by their file and its text."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, if it is known."""
        if (known := self._kept.get((bucket.key, bucket.checksum))) is not None:
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what the bucket holds."""
        self._kept[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """What a process does once would be done by hundreds of tests: templates are compiled, half a hundred of replies.

    And nothing has anybody wait: a dispatcher that is told to stop does so when its fetch returns empty-handed.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module in ("gateway.replies", "gateway.console.page"):
            patch.setattr(f"{module}.Environment", partial(jinja2.Environment, bytecode_cache=Compiled()))
        patch.setattr("gateway.dispatcher.dispatcher.SWEEP_SECONDS", 0.1)
        patch.setattr("gateway.updates.inbox.WAIT_SECONDS", 0.05)
        yield


@pytest.fixture(scope="session", autouse=True)
def loggers_stay_free() -> Iterator[None]:
    """A program keeps its loggers as they were first used; of one that runs within the tests that would outlive it."""
    honest = structlog.configure

    def configure(**options: Any) -> None:
        honest(**{**options, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", configure)
        # What nobody has set up draws tracebacks with frames and colours, for seconds.
        patch.setattr(ConsoleRenderer.get_active(), "exception_formatter", plain_traceback)
        yield


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """No test finds the logging that another one set up."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        root.handlers, root.level = handlers, level
